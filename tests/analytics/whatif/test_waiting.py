"""Nobody waits only where starts, people and readers say so."""

from datetime import timedelta
from typing import Any

from tests.analytics.conftest import START
from tests.analytics.whatif.traffic import many, traffic

from tokenpnl_analytics.whatif.waiting import waiting

HOUR = timedelta(hours=1)


def nightly(n: int, **columns: Any) -> list[dict[str, Any]]:
    """Return calls at noon of following days, each over after a minute."""
    at = [START + k * 24 * HOUR for k in range(n)]
    usual = zip(many(n), at, strict=True)
    return [row | {"started_at": t, "ended_at": t + timedelta(minutes=1)} | columns for row, t in usual]


def verdict(rows: list[dict[str, Any]], runs: list[dict[str, Any]]) -> dict[str, Any]:
    baseline = traffic(*rows, runs=runs)
    found = waiting(baseline, baseline.attempts.filter(step="draft"), slack_h=24)
    return found.row(0, named=True)


def test_offline_evaluation_at_night_may_wait() -> None:
    found = verdict(nightly(12, evaluation="offline"), [{}])
    assert found["delay_tolerant"]
    assert (found["n_calls"], found["busiest_2h_share"], found["read_share"]) == (12, 1.0, 0.0)


def test_a_few_calls_prove_nothing() -> None:
    assert "fewer than 10" in verdict(nightly(9, evaluation="offline"), [{}])["because"]


def test_a_run_that_ends_with_the_call_was_waiting_for_it() -> None:
    rows = nightly(12)
    runs = [{"started_at": row["started_at"], "ended_at": row["ended_at"]} for row in rows]
    found = verdict(rows, runs)
    assert not found["delay_tolerant"]
    assert found["slack_p05_h"] == 0.0


def test_a_result_that_is_read_two_days_later_may_wait() -> None:
    rows = nightly(12)
    runs = [{"started_at": row["started_at"], "ended_at": row["ended_at"] + 48 * HOUR} for row in rows]
    found = verdict(rows, runs)
    assert found["delay_tolerant"]
    assert found["slack_p05_h"] == 48.0


def test_starts_at_any_hour_are_not_regular() -> None:
    rows = [row | {"started_at": START + k * 5 * HOUR} for k, row in enumerate(nightly(12, evaluation="offline"))]
    assert "any hour" in verdict(rows, [{}])["because"]


def test_a_conversation_that_goes_on_was_waiting() -> None:
    rows = nightly(12, evaluation="offline", session_id="s")
    runs = [{"session_id": "s", "started_at": START + 15 * 24 * HOUR}]
    assert verdict(rows, runs)["followed_share"] == 1.0


def test_a_run_that_nobody_knows_leaves_it_open() -> None:
    rows = nightly(12, run_id="elsewhere")
    rows = [row | {"run_id": f"x{k}"} for k, row in enumerate(rows)]
    assert "not known" in verdict(rows, [{}])["because"]
