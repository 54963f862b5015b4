import numpy as np
import pytest

from tokenpnl_analytics.whatif.resampling.kernel import LIMITS, weighted_sums


def test_the_weights_have_mean_one_exactly_and_nearly_the_variance_of_poisson():
    numbers = np.arange(65536)
    weights = (numbers[:, None] >= LIMITS[None, :].astype(int)).sum(axis=1)
    assert weights.sum() == 65536
    assert np.var(weights) == pytest.approx(1, abs=1e-4)


def test_weights_are_small_whole_numbers_as_often_as_poisson_says():
    weights = weighted_sums(np.eye(50), draws=4000, seed=3)
    # exp(-1) = .3679 of the clusters are left out, as many stand once; the error of 200,000 draws is .001.
    assert [np.mean(weights == k) for k in (0, 1, 2)] == pytest.approx([0.3679, 0.3679, 0.1839], abs=0.005)
    assert set(np.unique(weights)) <= set(range(9))


def test_weights_of_two_clusters_and_of_two_draws_are_independent():
    weights = weighted_sums(np.eye(40), draws=4000, seed=9)
    between_clusters = np.corrcoef(weights.T) - np.eye(40)
    between_draws = np.corrcoef(weights[:40, :], rowvar=True) - np.eye(40)
    assert np.abs(between_clusters).max() < 5 / np.sqrt(4000)
    assert np.abs(between_draws).max() < 5 / np.sqrt(40)


def test_every_row_sees_the_same_weights_also_in_another_call():
    values = np.random.default_rng(1).random((2, 9001))
    both = weighted_sums(values, draws=5, seed=11)
    assert both[:, 1] == pytest.approx(weighted_sums(values[1:], draws=5, seed=11)[:, 0])
    weights = weighted_sums(np.vstack([values[0], 3 * values[0]]), draws=5, seed=11)
    assert weights[:, 1] == pytest.approx(3 * weights[:, 0])


def test_another_seed_gives_other_resamples():
    values = np.ones((1, 1000))
    assert not np.array_equal(weighted_sums(values, draws=9, seed=1), weighted_sums(values, draws=9, seed=2))


def test_a_million_clusters_are_weighted_as_evenly_as_a_few():
    values = np.ones((1, 20_000))
    sums = weighted_sums(values, draws=400, seed=5)
    assert sums.mean() == pytest.approx(20_000, abs=4 * np.sqrt(20_000 / 400))
    assert sums.std() == pytest.approx(np.sqrt(20_000), rel=0.15)
