"""Two unit costs side by side: the ratio, its interval, and when they may not be compared."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import exp, log, sqrt

import numpy as np
import polars as pl
import pytest

from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.outcomes import OUTCOMES
from tokenpnl_analytics.unit_cost.comparisons import compared, compared_cohorts, redefinitions
from tokenpnl_analytics.unit_cost.intervals import ratio_interval
from tokenpnl_analytics.unit_cost.units import cohort

SCHEMA = {
    "workflow": pl.String(), "settled_usd": MONEY, "at_least_usd": MONEY, "low": pl.Float64(), "high": pl.Float64(),
    "settled_successes": pl.Int64(), "priced_share": pl.Float64(), "estimated": pl.Boolean(),
}  # fmt: skip


def unit(usd, low=None, high=None, *, successes=100, priced=1.0, workflow="desk"):
    """A row of `unit_costs`; by default the interval is a tenth below and above on the log scale."""
    figure = None if usd is None else Decimal(usd)
    low = low or (None if usd is None else float(usd) * exp(-0.1))
    high = high or (None if usd is None else float(usd) * exp(0.1))
    row = (workflow, figure, None, low, high, successes, priced, False)
    return pl.DataFrame([row], schema=SCHEMA, orient="row")


def test_the_ratio_and_its_interval_by_hand():
    row = compared(unit("2.2"), unit("2"), ["workflow"]).row(0, named=True)
    half = sqrt(0.1**2 + 0.1**2)
    assert (row["ratio"], row["low"], row["high"]) == pytest.approx((1.1, 1.1 * exp(-half), 1.1 * exp(half)))
    assert (row["differs"], row["successes"], row["refused_because"]) == (False, 100, None)


def test_intervals_of_their_own_shape_keep_it():
    now, before = unit("2", 1.5, 3), unit("1", 0.9, 1.3)
    row = compared(now, before).row(0, named=True)
    below, above = sqrt(log(2 / 1.5) ** 2 + log(1.3) ** 2), sqrt(log(3 / 2) ** 2 + log(1 / 0.9) ** 2)
    assert (row["low"], row["high"]) == pytest.approx((2 * exp(-below), 2 * exp(above)))
    assert row["differs"] is True


def test_an_interval_without_upper_bound_leaves_that_side_of_the_comparison_open():
    open_above = unit("2").with_columns(high=pl.lit(None, pl.Float64))
    assert compared(open_above, unit("1")).select("low", "high").row(0)[1] is None
    assert compared(unit("1"), open_above).select("low", "high").row(0)[0] is None


@pytest.mark.parametrize(
    ("now", "before", "why"),
    [
        (unit("1", successes=9), unit("1"), "fewer than 10 successes on one side: at least, no comparison"),
        (unit("1"), unit("1", successes=9), "fewer than 10 successes on one side: at least, no comparison"),
        (unit(None), unit("1"), "no settled figure on one side"),
        (unit("1"), unit("1", priced=0.97), "unpriced usage on one side: its figure is a floor"),
        (unit("1"), unit("1", workflow="other"), "nothing to compare with: no such runs before"),
        (unit("1"), unit("0"), "no cost on one side"),
    ],
    ids=["few now", "few before", "none", "unpriced", "absent", "free"],
)
def test_what_may_not_be_compared_is_refused_with_its_reason(now, before, why):
    row = compared(now, before, ["workflow"]).row(0, named=True)
    assert (row["refused_because"], row["ratio"], row["low"], row["differs"], row["method"]) == (why, *[None] * 4)


def test_where_success_meant_another_thing_there_is_no_comparison():
    now = pl.concat([unit("1"), unit("1", workflow="other")])
    found = compared(now, now, ["workflow"], redefined=["desk"])
    assert found.select("workflow", "refused_because").rows() == [
        ("desk", "success meant another thing before"),
        ("other", None),
    ]
    assert (
        compared(unit("1"), unit("1"), redefined=["desk"])["refused_because"][0] == "success meant another thing before"
    )


def test_a_slice_with_a_redefined_workflow_is_not_compared(rows):
    rules = OUTCOMES.parse(
        """
        workflows:
          - {workflow: support_reply, version: "1", owner: a, success: closed, window: 1h}
          - {workflow: support_reply, version: "2", from: 2020-01-01, owner: a, success: kept, window: 1h}
        """
    )
    told = [
        {"cost_usd": Decimal(1), "outcome": "success", "started_at": rows.start - timedelta(hours=2 + n)}
        for n in range(12)
    ]
    runs = cohort(rows.runs(*told), as_of=rows.start, windows={"support_reply": timedelta(hours=1)})
    old, new = datetime(2019, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
    same = compared_cohorts(runs, runs, rules=rules, within=(new, rows.start))
    assert same.select("settled_usd", "before_usd", "ratio", "refused_because").rows() == [(1, 1, 1.0, None)]
    other = compared_cohorts(runs, runs, "environment", rules=rules, within=(old, rows.start))
    assert other["refused_because"].to_list() == ["success meant another thing before"]


def test_a_definition_that_changed_between_the_two_periods_is_found():
    rules = OUTCOMES.parse(
        """
        workflows:
          - {workflow: desk, version: "1", owner: a, success: closed, window: 1d}
          - {workflow: desk, version: "2", from: 2026-10-05, owner: a, success: not reopened, window: 1d}
        """
    )
    september, october, fifth, november = (
        datetime(2026, *day, tzinfo=UTC) for day in ((9, 1), (10, 1), (10, 5), (11, 1))
    )
    assert redefinitions(["desk", "other", None], rules, september, november) == ["desk"]
    assert redefinitions(["desk"], rules, september, october) == []
    assert redefinitions(["desk"], rules, fifth, november) == []


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    # Two cohorts of 60 customers each, the same cost per success of 1/0.8: 95% of the intervals should hold 1.
    chance, held, rounds = np.random.default_rng(7), 0, 400
    for _ in range(rounds):
        sides = []
        for _side in range(2):
            clusters = np.repeat(np.arange(60), 5)
            cost = chance.gamma(2.0, 0.5, 300) * np.repeat(chance.gamma(4.0, 0.25, 60), 5)
            won = (chance.random(300) < 0.8).astype(float)
            bounds = ratio_interval(cost, won, clusters, chance=chance)
            theta = f"{cost.sum() / won.sum():.12f}"
            sides.append(unit(theta, bounds.low, bounds.high, successes=int(won.sum())))
        row = compared(*sides).row(0, named=True)
        held += row["low"] <= 1 <= row["high"]
    assert 0.92 <= held / rounds <= 0.98
