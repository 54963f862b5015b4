"""One record out of several: the richest, completed, in the best place."""

from typing import Any

from tests.analytics.spans import chat, frame, run

from tokenpnl_analytics.resolving.resolve import resolve

SAME = {"response_id": "r"}


def merged(*rows: dict[str, Any]) -> dict[str, Any]:
    (attempt,) = resolve(frame(*rows)).attempts.to_dicts()
    return attempt


def other(span_id: str, **columns: Any) -> dict[str, Any]:
    return chat(span_id, **({"scope_name": "two", "trace_id": "t2"} | SAME | columns))


def test_a_lifetime_split_outranks_everything_and_missing_names_are_filled() -> None:
    split = other("b", usage=(1000, 53), cache_write_5m_tokens=20, cache_write_1h_tokens=10, region="eu")
    plain = chat("a", usage=(1000, 54), cache_write_tokens=30, prompt_hash="p", **SAME)
    told = merged(plain, split)
    assert (told["input_cache_write_1h_tokens"], told["output_total_tokens"]) == (10, 53)
    assert (told["region"], told["prompt_hash"]) == ("eu", "p")


def test_details_come_only_from_a_record_with_the_same_total() -> None:
    told = merged(
        chat("a", usage=(100, 10), cache_read_tokens=40, cache_write_tokens=0, reasoning_reported=False, **SAME),
        other("b", usage=(100, 11), reasoning_tokens=5, reasoning_reported=False),
    )
    assert (told["input_cache_read_tokens"], told["output_reasoning_tokens"]) == (40, None)
    assert "reasoning_unknown" in told["flags"]


def test_what_one_record_always_tells_holds_for_the_call() -> None:
    told = merged(chat("a", cache_reported=False, **SAME), other("b", cache_reported=True))
    assert (told["input_cache_read_tokens"], "cache_unknown" in told["flags"]) == (0, False)


def test_an_error_of_the_wrapper_does_not_taint_a_call_that_answered() -> None:
    told = merged(
        chat("outer", took=3, usage=None, status_code="error", error_type="ValidationError"),
        chat("inner", "outer", scope_name="sdk"),
    )
    assert (told["status"], told["error_type"]) == ("ok", None)


def test_place_and_time_come_together_from_the_record_in_the_named_run() -> None:
    told = merged(run(), chat("a", "run", at=1, **SAME), other("b", at=1.1, cache_read_tokens=1, cache_write_tokens=0))
    assert (told["trace_id"], told["span_id"], told["run_id"]) == ("t1", "a", "t1")
    assert told["input_cache_read_tokens"] == 1
