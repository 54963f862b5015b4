"""Calls: which attempts belong together, and what became of each."""

from typing import Any

from tests.analytics.spans import chat, frame, run, span

from tokenpnl_analytics.resolving.resolve import Resolution, resolve

BROKEN = {"usage": None, "status_code": "error", "error_type": "InternalServerError"}


def books(*rows: dict[str, Any]) -> Resolution:
    return resolve(frame(run(), *rows))


def columns(*rows: dict[str, Any], names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return books(*rows).attempts.sort("started_at", "span_id").select(names).rows()


def call(*rows: dict[str, Any]) -> list[tuple[int, bool]]:
    return books(*rows).calls.select("n_attempts", "failed").rows()


def test_a_failed_sibling_and_its_successor_are_one_call() -> None:
    rows = chat("a", "run", **BROKEN), chat("b", "run", at=2)
    assert call(*rows) == [(2, False)]
    assert columns(*rows, names=("attempt_number", "attempt_reason", "attempt_source", "superseded", "gave_up")) == [
        (1, "first", "inferred", True, False),
        (2, "retry", "inferred", False, False),
    ]


def test_siblings_that_all_failed_are_one_call_that_gave_up() -> None:
    rows = chat("a", "run", **BROKEN), chat("b", "run", at=2, **BROKEN)
    assert call(*rows) == [(2, True)]
    assert columns(*rows, names=("superseded", "gave_up")) == [(True, False), (False, True)]


def test_siblings_that_answered_are_calls_of_their_own() -> None:
    assert call(chat("a", "run"), chat("b", "run", at=2)) == [(1, False), (1, False)]


def test_siblings_that_overlap_in_time_are_parallel_calls() -> None:
    assert call(chat("a", "run", **BROKEN), chat("b", "run", at=0.5)) == [(1, True), (1, False)]


def test_siblings_that_asked_something_else_are_other_calls() -> None:
    failed = chat("a", "run", prompt_hash="p", **BROKEN)
    assert len(call(failed, chat("b", "run", at=2, prompt_hash="q"))) == 2
    assert len(call(failed, chat("b", "run", at=2, prompt_hash="p", request_model="other"))) == 2
    assert len(call(failed, chat("b", "run", at=2, name="other"))) == 2


def test_an_invalid_answer_that_was_asked_again_is_the_first_attempt_of_its_call() -> None:
    rows = chat("a", "run", output_valid=False), chat("b", "run", at=2, output_valid=True)
    assert call(*rows) == [(2, False)]
    assert columns(*rows, names=("attempt_reason", "superseded")) == [("first", True), ("schema", False)]


def test_who_asks_again_because_of_the_schema_says_that_the_answer_before_was_invalid() -> None:
    first = chat("a", "run", call_id="c", attempt_number=1)
    again = chat("b", "run", at=2, call_id="c", attempt_number=2, attempt_reason="schema")
    assert columns(first, again, names=("output_valid", "superseded")) == [(False, True), (None, False)]


def test_an_invalid_answer_that_nobody_asked_again_is_repaired_unless_its_step_failed() -> None:
    assert columns(chat("a", "run", output_valid=False), names=("flags", "gave_up")) == [("repaired", False)]
    failing = span("step", "run", step_name="parse", status_code="error", took=9)
    assert columns(failing, chat("a", "step", output_valid=False), names=("flags", "gave_up")) == [("", True)]


def test_a_named_fallback_asks_another_call_and_relieves_the_failed_one() -> None:
    rows = (
        span("either", "run", name="RunnableWithFallbacks", took=9),
        chat("a", "either", **BROKEN),
        chat("b", "either", at=2),
    )
    assert call(*rows) == [(1, False), (1, False)]
    assert columns(*rows, names=("attempt_reason", "served_reason")) == [("first", "primary"), ("fallback", "fallback")]


def test_the_same_prompt_to_another_model_after_a_failure_is_a_fallback() -> None:
    rows = (
        chat("a", "run", prompt_hash="p", **BROKEN),
        chat("b", "run", at=2, prompt_hash="p", request_model="claude", response_model="claude"),
    )
    assert columns(*rows, names=("served_reason", "gave_up")) == [("primary", True), ("fallback", False)]
    assert call(*rows) == [(1, False), (1, False)]


def test_a_recorded_call_keeps_its_id_numbers_and_reasons() -> None:
    rows = (
        chat("a", "run", call_id="c", attempt_number=1, **BROKEN),
        chat("b", "run", call_id="c", attempt_number=2, attempt_reason="fallback", at=2, request_model="other"),
        chat("c", "run", call_id="c", attempt_number=3, attempt_reason="retry", at=4, request_model="other"),
    )
    result = books(*rows)
    assert result.calls.select("call_key", "n_attempts").rows() == [("c", 3)]
    assert result.attempts["served_reason"].to_list() == ["primary", "fallback", "fallback"]


def test_the_cheaper_answer_that_a_stronger_model_replaced_is_rejected() -> None:
    rows = (
        chat("a", "run", call_id="c", attempt_number=1),
        chat("b", "run", call_id="c", attempt_number=2, attempt_reason="escalation", at=2, request_model="big"),
    )
    names = ("rejected", "served_reason", "superseded")
    assert columns(*rows, names=names) == [(True, "primary", True), (False, "escalation", False)]


def test_an_attempt_that_failed_before_an_escalation_was_not_rejected() -> None:
    rows = (
        chat("a", "run", call_id="c", attempt_number=1, **BROKEN),
        chat("b", "run", call_id="c", attempt_number=2, attempt_reason="escalation", at=2),
    )
    assert columns(*rows, names=("rejected",)) == [(False,), (False,)]


def test_an_answer_from_the_applications_cache_is_a_call_without_attempt() -> None:
    result = books(chat("a", "run", cache_hit=True, cache_kind="semantic", usage=(100, 10)))
    assert result.attempts.is_empty()
    (hit,) = result.calls.to_dicts()
    assert (hit["cached"], hit["n_attempts"], hit["failed"]) == (True, 0, False)
    assert (hit["cache_avoided_input_tokens"], hit["cache_avoided_output_tokens"]) == (100, 10)
    assert result.runs["n_calls"].to_list() == [1]


def test_what_a_cache_hit_says_it_avoided_outranks_its_usage() -> None:
    avoided = {"cache_avoided_input_tokens": 70, "cache_avoided_output_tokens": 7}
    (hit,) = books(chat("a", "run", cache_hit=True, **avoided)).calls.to_dicts()
    assert (hit["cache_avoided_input_tokens"], hit["cache_avoided_output_tokens"]) == (70, 7)


def test_a_retry_that_begins_a_trace_of_its_own_belongs_to_the_call_before() -> None:
    asked = {"prompt_hash": "p", "resource_hash": "gateway"}
    rows = chat("a", trace_id="t1", **asked, **BROKEN), chat("b", trace_id="t2", at=9, **asked)
    result = resolve(frame(*rows))
    assert result.calls.select("n_attempts", "failed").rows() == [(2, False)]
    assert result.runs["run_id"].to_list() == ["t2"]
    assert result.attempts["run_id"].to_list() == ["t2", "t2"]
    late = chat("b", trace_id="t2", at=99, **asked)
    assert resolve(frame(rows[0], late)).calls.height == 2


def test_a_timeout_is_the_reason_of_the_attempt_after_it() -> None:
    rows = chat("a", "run", usage=None, status_code="error", timed_out=True), chat("b", "run", at=2)
    assert columns(*rows, names=("status", "attempt_reason")) == [("timeout", "first"), ("ok", "timeout")]


def test_a_cancelled_call_did_not_fail_for_the_program() -> None:
    assert call(chat("a", "run", usage=None, streamed=True, finish_reason=None)) == [(1, False)]
