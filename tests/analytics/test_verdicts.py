"""A verdict that came after the attempt's span had ended speaks about that attempt, and is nothing else."""

from typing import Any

import polars as pl
import pytest
from tests.analytics.spans import chat, frame, run, span

from tokenpnl_analytics.resolving.resolve import Resolution, resolve

ASKED = {"call_id": "c", "attempt_number": 1}


def verdict(span_id: str = "v", *, number: int = 1, **columns: Any) -> dict[str, Any]:
    told = {"name": "attempt verdict", "at": 3, "took": 0, "output_valid": False, "parse_error": "missing_field"}
    return span(span_id, "run", **(told | {"call_id": "c", "attempt_number": number} | columns))


def resolved(*rows: dict[str, Any]) -> Resolution:
    return resolve(frame(run(), *rows))


def valid(resolution: Resolution) -> list[bool | None]:
    return resolution.attempts.sort("attempt_number")["output_valid"].to_list()


def test_a_late_verdict_makes_the_attempt_invalid() -> None:
    again = chat("b", "run", at=4, call_id="c", attempt_number=2)
    assert valid(resolved(chat("a", "run", **ASKED), verdict(), again)) == [False, None]


def test_a_verdict_is_no_step_call_or_attempt() -> None:
    answer = chat("a", "run", step_name="read", **ASKED)
    with_verdict, without = resolved(answer, verdict()), resolved(answer)
    for name in ("attempts", "calls", "fees", "runs", "duplicates"):
        left, right = getattr(with_verdict, name), getattr(without, name)
        assert left.height == right.height
    assert with_verdict.attempts["step"].to_list() == without.attempts["step"].to_list()


@pytest.mark.parametrize("turned", [False, True])
def test_the_latest_verdict_holds_in_whatever_order_they_came(turned: bool) -> None:
    verdicts = [verdict(), verdict("w", at=5, output_valid=True)]
    assert valid(resolved(chat("a", "run", **ASKED), *(reversed(verdicts) if turned else verdicts))) == [True]


def test_a_verdict_about_another_call_or_attempt_changes_nothing() -> None:
    others = verdict(call_id="d"), verdict("w", number=2)
    assert valid(resolved(chat("a", "run", **ASKED), *others)) == [None]


def test_a_verdict_in_another_trace_reaches_the_attempt() -> None:
    elsewhere = verdict(trace_id="t2", parent_span_id=None)
    attempts = resolved(chat("a", "run", **ASKED), elsewhere).attempts
    assert attempts.select(pl.col("output_valid")).item() is False
