import numpy as np
import pytest

from tokenpnl_analytics.whatif.off_policy.models import folds, softmax, softmax_fit


def test_the_softmax_model_finds_the_log_odds_of_its_making():
    chance = np.random.default_rng(2)
    design = np.column_stack([np.ones(40_000), chance.normal(size=40_000)])
    p = 1 / (1 + np.exp(-(0.5 + 1.5 * design[:, 1])))
    took = (chance.random(40_000) < p).astype(float)
    found = softmax_fit(design, np.column_stack([1 - took, took]))
    assert found[:, 1] - found[:, 0] == pytest.approx([0.5, 1.5], abs=0.06)


def test_probabilities_add_up_even_where_scores_are_huge():
    assert softmax(np.array([[1000.0, 0.0], [0.0, 0.0]])) == pytest.approx(np.array([[1, 0], [0.5, 0.5]]))


def test_runs_of_one_cluster_share_a_fold():
    cluster = np.repeat(np.arange(20), 3)
    found = folds(cluster, np.random.default_rng(1)).reshape(20, 3)
    assert (found == found[:, :1]).all()
    assert set(found.ravel()) == {0, 1, 2, 3, 4}
