"""A call id that several runs count up anew names another call in each."""

from typing import Any

import pytest
from tests.analytics.spans import chat, frame, run, span

from tokenpnl_analytics.resolving.resolve import Resolution, resolve

FAILED = {"status_code": "error", "error_type": "500", "http_status": 500}


def asked(span_id: str, parent: str | None = "run", *, number: int = 1, **columns: Any) -> dict[str, Any]:
    return chat(span_id, parent, call_id="c1", attempt_number=number, **columns)


def sizes(resolution: Resolution) -> list[int]:
    return sorted(resolution.calls["n_attempts"].to_list())


def test_the_same_id_in_two_runs_is_two_calls() -> None:
    first = run(), asked("a", **FAILED), asked("b", at=2, number=2)
    second = run(trace_id="t2", at=10), asked("a", trace_id="t2", at=11)
    resolution = resolve(frame(*first, *second))
    assert sizes(resolution) == [1, 2]
    assert resolution.attempts["superseded"].to_list() == [True, False, False]


def test_two_runs_of_one_trace_count_apart_too() -> None:
    runs = run("r1", run_id="one", took=5), run("r2", run_id="two", at=10, took=5)
    assert sizes(resolve(frame(*runs, asked("a", "r1", at=1), asked("b", "r2", at=11)))) == [1, 1]


def test_the_attempts_of_one_call_may_lie_in_several_traces() -> None:
    roots = asked("a", None, **FAILED), asked("b", None, trace_id="t2", at=2, number=2)
    assert sizes(resolve(frame(*roots))) == [2]


def test_two_libraries_that_tell_of_one_attempt_at_one_time_tell_of_one_call() -> None:
    told = {"response_id": "r-1"}
    twice = asked("a", None, **told), asked("b", None, trace_id="t2", at=0.1, took=0.8, scope_name="two", **told)
    assert sizes(resolve(frame(*twice))) == [1]


@pytest.mark.parametrize("trace", ["t1", "t2"])
def test_a_late_verdict_speaks_about_the_call_of_its_own_run(trace: str) -> None:
    rows = [run(), asked("a"), run(trace_id="t2", at=10), asked("a", trace_id="t2", at=11)]
    told = {"call_id": "c1", "attempt_number": 1, "output_valid": False, "trace_id": trace}
    attempts = resolve(frame(*rows, span("v", "run", at=20, **told))).attempts
    assert dict(attempts.select("trace_id", "output_valid").iter_rows())[trace] is False
    assert attempts["output_valid"].null_count() == 1
