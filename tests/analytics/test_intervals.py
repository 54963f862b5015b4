import numpy as np
import pytest

from tokenpnl_analytics.unit_cost.intervals import fieller_limits, heavy_tailed, mean_interval, ratio_interval


def interval(cost, successes, clusters=None, seed=1):
    codes = np.arange(len(cost)) if clusters is None else np.asarray(clusters)
    return ratio_interval(
        np.asarray(cost, float), np.asarray(successes, float), codes, chance=np.random.default_rng(seed)
    )


def test_the_cluster_formula_by_hand():
    # 40 runs, cost 1 or 3 in turn, all succeed: theta 2, e = -1 or 1, V = 40/39 x 40/1600, t(39) = 2.0227.
    found = interval([1, 3] * 20, [1] * 40)
    half = 2.022691 * np.sqrt(40 / 39 * 40 / 1600) / 2
    assert (found.low, found.high) == pytest.approx((2 * np.exp(-half), 2 * np.exp(half)), rel=1e-5)
    assert found.method == "cluster-robust, log scale, t"


def test_a_dear_run_lifts_the_upper_bound_alone():
    # 39 runs of 1 and one of 41, all succeed: theta 2, e = -1 or 39, V = 40/39 x 1560/1600 = 1,
    # skew = (39^3 - 39)/1560^1.5 = .96209, t(39) = 2.0227: up 2.0227 + .96209/6 x (1 + 2 x 4.0913) = 3.4951.
    found = interval([1] * 39 + [41], [1] * 40)
    assert (found.low, found.high) == pytest.approx((2 * np.exp(-2.022691 / 2), 2 * np.exp(3.4951 / 2)), rel=1e-4)


def test_the_upper_bound_rests_on_the_clusters_with_a_success():
    # 40 runs of 1, 12 succeed: theta 10/3, e = 1 (28 times) or -7/3, V = 40/39 x 93.333/144; t(39) down, t(11) up.
    found = interval([1] * 40, [1] * 12 + [0] * 28)
    error = np.sqrt(40 / 39 * 93.33333 / 144) * 0.3
    bounds = (10 / 3 * np.exp(-2.022691 * error), 10 / 3 * np.exp(2.200985 * error))
    assert (found.low, found.high) == pytest.approx(bounds, rel=1e-5)


def test_the_bootstrap_of_few_clusters_never_narrows_students_t():
    # 12 runs of 1 or 3 in turn, all succeed: theta 2, V = 12/11 x 12/144, t(11) = 2.2010.
    found = interval([1, 3] * 6, [1] * 12)
    half = 2.200985 * np.sqrt(12 / 11 * 12 / 144) / 2
    assert found.low <= 2 * np.exp(-half) * (1 + 1e-6)
    assert found.high >= 2 * np.exp(half) * (1 - 1e-6)


def test_runs_of_one_customer_count_as_one_observation():
    cost = np.repeat([1.0, 3.0] * 20, 10)
    found = interval(cost, np.ones(400), np.repeat(np.arange(40), 10))
    assert found.n_clusters == 40
    # Equal runs within a cluster: the variance is ten times that of independent runs (with the small-sample factors).
    assert found.design_effect == pytest.approx(10 * (40 / 39) / (400 / 399))


def test_few_clusters_use_the_bootstrap_and_equal_chance_gives_equal_bounds():
    cost, won = [1, 3, 2, 5] * 5, [1, 1, 0, 1] * 5
    one, same = interval(cost, won), interval(cost, won)
    assert one == same
    assert one.method == "wild cluster bootstrap-t"
    assert one.low < 55 / 15 < one.high


def test_fewer_than_ten_successes_have_no_upper_bound():
    found = interval([1.0, 2.0] * 20, [1] * 9 + [0] * 31)
    assert found.high is None
    assert found.low < 60 / 9
    assert "at least" in found.method


def test_successes_of_one_customer_alone_leave_the_figure_without_upper_bound():
    clusters = np.repeat(np.arange(5), 20)
    found = interval(np.ones(100), np.repeat([1, 0, 0, 0, 0], 20), clusters)
    assert found.high is None
    assert "no upper bound" in found.method


def test_without_a_success_there_is_no_interval():
    assert interval([1, 2], [0, 0]).method == "no success yet"


def test_one_cluster_says_that_it_has_no_interval():
    assert interval([1.0] * 20, [1] * 20, [0] * 20).method == "one cluster: no interval"


def test_equal_clusters_have_an_interval_of_no_width():
    found = interval([2.0] * 20, [1] * 20)
    assert found.low == found.high == pytest.approx(2.0)


def test_weighted_successes_are_counted_as_the_caller_says():
    ones = np.arange(40)
    chance = np.random.default_rng(1)
    found = ratio_interval(np.ones(40) + ones % 2, np.ones(40), ones, chance=chance, n_successes=9.5)
    assert found.high is None
    assert "at least" in found.method


def test_the_interval_of_a_mean_by_hand():
    # 40 values, 1 or -3 in turn: mean -1, e = +-2, V = 40/39 x 160/1600, t(39) = 2.0227.
    found = mean_interval(np.array([1.0, -3.0] * 20), np.ones(40), np.arange(40), chance=np.random.default_rng(1))
    half = 2.022691 * np.sqrt(40 / 39 * 160 / 1600)
    assert (found.low, found.high) == pytest.approx((-1 - half, -1 + half), rel=1e-5)
    assert found.method == "cluster-robust, plain scale, t"


def test_the_mean_of_one_cluster_has_no_interval():
    found = mean_interval(np.ones(3), np.ones(3), np.zeros(3, np.int64), chance=np.random.default_rng(1))
    assert (found.low, found.high, found.method) == (None, None, "one cluster: no interval")


def test_fieller_agrees_with_the_log_interval_when_there_is_much_data():
    chance = np.random.default_rng(5)
    cost, won = chance.exponential(1, 4000), (chance.random(4000) < 0.7).astype(float)
    found = interval(cost, won)
    assert fieller_limits(cost, won) == pytest.approx((found.low, found.high), rel=2e-3)


def test_fieller_is_unbounded_where_the_successes_could_be_none():
    assert fieller_limits(np.ones(5), np.array([1.0, 0, 0, 0, 0])) is None


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    chance = np.random.default_rng(11)
    covered = 0
    for _ in range(200):
        customer = np.repeat(np.arange(60), 5)
        cost = chance.exponential(1, 300) * np.repeat(chance.gamma(4, 0.25, 60), 5)
        won = (chance.random(300) < 0.8).astype(float)
        found = interval(cost, won, customer)
        covered += found.low <= 1 / 0.8 <= found.high
    assert covered >= 180  # 95% of 200 is 190; 180 is three standard errors below


def test_a_few_dear_runs_make_a_heavy_tail_and_even_ones_do_not():
    even = np.full(200, 1.0)
    assert not heavy_tailed(even)
    assert heavy_tailed(np.append(even, [60.0, 60.0]))  # 120 of 320 in the dearest one per cent


def test_a_wide_spread_is_a_heavy_tail_before_one_run_carries_a_quarter():
    chance = np.random.default_rng(5)
    wide, moderate = (np.exp(chance.normal(0, sigma, 300)) for sigma in (2.0, 0.8))
    assert heavy_tailed(wide)
    assert not heavy_tailed(moderate)
