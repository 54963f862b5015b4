import hashlib

import numpy as np
import pytest

from tokenpnl_analytics.whatif.resampling.halves import held_out_half, places, score_winner


def test_a_place_is_the_first_32_bits_of_the_sha256_of_salt_and_key():
    expected = int(hashlib.sha256(b"spring:acme").hexdigest()[:8], 16) / 2**32
    assert places(["acme"], "spring").tolist() == [expected]


def test_places_are_spread_evenly_and_another_salt_deals_anew():
    keys = [f"customer-{n}" for n in range(4000)]
    one, other = places(keys, "a"), places(keys, "b")
    assert np.mean(one < 0.3) == pytest.approx(0.3, abs=0.03)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.06


def test_all_runs_of_a_cluster_fall_into_the_same_half():
    clusters = np.tile(np.arange(50), 3)
    halves = held_out_half(clusters).reshape(3, 50)
    assert (halves == halves[0]).all()
    assert 10 < halves[0].sum() < 40


def test_the_winner_by_luck_is_not_praised_by_the_other_half():
    chance = np.random.default_rng(6)
    cost = chance.lognormal(0, 1, 400)
    arms = np.vstack([cost, *(cost + chance.normal(0, 0.5, 400) for _ in range(8))])  # none saves anything in truth
    found = score_winner(arms, np.ones_like(arms), np.arange(400), chance=chance)
    assert found.chosen_on.value > 0
    assert found.held_out.low < 0 < found.held_out.high


def test_one_cluster_has_no_second_half():
    costs = np.ones((2, 5))
    assert score_winner(costs, costs, np.zeros(5, int), chance=np.random.default_rng(1)) is None
