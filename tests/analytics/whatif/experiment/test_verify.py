import numpy as np
import pytest

from tokenpnl_analytics.rules.experiments import Metric
from tokenpnl_analytics.whatif.experiment.arms import Arm, saving
from tokenpnl_analytics.whatif.experiment.verify import Plan, Word, aa_check, verify


def arm(n, *, usd=1.0, share=0.8, seed=1):
    chance = np.random.default_rng(seed)
    return Arm.of(usd * chance.lognormal(0, 0.5, n), (chance.random(n) < share).astype(float), np.arange(n))


def test_a_cheaper_arm_that_does_no_harm_passes():
    found = verify(arm(4000), arm(4000, usd=0.7, seed=2), Plan(margin=0.05))
    assert found.word is Word.PASS
    assert found.saving.always.low > 0
    assert found.n_wanted == pytest.approx(1000, rel=0.15)


def test_a_cheaper_arm_that_fails_more_often_than_agreed_is_a_loss():
    found = verify(arm(4000), arm(4000, usd=0.7, share=0.6, seed=2), Plan(margin=0.05))
    assert found.word is Word.LOSS
    assert "beyond the margin" in found.reasons[1]


def test_a_dearer_arm_is_a_loss_and_says_so():
    found = verify(arm(4000), arm(4000, usd=1.4, seed=2), Plan(margin=0.05))
    assert (found.word, "it costs more" in found.reasons[0]) == (Word.LOSS, True)


def test_a_small_margin_is_not_yet_excluded_by_few_runs():
    assert verify(arm(300), arm(300, usd=0.5, seed=2), Plan(margin=0.01)).word is Word.NOT_YET


@pytest.mark.parametrize(
    ("sizes", "options", "reason"),
    [
        ((4000, 3000), {}, "sample ratio"),
        ((20, 20), {}, "too few"),
        ((400, 400), {"n_mixed": 50}, "mixed"),
        ((400, 400), {"concurrent_share": 0.1}, "side by side"),
        ((400, 400), {"unpriced_share": 0.05}, "without a price"),
    ],
)
def test_a_broken_experiment_is_refused_with_its_reason(sizes, options, reason):
    found = verify(arm(sizes[0]), arm(sizes[1], usd=0.5, seed=2), Plan(margin=0.1), **options)
    assert (found.word, found.saving) == (Word.REFUSED, None)
    assert any(reason in told for told in found.reasons)


def test_an_unequal_split_that_was_planned_is_no_broken_ratio():
    assert verify(arm(4000), arm(1000, usd=0.5, seed=2), Plan(margin=0.1, treated_share=0.2)).word is Word.PASS


def test_an_arm_without_ten_successes_is_too_few():
    found = verify(arm(100), arm(100, share=0.02, seed=2), Plan(margin=0.1))
    assert "successes" in found.reasons[0]


def test_a_control_arm_against_itself_shows_a_difference_in_one_of_twenty_splits_and_the_sequence_in_hardly_any():
    found = aa_check(arm(600), Metric.USD_PER_RUN, chance=np.random.default_rng(3), n_splits=300)
    assert 0.01 <= found.once_share <= 0.10
    assert found.always_share < 0.025


def test_an_arm_too_small_to_be_halved_is_not_checked_against_itself():
    assert aa_check(arm(59), Metric.USD_PER_RUN, chance=np.random.default_rng(3)) is None


def test_daily_looks_at_equal_arms_rarely_pass_falsely_by_the_sequence_but_often_by_plain_intervals():
    chance, plain, always = np.random.default_rng(19), 0, 0
    for _ in range(200):
        cost, won = chance.lognormal(0, 1, (2, 3000)), (chance.random((2, 3000)) < 0.7).astype(float)
        looks = []
        for seen in range(100, 3001, 50):
            arms = [Arm.of(cost[side][:seen], won[side][:seen], np.arange(seen)) for side in (0, 1)]
            looks.append(saving(*arms, Metric.USD_PER_RUN))
        plain += any(look.once.low > 0 for look in looks)
        always += any(look.always.low > 0 for look in looks)
    assert plain >= 20  # 10% at least
    assert always / 200 < 0.025
