"""An hour is judged by its own hours of the week, at the level of the last seven days."""

import numpy as np
import pytest

from tokenpnl_analytics.planning.tails import WEEK, adjusted, judge_calls, judge_cost

WEEKS = 6


def steady(chance: np.random.Generator, hours: int, *, calls: float) -> tuple[np.ndarray, np.ndarray]:
    """Return calls and cost of a workflow with office hours and quiet weekends."""
    at = np.arange(hours)
    shape = 0.2 + np.exp(-0.5 * ((at % 24 - 14) / 3.5) ** 2)
    shape *= np.where(at // 24 % 7 >= 5, 0.35, 1.0)
    n = chance.negative_binomial(20, 20 / (20 + calls * shape / shape[:WEEK].mean()))
    return n.astype(float), np.array([chance.lognormal(-4, 0.6, k).sum() for k in n])


def test_q_values_are_those_of_benjamini_and_hochberg():
    assert adjusted(np.array([0.02, 0.5, 0.01, 0.03])) == pytest.approx([0.04, 0.5, 0.04, 0.04])


def test_nothing_to_judge_has_no_q_value():
    assert len(adjusted(np.array([]))) == 0


def test_p_values_of_a_steady_series_are_uniform_enough():
    p = []
    for seed in range(20):
        _, cost = steady(np.random.default_rng(seed), (WEEKS + 2) * WEEK, calls=40)
        p.extend(judge_cost(cost, first_hour_of_week=0, weeks=WEEKS).p)
    shares = [float(np.mean(np.array(p) <= level)) for level in (0.5, 0.1, 0.01)]
    assert shares == pytest.approx([0.5, 0.1, 0.01], abs=0.03)
    assert shares[2] < 0.02


def test_the_expectation_follows_the_hour_of_the_week():
    _, cost = steady(np.random.default_rng(3), (WEEKS + 2) * WEEK, calls=200)
    judged = judge_cost(cost, first_hour_of_week=0, weeks=WEEKS)
    afternoon, night, sunday = judged.expected[14], judged.expected[3], judged.expected[6 * 24 + 14]
    assert afternoon > 3 * night
    assert sunday == pytest.approx(0.35 * afternoon, rel=0.2)
    assert judged.n == WEEKS * WEEK


def test_the_hour_of_the_week_is_that_of_the_clock_and_not_of_the_first_row():
    _, cost = steady(np.random.default_rng(3), (WEEKS + 2) * WEEK + 30, calls=200)
    judged = judge_cost(cost[30:], first_hour_of_week=30, weeks=WEEKS)
    shifted = judge_cost(cost[: -30 or None], first_hour_of_week=0, weeks=WEEKS)
    assert judged.expected[14 - 30 + 24] == pytest.approx(shifted.expected[14 + 24], rel=0.2)


def test_twelve_calls_where_one_is_usual_are_unlikely_and_two_are_not():
    calls, _ = steady(np.random.default_rng(4), (WEEKS + 1) * WEEK + 24, calls=0.6)
    calls[-10], calls[-11] = 12, 2
    judged = judge_calls(calls, first_hour_of_week=0, weeks=WEEKS)
    assert judged.p[-10] < 1e-4
    assert judged.p[-11] > 0.01
    assert judged.method.startswith("hour-of-week")


def test_a_week_without_a_call_does_not_make_the_next_one_a_surprise():
    calls = np.zeros((WEEKS + 1) * WEEK + 24)
    calls[: WEEKS * WEEK : 20] = 1  # one in twenty hours, none in the last week
    calls[-10] = 1
    assert judge_calls(calls, first_hour_of_week=0, weeks=WEEKS).p[-10] > 1e-4


def test_calls_no_wider_than_chance_have_a_poisson_tail():
    calls = np.tile([0.0, 1.0], (WEEKS + 2) * WEEK // 2)
    judged = judge_calls(calls, first_hour_of_week=0, weeks=WEEKS)
    assert judged.method == "hour-of-week Poisson tail of calls"


def test_a_series_that_never_cost_anything_is_judged_without_a_fault():
    judged = judge_cost(np.zeros((WEEKS + 1) * WEEK + 24), first_hour_of_week=0, weeks=WEEKS)
    assert judged.expected == pytest.approx(0.0, abs=1e-9)
    assert (judged.p > 0.05).all()
