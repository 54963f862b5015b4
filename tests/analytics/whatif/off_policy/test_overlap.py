import numpy as np
import polars as pl
import pytest

from tokenpnl_analytics.whatif.off_policy.overlap import cluster_error, floor_of, overlap
from tokenpnl_analytics.whatif.off_policy.study import study


def test_the_diagnostics_by_hand():
    # Target: always a. w = 2, 4, 0, 0: ESS 36/20, max share 4/6; successes weigh 4: ESS of successes 1.
    runs = pl.DataFrame(
        {
            "route_arm": ["a", "a", "b", "b"],
            "route_propensity": [0.5, 0.25, 0.5, 1.0],
            "reward": [0.0, 1.0, 1.0, None],
            "cost": [1.0] * 4,
            "cluster": [0, 1, 2, 3],
        }
    )
    seen = overlap(
        study(runs, chance=np.random.default_rng(1)), np.array([[1.0, 0.0]] * 4), chance=np.random.default_rng(1)
    )
    assert (seen.ess, seen.ess_successes, seen.max_weight, seen.max_weight_share) == pytest.approx((1.8, 1, 4, 4 / 6))
    assert seen.mean_weight == 1.5
    # The last run's router was certain of b: a had no chance there.
    assert seen.uncovered == 0.25
    assert seen.strata[0].propensity == 0.5


def test_the_error_of_a_mean_over_clusters_by_hand():
    # Deviations -1, -1, 1, 1: sums -2 and 2 over two clusters: sqrt(2/1 x 8) / 4 = 1.
    assert cluster_error(np.array([0.0, 0.0, 2.0, 2.0]), np.array([0, 0, 1, 1])) == 1.0
    assert cluster_error(np.ones(3), np.zeros(3, np.int64)) is None


def test_a_floor_is_seen_and_an_exploration_rate_is_not():
    varied = np.random.default_rng(2).uniform(0.02, 0.9, 500)
    assert floor_of(np.append(varied, 1e-6)) == 1e-6
    assert floor_of(np.append(varied, [0.012] * 40)) == 0.012
    assert floor_of(varied) is None
    assert floor_of(np.array([0.005] * 50 + [0.995] * 500)) is None
    assert floor_of(np.full(500, 0.0125)) is None
