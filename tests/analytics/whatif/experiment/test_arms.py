import numpy as np
import pytest

from tokenpnl_analytics.rules.experiments import Metric
from tokenpnl_analytics.whatif.experiment.arms import Arm, saving, success_change


def arm(cost, won, clusters=None):
    codes = np.arange(len(cost)) if clusters is None else np.asarray(clusters)
    return Arm.of(np.asarray(cost, float), np.asarray(won, float), codes)


def test_an_arm_is_summed_by_cluster_whatever_its_numbers():
    found = arm([1, 2, 4], [1, 0, 1], [7, 3, 7])
    assert (found.cost_usd.tolist(), found.successes.tolist(), found.runs.tolist()) == ([2, 5], [0, 2], [1, 2])
    assert (found.n, found.n_clusters, found.n_successes) == (3, 2, 2)


def test_a_saving_by_hand():
    control, treated = arm([1, 3] * 20, [1] * 40), arm([1, 1] * 20, [1] * 40)
    found = saving(control, treated, Metric.USD_PER_RUN)
    half = 2.022691 * np.sqrt(40 / 39 * 40 / 1600)  # the treated arm does not vary
    assert found.once.value == 1.0
    assert (found.once.low, found.once.high) == pytest.approx((1 - half, 1 + half), rel=1e-5)
    assert found.always.low < found.once.low < found.once.high < found.always.high


def test_cost_per_success_charges_failures_to_the_arm_that_failed():
    control, treated = arm([1] * 40, [1] * 40), arm([1] * 40, [1, 0] * 20)
    assert saving(control, treated, Metric.USD_PER_RUN).once.value == 0
    assert saving(control, treated, Metric.USD_PER_SUCCESS).once.value == -1


def test_a_change_of_success_is_treated_minus_control():
    found = success_change(arm([1] * 40, [1, 1, 1, 0] * 10), arm([1] * 40, [1, 0] * 20))
    assert found.once.value == pytest.approx(-0.25)
