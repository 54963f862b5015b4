import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.whatif.off_policy.estimators import Trial, dm, dr, dros, ips, sndr, snips, switch_dr

# Three runs, two arms: w = 0.5/0.25, 0.2/0.8, 1.0/0.5 = 2, 0.25, 2; mean 4.25/3.
HAND = Trial(
    reward=np.array([1.0, 0.0, 1.0]),
    arm=np.array([0, 1, 1]),
    propensity=np.array([0.25, 0.8, 0.5]),
    target=np.array([[0.5, 0.5], [0.8, 0.2], [0.0, 1.0]]),
    expected=np.array([[0.6, 0.4], [0.5, 0.5], [0.2, 0.7]]),
)
# q(x, pi) = 0.5, 0.5, 0.7; surprises = 0.4, -0.5, 0.3; w surprise = 0.8, -0.125, 0.6.
BY_HAND = {
    "ips": (ips, 4 / 3),
    "snips": (snips, 4 / 4.25),
    "dm": (dm, 1.7 / 3),
    "dr": (dr, 1.7 / 3 + 1.275 / 3),
    "sndr": (sndr, 1.7 / 3 + 1.275 / 4.25),
    "switch_dr": (lambda trial: switch_dr(trial, 1.0), 1.7 / 3 - 0.125 / 3),
    # lambda 1: 2/(4+1) = 0.4 and 0.25/(0.0625+1).
    "dros": (lambda trial: dros(trial, 1.0), 1.7 / 3 + (0.4 * 0.4 - 0.5 * 0.25 / 1.0625 + 0.4 * 0.3) / 3),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_estimators_agree_with_the_published_formulas_by_hand(name):
    estimator, expected = BY_HAND[name]
    assert estimator(HAND).mean() == pytest.approx(expected, rel=1e-12)


def trials(seed: int, n: int = 30, arms: int = 3) -> Trial:
    chance = np.random.default_rng(seed)
    behaviour = chance.dirichlet(np.ones(arms), n) * 0.9 + 0.1 / arms
    arm = np.array([chance.choice(arms, p=row / row.sum()) for row in behaviour])
    return Trial(
        reward=chance.random(n),
        arm=arm,
        propensity=behaviour[np.arange(n), arm],
        target=chance.dirichlet(np.ones(arms), n),
        expected=chance.random((n, arms)),
    )


@given(st.integers(0, 10_000))
def test_a_target_that_is_the_behaviour_gives_the_logged_mean(seed):
    found = trials(seed)
    target = found.target / found.target[np.arange(30), found.arm][:, None] * found.propensity[:, None]
    same = Trial(found.reward, found.arm, found.propensity, target)
    assert ips(same).mean() == pytest.approx(found.reward.mean(), rel=1e-12)
    assert snips(same).mean() == pytest.approx(found.reward.mean(), rel=1e-12)


@given(st.integers(0, 10_000), st.sampled_from(sorted(BY_HAND)))
def test_the_order_of_the_runs_is_of_no_account(seed, name):
    found, estimator = trials(seed), BY_HAND[name][0]
    order = np.random.default_rng(seed).permutation(30)
    turned = Trial(
        found.reward[order], found.arm[order], found.propensity[order], found.target[order], found.expected[order]
    )
    assert estimator(turned).mean() == pytest.approx(estimator(found).mean(), rel=1e-12)


@given(st.integers(0, 10_000), st.sampled_from(sorted(BY_HAND)))
def test_ten_times_the_reward_is_ten_times_the_estimate(seed, name):
    found, estimator = trials(seed), BY_HAND[name][0]
    larger = Trial(10 * found.reward, found.arm, found.propensity, found.target, 10 * found.expected)
    assert estimator(larger).mean() == pytest.approx(10 * estimator(found).mean(), rel=1e-12)


def test_the_limits_of_switching_and_shrinking_are_the_model_and_doubly_robust():
    found = trials(1)
    assert switch_dr(found, np.inf) == pytest.approx(dr(found))
    assert switch_dr(found, 0.0) == pytest.approx(dm(found))
    assert dros(found, np.inf) == pytest.approx(dr(found))
    assert dros(found, 0.0) == pytest.approx(dm(found))


def test_an_estimator_that_needs_a_model_says_so():
    with pytest.raises(ValueError, match="use ips or snips"):
        dr(Trial(HAND.reward, HAND.arm, HAND.propensity, HAND.target))
