import numpy as np
import polars as pl
import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.whatif.off_policy.logged import Knowledge, logged_runs, target_of, with_target

RUNS = pl.DataFrame(
    {
        "route_arm": ["b", "a"],
        "route_propensity": [0.5, 1.5],
        "route_candidates": [["a", "c"], None],
        "reward": [1.0, None],
        "cost": [None, 0.5],
        "cluster": [7, 3],
        "wanted": ["a", "d"],
    }
)


def test_what_is_unknown_stays_unknown():
    found = logged_runs(RUNS)
    assert found.arms == ("a", "b", "c")
    assert found.knowledge is Knowledge.PROPENSITIES
    # 1.5 is no probability.
    assert np.isnan(found.propensity).tolist() == [False, True]
    assert np.isnan(found.reward).tolist() == [False, True]
    assert np.isnan(found.cost).tolist() == [True, False]
    assert found.cluster.tolist() == [1, 0]
    assert found.candidates.tolist() == [[True, True, True], [True, True, True]]


def test_a_policy_of_one_arm_becomes_probabilities():
    found = with_target(RUNS, "wanted")
    assert target_of(found, ("a", "b", "d")).tolist() == [[1, 0, 0], [0, 0, 1]]


def test_a_reward_that_is_no_share_is_refused():
    with pytest.raises(RefusedInputError, match="from 0 to 1"):
        logged_runs(RUNS.with_columns(pl.lit(2.0).alias("reward")))


def test_an_absent_column_is_named():
    with pytest.raises(RefusedInputError, match="'cluster'"):
        logged_runs(RUNS.drop("cluster"))
