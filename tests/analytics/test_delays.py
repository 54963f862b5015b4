from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from tokenpnl_analytics.unit_cost.delays import known_share, outcome_windows


def test_the_window_is_the_observed_95th_percentile_of_delay(rows):
    runs = rows.runs(*({"outcome": "success", "outcome_at": rows.start + timedelta(hours=h)} for h in range(1, 101)))
    assert outcome_windows(runs).rows() == [("support_reply", 96.0)]  # nearest above: rank 0.95 x 99 = 94.05


def test_a_stated_window_wins(rows):
    runs = rows.runs({"outcome": "success", "outcome_at": rows.start})
    assert outcome_windows(runs, {"support_reply": timedelta(days=2)}).rows() == [("support_reply", 48.0)]


def test_a_workflow_without_outcomes_has_no_window(rows):
    assert outcome_windows(rows.runs({})).is_empty()


def test_the_known_share_by_hand(rows):
    # Ages 1, 2, 2 hours with delays 0, 0, 2: g(2) = 1/2 (one of the two that could show 2), so F(1) = 1/2, F(2) = 1.
    as_of = rows.start
    told = [(1, 0), (2, 0), (2, 2)]
    runs = rows.runs(
        *(
            {
                "started_at": as_of - timedelta(hours=age),
                "outcome": "success",
                "outcome_at": as_of - timedelta(hours=age - delay),
            }
            for age, delay in told
        )
    )
    shares = known_share(runs, as_of=as_of).sort("run_id")
    assert shares["known_share"].to_list() == [0.5, 1.0, 1.0]


def test_without_a_success_the_share_is_unknown(rows):
    assert known_share(rows.runs({}), as_of=rows.start)["known_share"].to_list() == [None]


def test_late_successes_are_foreseen_from_their_delays(rows):
    # A true 1.43 USD a success (70 of 100 runs), delays of 7 days on average, seen in a window of 30 days.
    chance = np.random.default_rng(3)
    n = 6000
    age, delay = chance.uniform(0, 30, n), chance.exponential(7, n)
    known = (chance.random(n) < 0.7) & (delay <= age)
    hours = pl.duration(seconds=(pl.col("age") * 86400).cast(pl.Int64))
    frame = pl.DataFrame({"age": age, "delay": delay, "known": known})
    base = rows.runs({}).drop("run_id", "started_at", "outcome", "outcome_at")
    runs = frame.select(
        pl.int_range(pl.len()).cast(pl.String).alias("run_id"),
        (pl.lit(rows.start) - hours).alias("started_at"),
        pl.when("known").then(pl.lit("success")).alias("outcome"),
        pl.when("known")
        .then(pl.lit(rows.start) - hours + pl.duration(seconds=(pl.col("delay") * 86400).cast(pl.Int64)))
        .alias("outcome_at"),
    ).join(base, how="cross")
    share = known_share(runs, as_of=rows.start)["known_share"].mean()
    to_date = n / known.sum()
    assert to_date == pytest.approx(1.86, rel=0.03)
    assert to_date * share == pytest.approx(1.43, rel=0.05)


def test_a_stated_window_may_name_workflows_by_pattern_and_the_first_that_fits_counts(rows):
    runs = rows.runs({}, {"workflow": "sales_call"}, {"workflow": "other"})
    given = {"support_reply": timedelta(days=1), "s*": timedelta(days=2), "*_call": timedelta(days=3)}
    assert outcome_windows(runs, given).rows() == [("sales_call", 48.0), ("support_reply", 24.0)]
