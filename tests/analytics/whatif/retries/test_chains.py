"""Attempts become numbered tries of their call, runs tries of their case."""

from datetime import UTC, datetime, timedelta

import polars as pl

from tokenpnl_analytics.whatif.retries.chains import cases_of, linked_tries, tries_of

from .attempts import attempts

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def runs(*told: tuple[str | None, float, str | None]) -> pl.DataFrame:
    rows = [
        {"run_id": f"r{i}", "workflow": "w", "business_id": b, "started_at": NOON + timedelta(hours=h), "outcome": o}
        for i, (b, h, o) in enumerate(told)
    ]
    return pl.DataFrame(rows, schema_overrides={"business_id": pl.String, "outcome": pl.String})


def test_a_try_knows_why_the_one_before_it_failed() -> None:
    found = tries_of(attempts("429 500 ok", "timeout invalid", "odd"))
    assert found["after"].to_list() == ["first", "throttled", "server_error", "first", "timeout", "first"]
    assert found["k"].to_list() == [1, 2, 3, 1, 2, 1]
    assert found["error_class"].to_list()[2:] == [None, "timeout", "invalid_output", "other"]


def test_giving_up_and_running_out_of_time_are_two_ends() -> None:
    found = tries_of(attempts("ok", "429", "429 timeout", "cancelled"))
    assert found["ended"].to_list() == ["succeeded", "gave_up", "continued", "deadline", "deadline"]


def test_a_rerun_within_a_day_belongs_to_the_case() -> None:
    found = cases_of(runs(("T1", 0, "failure"), ("T1", 23, "success"), ("T1", 48, "failure"), ("T2", 1, None)))
    assert found["chain"].to_list() == ["r0", "r0", "r2", "r3"]
    assert found["k"].to_list() == [1, 2, 1, 1]
    assert found["ended"].to_list() == ["continued", "succeeded", "gave_up", "unknown"]
    assert found["after"].to_list() == ["first", "failure", "first", "first"]


def test_exactly_twenty_four_hours_later_is_still_a_rerun() -> None:
    assert cases_of(runs(("T1", 0, "failure"), ("T1", 24, "success")))["k"].to_list() == [1, 2]


def test_runs_without_business_id_are_cases_of_their_own() -> None:
    assert cases_of(runs((None, 0, "failure"), (None, 1, "success")))["k"].to_list() == [1, 1]


def test_the_same_id_of_another_workflow_is_another_case() -> None:
    both = pl.concat(
        [runs(("T1", 0, "failure")), runs(("T1", 1, "success")).with_columns(workflow=pl.lit("v"), run_id=pl.lit("x"))]
    )
    assert cases_of(both)["k"].to_list() == [1, 1]


def rerun(first: str, second: str, hours: float = 1.0, business_id: str | None = "b") -> pl.DataFrame:
    """Return the linked tries of a call in each of two runs of one business id."""
    calls = attempts(first, second).with_columns(pl.lit("draft").alias("step"))
    later = (
        pl.when(pl.col("run_id") == "r001").then(pl.duration(minutes=round(60 * hours))).otherwise(pl.duration(hours=0))
    )
    told = calls.with_columns(pl.col("started_at", "ended_at") + later)
    known = told.group_by("run_id", maintain_order=True).agg(pl.col("started_at").min())
    of_runs = known.with_columns(
        pl.lit("w").alias("workflow"),
        pl.lit(business_id, pl.String).alias("business_id"),
        pl.lit("failure").alias("outcome"),
    )
    return linked_tries(told, of_runs)


def test_a_call_of_a_rerun_goes_on_where_the_failed_one_stopped() -> None:
    found = rerun("429 500", "timeout ok")
    assert found["k"].to_list() == [1, 2, 3, 4]
    assert found["ended"].to_list() == ["continued", "continued", "continued", "succeeded"]
    assert found["after"].to_list() == ["first", "throttled", "server_error", "timeout"]


def test_a_call_that_was_answered_is_not_tried_again_by_a_rerun() -> None:
    assert rerun("429 ok", "ok")["k"].to_list() == [1, 2, 1]


def test_a_day_later_or_without_a_business_id_it_is_another_call() -> None:
    assert rerun("429", "ok", hours=25)["k"].to_list() == [1, 1]
    assert rerun("429", "ok", business_id=None)["k"].to_list() == [1, 1]
