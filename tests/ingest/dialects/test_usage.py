"""Reported usage made inclusive."""

from tests.ingest.raw_spans import row_of

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-sonnet-5"}
ANTHROPIC = {**CHAT, "gen_ai.provider.name": "anthropic"}


def test_more_cache_than_input_proves_that_input_leaves_it_out() -> None:
    row = row_of(
        {
            **ANTHROPIC,
            "gen_ai.usage.input_tokens": 5,
            "gen_ai.usage.cache_read.input_tokens": 128_955,
            "gen_ai.usage.cache_creation.input_tokens": 1_253,
        }
    )
    assert (row["input_tokens"], row["flags"]) == (130_213, "input_semantics_proved")


def test_reasoning_larger_than_output_proves_that_output_leaves_it_out() -> None:
    row = row_of({**CHAT, "gen_ai.usage.output_tokens": 41, "gen_ai.usage.reasoning.output_tokens": 307})
    assert (row["output_tokens"], row["flags"]) == (348, "output_semantics_proved")


def test_reading_a_stored_response_again_counts_nothing() -> None:
    row = row_of(
        {"gen_ai.operation.name": "fetch_response", "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 3}
    )
    assert (row["operation"], row["input_tokens"], row["output_tokens"]) == ("other", None, None)
