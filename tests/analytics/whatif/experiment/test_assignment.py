from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from tokenpnl_analytics.rules.experiments import Experiment
from tokenpnl_analytics.whatif.experiment.assignment import assigned, sides
from tokenpnl_analytics.whatif.resampling.halves import places

START = datetime(2026, 11, 1, tzinfo=UTC)


def experiment(**assignment):
    return Experiment(
        name="cheap",
        workflow="support_reply",
        started=START,
        margin="0.02",
        arms={"control": "old", "treated": "new"},
        assignment=assignment,
    )


def runs(customers, releases=None, *, settled=True):
    n = len(customers)
    return pl.DataFrame(
        {
            "tenant": ["default"] * n,
            "run_id": [f"r{i}" for i in range(n)],
            "customer_id": customers,
            "session_id": [None] * n,
            "release": releases or [None] * n,
            "settled": [settled] * n,
            "succeeded": [True] * n,
            "unit_cost_usd": ["1"] * n,
            "n_unpriced": [0] * n,
            "started_at": [START + timedelta(days=i % 2) for i in range(n)],
        },
        schema_overrides={"session_id": pl.String, "release": pl.String},
    ).with_columns(pl.col("unit_cost_usd").cast(pl.Decimal(38, 12)))


def attempts(*rows):
    return pl.DataFrame(
        [("default", *row) for row in rows], schema=["tenant", "run_id", "route_policy", "route_arm"], orient="row"
    )


def test_a_hash_puts_all_runs_of_a_customer_into_one_arm_as_the_file_says():
    found = assigned(runs(["a", "b", "a", None]), attempts(), experiment(by="hash", salt="s", treated_share="0.3"))
    expected = ["treated" if place < 0.3 else "control" for place in places(["a", "b", "a"], "s")]
    assert found["arm"].to_list() == [*expected, None]


def test_a_route_names_the_arm_and_another_policy_does_not():
    made = attempts(("r0", "p", "new"), ("r0", "p", "new"), ("r1", "p", "old"), ("r2", "q", "new"))
    found = assigned(runs(["a", "b", "c"]), made, experiment(by="route", policy="p"))
    assert found["arm"].to_list() == ["treated", "control", None]


def test_a_run_that_took_both_routes_mixes_its_customer():
    made = attempts(("r0", "p", "new"), ("r0", "p", "old"), ("r1", "p", "old"))
    found = sides(assigned(runs(["a", "b"]), made, experiment(by="route")))
    assert (found.n_mixed, found.control.n, found.treated.n) == (1, 1, 0)


def test_a_customer_seen_on_both_releases_is_left_out_of_both():
    found = sides(
        assigned(runs(["a", "a", "b", "c"], ["old", "new", "old", "new"]), attempts(), experiment(by="release"))
    )
    assert (found.n_mixed, found.control.n, found.treated.n) == (1, 1, 1)


def test_runs_of_no_arm_and_young_runs_are_counted_apart():
    made = assigned(runs(["a", "b", None], ["old", "other", "new"]), attempts(), experiment(by="release"))
    assert sides(made).n_unassigned == 2
    young = assigned(runs(["a"], ["old"], settled=False), attempts(), experiment(by="release"))
    assert (sides(young).n_unsettled, sides(young).concurrent_share) == (1, 0.0)


def test_arms_that_took_turns_are_not_side_by_side():
    made = assigned(runs(["a", "b"], ["old", "new"]), attempts(), experiment(by="release"))
    assert sides(made).concurrent_share == 0.0


@pytest.mark.parametrize("share", ["0.01", "0.99"])
def test_a_holdout_below_five_percent_is_refused(share):
    with pytest.raises(ValueError, match="each arm needs"):
        experiment(by="hash", salt="s", treated_share=share)
