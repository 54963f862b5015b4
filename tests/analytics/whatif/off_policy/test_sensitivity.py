import itertools

import numpy as np
import pytest

from tokenpnl_analytics.whatif.off_policy.sensitivity import _inverse, e_value, smallest_odds


def test_the_extreme_is_that_of_trying_every_corner_of_the_box():
    chance = np.random.default_rng(4)
    p, r, wanted = chance.uniform(0.1, 0.9, 8), chance.normal(size=8), chance.random(8)
    corners = [
        (wanted * w * r).sum() / (wanted * w).sum()
        for signs in itertools.product([0.5, 2.0], repeat=8)
        for w in [1 + (1 / p - 1) * np.array(signs)]
    ]
    for odds, extreme in ((2.0, max(corners)), (0.5, min(corners))):
        w = wanted * _inverse(p, r, wanted, odds)
        assert (w * r).sum() / w.sum() == pytest.approx(extreme, rel=1e-12)


def test_the_published_e_value():
    # VanderWeele and Ding 2017: a risk ratio of 3.9 has an E-value of 7.26.
    assert e_value(0.39, 0.1) == pytest.approx(7.26, abs=5e-3)
    assert e_value(0.2, 0.2) == 1.0
    assert e_value(0.2, 0.0) is None


def test_the_smallest_odds_are_found_between_one_and_fifty():
    assert smallest_odds(lambda odds: odds >= 3.5) == pytest.approx(3.5, rel=1e-6)
    assert smallest_odds(lambda odds: True) == 1.0
    assert smallest_odds(lambda odds: False) is None
