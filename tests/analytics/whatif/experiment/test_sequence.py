import math

import numpy as np
import pytest

from tokenpnl_analytics.whatif.experiment.sequence import reach


def test_the_reach_by_hand_at_the_planned_size():
    # -2 log .05 = 5.9915, + log(6.9915) = 1.9447: t r^2 = 7.9362; sqrt(8.9362/7.9362 x (log 8.9362 + 5.9915)).
    assert reach(2000, planned_runs=2000) == pytest.approx(
        math.sqrt(8.9362 / 7.9362 * (math.log(8.9362) + 5.99146)), rel=1e-4
    )
    assert reach(2000, planned_runs=2000) == pytest.approx(3.036, abs=1e-3)


def test_the_width_is_least_for_its_data_near_the_planned_size():
    planned = 1000
    widths = {at: reach(1000, planned_runs=at) for at in (100, planned, 10_000)}
    assert min(widths, key=widths.get) == planned


def test_a_mean_looked_at_after_every_observation_stays_inside_as_often_as_promised():
    # 400 walks of 3,000 steps, looked at 2,900 times each. Plain intervals leave in half of them.
    steps = np.random.default_rng(13).standard_normal((400, 3000))
    n = np.arange(1, 3001)
    off = np.abs(steps.cumsum(axis=1) / np.sqrt(n))[:, 100:]
    sequence = np.array([reach(float(t)) for t in n[100:]])
    assert (off > sequence).any(axis=1).mean() < 0.05
    assert (off > 1.96).any(axis=1).mean() > 0.3
