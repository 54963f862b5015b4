import numpy as np
import polars as pl
import pytest

from tokenpnl_analytics.whatif.off_policy.study import study


def test_other_arms_share_what_the_logged_one_left_in_proportion_to_their_use():
    # Of the ten runs a had 5, b 3, c 2: a run of a with propensity .6 leaves .4, of which b has 3/5.
    runs = pl.DataFrame(
        {
            "route_arm": ["a"] * 5 + ["b"] * 3 + ["c"] * 2,
            "route_propensity": [0.6] + [1.0] * 8 + [None],
            "reward": [1.0] * 10,
            "cost": [1.0] * 10,
            "cluster": range(10),
        }
    )
    found = study(runs, chance=np.random.default_rng(1)).propensity
    assert found[0] == pytest.approx([0.6, 0.24, 0.16])
    assert found[1] == pytest.approx([1, 0, 0])
    assert found[9] == pytest.approx([0, 0, 0])


def test_a_route_that_nobody_explained_had_no_alternative():
    runs = pl.DataFrame({"route_arm": ["a", "b"], "reward": [1.0, 0.0], "cost": [1.0, 1.0], "cluster": [0, 1]})
    assert study(runs, chance=np.random.default_rng(1)).propensity.tolist() == [[1, 0], [0, 1]]
