"""Attempts: what was sent over the wire, how it ended, whether it was billed, and whether its usage is known."""

from typing import Any

import pytest
from tests.analytics.spans import chat, frame, run, span

from tokenpnl_analytics.resolving.resolve import resolve


def attempts(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    books = resolve(frame(run(), *rows))
    return books.attempts.sort("call_key", "attempt_number").to_dicts()


def post(span_id: str, parent: str, status: int, at: float, **columns: Any) -> dict[str, Any]:
    bad = {"status_code": "error"} if status >= 400 else {}
    return span(span_id, parent, operation="http", http_status=status, at=at, took=0.1, **(bad | columns))


def test_two_failed_requests_and_one_success_are_one_call_and_three_attempts() -> None:
    rows = chat("a", "run", took=5), post("p1", "a", 429, 0), post("p2", "a", 429, 1), post("p3", "a", 200, 2)
    books = resolve(frame(run(), *rows))
    assert books.calls.select("n_attempts", "failed").rows() == [(3, False)]
    told = books.attempts.sort("attempt_number")
    assert told["http_status"].to_list() == [429, 429, 200]
    assert told["attempt_id"].to_list() == ["t1:a#1", "t1:a#2", "t1:a"]
    assert told["billed"].to_list() == [False, False, None]
    assert told["input_total_tokens"].to_list() == [None, None, 100]
    assert told["attempt_source"].unique().to_list() == ["http"]
    assert told["attempt_reason"].to_list() == ["first", "retry", "retry"]
    assert told["usage_missing"].to_list() == [False, False, False]


def test_an_attempt_starts_when_its_own_request_did() -> None:
    told = attempts(chat("a", "run", took=5), post("p1", "a", 500, 0), post("p2", "a", 200, 3))
    assert (told[1]["started_at"] - told[0]["started_at"]).total_seconds() == 3
    assert [row["latency_ms"] for row in told] == [100.0, 2000.0]


def test_a_gateway_that_counts_attempts_is_believed() -> None:
    told = attempts(chat("a", "run", attempts_reported=3))
    assert [(row["attempt_number"], row["status"], row["billed"]) for row in told] == [
        (1, "error", False),
        (2, "error", False),
        (3, "ok", None),
    ]
    assert {row["attempt_source"] for row in told} == {"gateway"}


def test_recorded_attempts_outrank_requests_below_them() -> None:
    told = attempts(
        chat("a", "run", call_id="c", attempt_number=1, usage=None, status_code="error", error_type="500"),
        post("p", "a", 500, 0),
        chat("b", "run", call_id="c", attempt_number=2, attempt_reason="retry", at=3),
    )
    assert [(row["attempt_number"], row["attempt_source"], row["call_key"]) for row in told] == [
        (1, "recorded", "c"),
        (2, "recorded", "c"),
    ]


@pytest.mark.parametrize(
    ("columns", "status", "missing"),
    [
        ({}, "ok", True),
        ({"status_code": "error", "error_type": "RateLimitError"}, "error", False),
        ({"status_code": "error", "error_type": "openai.APITimeoutError"}, "timeout", True),
        ({"timed_out": True, "status_code": "error"}, "timeout", True),
        ({"status_code": "error", "error_type": "CancelledError"}, "cancelled", True),
        ({"streamed": True, "finish_reason": None}, "cancelled", True),
        ({"streamed": True, "finish_reason": "error"}, "cancelled", True),
        ({"http_status": 503}, "error", False),
    ],
)
def test_status_and_missing_usage_of_a_call_without_usage(columns: dict[str, Any], status: str, missing: bool) -> None:
    (told,) = attempts(chat("a", "run", usage=None, **columns))
    assert (told["status"], told["usage_missing"]) == (status, missing)
    assert ("usage_missing" in told["flags"]) is missing


def test_zero_usage_of_a_call_that_succeeded_is_missing() -> None:
    (told,) = attempts(chat("a", "run", usage=(0, 0)))
    assert (told["usage_missing"], told["input_total_tokens"]) == (True, None)


def test_an_embedding_has_no_output_to_miss() -> None:
    (told,) = attempts(chat("a", "run", usage=None, input_tokens=19, operation="embedding"))
    assert (told["usage_missing"], told["input_total_tokens"]) == (False, 19)


def test_the_beginning_of_an_abandoned_stream_is_no_bill() -> None:
    (told,) = attempts(chat("a", "run", usage=(113, 1), streamed=True, finish_reason=None))
    assert (told["status"], told["input_total_tokens"], told["usage_missing"]) == ("cancelled", None, True)


def test_a_cancelled_stream_with_known_usage_is_charged_for_it() -> None:
    (told,) = attempts(chat("a", "run", usage=(113, 20), status_code="error", error_type="AbortError"))
    assert (told["status"], told["output_total_tokens"], told["usage_missing"]) == ("cancelled", 20, False)


def test_a_failure_with_usage_may_have_been_billed() -> None:
    (told,) = attempts(chat("a", "run", status_code="error", error_type="500"))
    assert (told["billed"], told["input_total_tokens"]) == (None, 100)


def test_what_the_program_says_about_billing_is_kept() -> None:
    (told,) = attempts(chat("a", "run", usage=None, attempt_billed=False))
    assert (told["billed"], told["usage_missing"]) == (False, False)


def test_a_client_timeout_is_no_answer_of_a_server() -> None:
    (told,) = attempts(chat("a", "run", usage=None, status_code="error", timed_out=True, http_status=408))
    assert (told["status"], told["http_status"]) == ("timeout", None)


def test_an_attempt_is_priced_at_the_model_that_served() -> None:
    (told,) = attempts(chat("a", "run", response_model="gpt-5-mini-2026-09-01", service_tier="flex"))
    assert (told["model"], told["request_model"], told["service_tier"]) == (
        "gpt-5-mini-2026-09-01",
        "gpt-5-mini",
        "flex",
    )
