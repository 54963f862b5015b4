from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from tokenpnl_analytics.unit_cost.delays import known_share, outcome_windows


def test_the_window_is_the_observed_95th_percentile_of_delay(rows):
    runs = rows.runs(*({"outcome": "success", "outcome_at": rows.start + timedelta(hours=h)} for h in range(1, 101)))
    told = outcome_windows(runs, as_of=rows.start + timedelta(days=30)).rows()
    assert told == [("support_reply", 95.0, False)]  # 95 of 100 by then


def test_a_stated_window_wins(rows):
    runs = rows.runs({"outcome": "success", "outcome_at": rows.start})
    assert outcome_windows(runs, {"support_reply": timedelta(days=2)}, as_of=rows.start).rows() == [
        ("support_reply", 48.0, False)
    ]


def test_a_workflow_without_outcomes_has_no_window(rows):
    assert outcome_windows(rows.runs({}), as_of=rows.start).is_empty()


def aged(rows, *told):
    """Runs of an age with an outcome after a delay, in hours, as seen at the start of the other tests."""
    return rows.runs(
        *(
            {
                "started_at": rows.start - timedelta(hours=age),
                "outcome": "success",
                "outcome_at": rows.start - timedelta(hours=age - delay),
            }
            for age, delay in told
        )
    )


def test_delays_that_a_young_history_hides_lengthen_the_window(rows):
    # 94 of 100 delays seen are 1 hour, 6 are 9. Only 10 runs are old enough to show 9 hours, so g(9) = 6/10 and the
    # share known by 1 hour is 4/10, not 94/100.
    told = [(2, 1)] * 90 + [(20, 1)] * 4 + [(20, 9)] * 6
    assert outcome_windows(aged(rows, *told), as_of=rows.start).rows() == [("support_reply", 9.0, False)]
    assert outcome_windows(aged(rows, *([(20, 1)] * 95), *([(20, 9)] * 5)), as_of=rows.start)["window_hours"][0] == 1


def test_a_window_beyond_two_thirds_of_the_history_is_called_young(rows):
    windows = outcome_windows(aged(rows, (12, 8), (12, 8)), as_of=rows.start)
    assert windows.rows() == [("support_reply", 8.0, False)]
    assert outcome_windows(aged(rows, (11, 8), (11, 8)), as_of=rows.start)["window_young"].to_list() == [True]


def test_an_outcome_before_its_run_has_no_delay(rows):
    assert outcome_windows(aged(rows, (3, -1)), as_of=rows.start)["window_hours"].to_list() == [0.0]


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
    told = outcome_windows(runs, given, as_of=rows.start)
    assert told.rows() == [("sales_call", 48.0, False), ("support_reply", 24.0, False)]
