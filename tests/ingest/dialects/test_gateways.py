"""LiteLLM and OpenLIT."""

from tests.ingest.raw_spans import row_of

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-sonnet-5"}


def test_litellm_zero_and_zero_is_unknown_usage() -> None:
    row = row_of(
        {**CHAT, "gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0, "llm.is_streaming": "True"},
        scope="litellm",
    )
    assert (row["input_tokens"], row["output_tokens"], row["streamed"]) == (None, None, True)


def test_litellm_usage_object_is_python_and_read_all_the_same() -> None:
    said = str(
        {
            "prompt_tokens": 1110,
            "completion_tokens": 348,
            "prompt_tokens_details": {"cached_tokens": 1009, "audio_tokens": None},
            "completion_tokens_details": {"reasoning_tokens": 307},
        }
    )
    row = row_of(
        {**CHAT, "gen_ai.usage.input_tokens": 1110, "gen_ai.usage.output_tokens": 348, "metadata.usage_object": said},
        scope="litellm",
    )
    assert (row["cache_read_tokens"], row["reasoning_tokens"]) == (1009, 307)


def test_openlit_estimate_is_no_count() -> None:
    row = row_of(
        {
            **CHAT,
            "gen_ai.system": "openai",
            "gen_ai.request.stream": True,
            "gen_ai.usage.input_tokens": 17,
            "gen_ai.usage.output_tokens": 13,
        },
        scope="openlit.instrumentation.openai",
    )
    assert (row["input_tokens"], row["output_tokens"]) == (None, None)
    assert "usage_estimated" in row["flags"]
