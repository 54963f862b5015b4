import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenpnl_analytics.unit_cost.intervals import mean_interval, ratio_interval
from tokenpnl_analytics.whatif.resampling.replicates import Figure, paired_replicates


def replicates(costs, successes, clusters=None, **options):
    costs, successes = np.atleast_2d(np.asarray(costs, float)), np.atleast_2d(np.asarray(successes, float))
    codes = np.arange(costs.shape[1]) if clusters is None else np.asarray(clusters)
    return paired_replicates(costs, successes, codes, chance=np.random.default_rng(4), **options)


def traffic(n=400, seed=2):
    chance = np.random.default_rng(seed)
    cost, won = chance.exponential(1, n), (chance.random(n) < 0.7).astype(float)
    return np.vstack([cost, 0.6 * cost]), np.vstack([won, won])


def test_the_figures_of_two_arms_by_hand():
    found = replicates([[4, 2, 2, 2], [1, 2, 1, 1]], [[1, 1, 1, 1], [1, 0, 1, 1]])
    values = {figure: found.value(figure, 1) for figure in Figure}
    assert values == {
        Figure.COST_USD: 5,
        Figure.SUCCESS_SHARE: 0.75,
        Figure.USD_PER_SUCCESS: pytest.approx(5 / 3),
        Figure.SAVING_USD: 5,
        Figure.SAVING_SHARE: 0.5,
        Figure.SUCCESS_CHANGE: -0.25,
        Figure.USD_PER_SUCCESS_RATIO: pytest.approx((5 / 3) / (10 / 4)),
    }


@given(st.lists(st.floats(0, 100), min_size=2, max_size=60))
@settings(max_examples=25)
def test_a_scenario_equal_to_the_baseline_saves_nothing_for_certain(cost):
    found = replicates([cost, cost], np.ones((2, len(cost)))).interval(Figure.SAVING_USD, 1)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_what_arms_have_in_common_cancels():
    found = replicates(*traffic())
    # The same share off every run: the saved share is certain, however much the runs differ.
    assert found.interval(Figure.SAVING_SHARE, 1).low == pytest.approx(0.4)
    own = found.draws(Figure.COST_USD, 0).std()
    assert found.draws(Figure.SAVING_USD, 1).std() == pytest.approx(0.4 * own)


def test_the_interval_of_a_mean_difference_agrees_with_the_formula_when_there_is_much_data():
    chance = np.random.default_rng(8)
    costs, won = chance.exponential(1, (2, 3000)), np.ones((2, 3000))
    found = replicates(costs, won, draws=4000).interval(Figure.SAVING_USD, 1)
    formula = mean_interval(costs[0] - costs[1], np.ones(3000) / 3000, np.arange(3000), chance=chance)
    assert (found.low, found.high) == pytest.approx((formula.low, formula.high), abs=6)  # of a half width of 100


def test_the_spread_of_resampled_cost_per_success_is_that_of_the_analytic_interval():
    costs, won = traffic(2000)
    analytic = ratio_interval(costs[0], won[0], np.arange(2000), chance=np.random.default_rng(1))
    resampled = replicates(costs, won, draws=4000).draws(Figure.USD_PER_SUCCESS, 0).std()
    assert resampled == pytest.approx((analytic.high - analytic.low) / 2 / 1.96, rel=0.06)


def test_resamples_are_of_clusters_not_of_runs():
    costs, won = traffic(50)
    single = replicates(costs, won, draws=4000).draws(Figure.COST_USD, 0).std()
    tenfold = replicates(np.repeat(costs, 10, axis=1), np.repeat(won, 10, axis=1), np.repeat(range(50), 10), draws=4000)
    assert tenfold.draws(Figure.COST_USD, 0).std() == pytest.approx(10 * single)


def test_equal_generators_give_equal_resamples_to_different_scenarios():
    costs, won = traffic()
    one, other = replicates(costs, won), replicates(np.vstack([costs[0], costs[0] / 2]), won)
    assert np.array_equal(one.draws(Figure.COST_USD, 0), other.draws(Figure.COST_USD, 0))


def test_fewer_than_thirty_clusters_use_the_wild_bootstrap_and_say_so():
    chance = np.random.default_rng(3)
    costs = chance.exponential(1, (2, 12))
    found = replicates(costs, np.ones((2, 12)))
    estimate = found.interval(Figure.SAVING_USD, 1)
    same = mean_interval(
        12 * (costs[0] - costs[1]), np.ones(12), np.arange(12), chance=np.random.default_rng(found.seed)
    )
    assert (estimate.low, estimate.high) == pytest.approx((same.low, same.high))
    assert estimate.method == "wild cluster bootstrap-t on paired differences; 12 clusters"


def test_one_cluster_is_refused_an_interval():
    found = replicates([[1, 2], [1, 1]], np.ones((2, 2)), [0, 0]).interval(Figure.SAVING_USD, 1)
    assert (found.value, found.low, found.high) == (1, None, None)
    assert "one cluster" in found.refused_because


def test_below_ten_successes_a_cost_per_success_is_not_compared():
    won = [[1] * 40, [1] * 9 + [0] * 31]
    found = replicates(np.ones((2, 40)), won).interval(Figure.USD_PER_SUCCESS_RATIO, 1)
    assert (found.low, found.high) == (None, None)
    assert "fewer than 10" in found.refused_because


def test_without_any_success_there_is_no_cost_per_success():
    found = replicates(np.ones((2, 40)), np.zeros((2, 40))).interval(Figure.USD_PER_SUCCESS, 1)
    assert (found.value, found.refused_because) == (None, "no success to divide by")


def test_successes_of_one_cluster_alone_are_refused():
    clusters, won = np.repeat(range(40), 20), np.repeat([1.0] + [0.0] * 39, 20)
    found = replicates(np.ones((2, 800)), [won, won], clusters).interval(Figure.USD_PER_SUCCESS_RATIO, 1)
    assert "too few clusters" in found.refused_because


def test_a_sampled_run_counts_as_the_runs_that_it_stands_for():
    weighted = replicates([[1, 3], [1, 1]], np.ones((2, 2)), weights=np.array([1.0, 4.0]))
    assert weighted.value(Figure.SAVING_USD, 1) == 8
    assert weighted.value(Figure.SAVING_SHARE, 1) == pytest.approx(8 / 13)


def test_the_interval_of_a_saving_covers_the_truth_about_as_often_as_it_says():
    chance = np.random.default_rng(17)
    covered = 0
    for _ in range(150):
        customers = np.repeat(np.arange(60), 4)
        cost = chance.lognormal(0, 1, 240) * np.repeat(chance.gamma(4, 0.25, 60), 4)
        factor = chance.uniform(0.2, 1.0, 240)  # saves 40% on average
        found = replicates([cost, cost * factor], np.ones((2, 240)), customers, draws=400)
        estimate = found.interval(Figure.SAVING_SHARE, 1)
        covered += estimate.low <= 0.4 <= estimate.high
    assert covered >= 134  # 95% of 150 is 142; 134 is three standard errors below
