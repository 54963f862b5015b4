import numpy as np
import pytest

from tokenpnl_analytics.whatif.resampling.replicates import Figure, paired_replicates
from tokenpnl_analytics.whatif.resampling.simultaneous import simultaneous_intervals


def replicates(costs, seed=4):
    costs = np.asarray(costs, float)
    return paired_replicates(
        costs, np.ones_like(costs), np.arange(costs.shape[1]), chance=np.random.default_rng(seed), draws=600
    )


def noisy(chance, arms, n):
    cost = chance.exponential(1, n) + 1
    return np.vstack([cost, *(cost + chance.normal(0, 0.5, n) for _ in range(arms))])


def width(estimate):
    return estimate.high - estimate.low


def test_holding_together_takes_wider_intervals_than_holding_alone():
    found = replicates(noisy(np.random.default_rng(1), 8, 300))
    together = simultaneous_intervals(found, Figure.SAVING_USD, range(1, 9))
    assert all(width(one) > width(found.interval(Figure.SAVING_USD, arm)) for arm, one in enumerate(together, 1))
    # Eight independent arms ask for 2.73 standard errors (Sidak), one for 1.96.
    alone = simultaneous_intervals(found, Figure.SAVING_USD, [1])[0]
    assert width(together[0]) / width(alone) == pytest.approx(2.73 / 1.97, rel=0.08)


def test_the_same_scenario_under_two_names_costs_no_width():
    chance = np.random.default_rng(2)
    costs = noisy(chance, 1, 300)
    found = replicates(np.vstack([costs, costs[1]]))
    one, other = simultaneous_intervals(found, Figure.SAVING_USD, [1, 2])
    assert one == other
    assert width(one) == pytest.approx(width(simultaneous_intervals(found, Figure.SAVING_USD, [1])[0]))


def test_a_scenario_equal_to_the_baseline_has_no_width_and_widens_nobody():
    costs = noisy(np.random.default_rng(3), 1, 300)
    found = replicates(np.vstack([costs, costs[0]]))
    varied, same = simultaneous_intervals(found, Figure.SAVING_USD, [1, 2])
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert width(varied) == pytest.approx(width(simultaneous_intervals(found, Figure.SAVING_USD, [1])[0]))


def test_all_intervals_hold_at_once_about_as_often_as_they_say():
    chance, held = np.random.default_rng(5), 0
    for seed in range(120):
        found = replicates(noisy(chance, 5, 80), seed)
        together = simultaneous_intervals(found, Figure.SAVING_USD, range(1, 6))
        held += all(one.low <= 0 <= one.high for one in together)
    assert held >= 107  # 95% of 120 is 114; 107 is three standard errors below


def test_few_clusters_share_the_weights_of_the_wild_bootstrap():
    chance, held = np.random.default_rng(7), 0
    for seed in range(80):
        found = replicates(noisy(chance, 4, 12), seed)
        held += all(one.low <= 0 <= one.high for one in simultaneous_intervals(found, Figure.SAVING_USD, range(1, 5)))
    assert held >= 70  # 95% of 80 is 76; 70 is three standard errors below


def test_a_refused_arm_says_why_and_has_no_interval():
    found = simultaneous_intervals(replicates(np.ones((2, 1))), Figure.SAVING_USD, [1])[0]
    assert (found.low, found.high) == (None, None)
    assert "one cluster" in found.refused_because
