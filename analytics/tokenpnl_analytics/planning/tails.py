"""How unlikely an hour is, given its series' own hours of the week. Estimates, in float64; arrays in, arrays out.

An hour is compared with what its hour of the week usually brings, times the level of the last seven days: a slow drift
moves the level and is no anomaly of an hour. The weeks of the history are judged in the same way, each against the
other weeks, so that their tail is the tail that chance gives, whatever its shape.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

Floats = npt.NDArray[np.float64]

WEEK = 168
LEAST_WEEKS, MOST_WEEKS = 4, 8
SPARSE_CALLS_AN_HOUR = 2.0

_TOP = 0.1  # the share of the history that the tail is fitted to
_LIKE_ITS_NEIGHBOURS = 2.0  # weeks of evidence that other days' same hour is worth
_BELIEVED_CALLS = 2.0
_LEAST = 1e-12
_MOST_SURPRISE = 600.0


@dataclass(frozen=True)
class Judged:
    """The hours of a window.

    Attributes:
        expected: of each hour, in the unit of the series.
        p: probability of as much or more by chance.
        n: hours of history behind it.
        method: in words.
    """

    expected: Floats
    p: Floats
    n: int
    method: str


def judge_cost(cost: Floats, *, first_hour_of_week: int, weeks: int) -> Judged:
    """Return how likely each hour's cost after the history is.

    A gamma distribution with the hour's mean and variance (a mu + c mu^2, fitted to the history) scores the surprise
    -log P(cost or more); the p-value of a surprise is its share in the history, continued beyond the 90th percentile by
    an exponential tail (peaks over threshold, Pickands 1975). Scores only order the hours: what they are worth comes
    from the history.

    Args:
        cost: `weeks` + 1 weeks of hours, the first of them for the level alone, then the hours to judge (168 at most).
        first_hour_of_week: hour of the week of the first one, Monday 0:00 is 0.
        weeks: weeks of history.
    """
    mean = _expected(cost, first_hour_of_week=first_hour_of_week, weeks=weeks)
    history, n = slice(0, weeks * WEEK), weeks * WEEK
    judged = cost[WEEK:]
    mean = np.maximum(mean, _LEAST * max(float(cost.max()), _LEAST))
    variance = _variance(judged[history], mean[history], mean)
    surprise = -stats.gamma.logsf(judged, mean**2 / variance, scale=variance / mean)
    surprise = np.minimum(np.nan_to_num(surprise, posinf=_MOST_SURPRISE), _MOST_SURPRISE)
    p = _tail(np.sort(surprise[history]), surprise[n:])
    return Judged(mean[n:], p, n, "hour-of-week empirical tail of cost")


def judge_calls(calls: Floats, *, first_hour_of_week: int, weeks: int) -> Judged:
    """Return how likely each hour's number of calls is: a negative binomial, Poisson where the history is no wider.

    For series of a few calls an hour, whose empirical tail would be made of a handful of hours.

    Args:
        calls: as `cost` of `judge_cost`, in whole calls.
        first_hour_of_week: likewise.
        weeks: likewise.
    """
    mean = _expected(calls, first_hour_of_week=first_hour_of_week, weeks=weeks, believed=_BELIEVED_CALLS)
    n = weeks * WEEK
    judged = calls[WEEK:]
    mean = np.maximum(mean, _LEAST)
    excess = np.sum((judged[:n] - mean[:n]) ** 2 - mean[:n]) / np.sum(mean[:n] ** 2)
    if excess <= 0:
        return Judged(mean[n:], stats.poisson.sf(judged[n:] - 1, mean[n:]), n, "hour-of-week Poisson tail of calls")
    size = 1 / excess
    p = stats.nbinom.sf(judged[n:] - 1, size, size / (size + mean[n:]))
    return Judged(mean[n:], p, n, "hour-of-week negative binomial tail of calls")


def adjusted(p: Floats) -> Floats:
    """Return the q-value of each p-value: the smallest false-discovery rate at which it is an alarm.

    Benjamini and Hochberg 1995; valid for independent tests and for positively dependent ones.
    """
    m = len(p)
    order = np.argsort(p)
    raw = p[order] * m / np.arange(1, m + 1)
    q = np.empty(m)
    q[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
    return q


def _expected(values: Floats, *, first_hour_of_week: int, weeks: int, believed: float = 0.0) -> Floats:
    """Return the expectation of every hour but the first week's: the week's level times the hour's usual share of it.

    The hours of the history are expected from the other weeks alone; the others from all. By so many `believed` units
    the level leans to that of the whole history, and the hour by a week to the average hour: where nothing came yet
    something may.
    """
    total = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(WEEK, len(values))
    usual = total[(weeks + 1) * WEEK] / ((weeks + 1) * WEEK)
    level = np.maximum(total[at] - total[at - WEEK], 0.0) / WEEK
    if believed and usual > 0:
        level = (level * WEEK + believed) / (WEEK + believed / usual)
    ratio = np.divide(values[WEEK:], level, out=np.zeros_like(level), where=level > 0)
    by_week = ratio[: weeks * WEEK].reshape(weeks, WEEK)
    smooth = _smoothing(first_hour_of_week, weeks)
    if believed:
        smooth = (smooth * (weeks + _LIKE_ITS_NEIGHBOURS) + 1 / WEEK) / (weeks + _LIKE_ITS_NEIGHBOURS + 1)
    summed = by_week.sum(axis=0)
    without_own = ((summed - by_week) @ smooth.T / (weeks - 1)).ravel()
    ahead = np.resize(smooth @ summed / weeks, len(level) - weeks * WEEK)
    expected: Floats = np.concatenate([without_own, ahead]) * level
    return expected


def _smoothing(first_hour_of_week: int, weeks: int) -> Floats:
    """Return the matrix that mixes an hour of the week with its two neighbours and with the same hour of like days."""
    hour = (first_hour_of_week + np.arange(WEEK)) % WEEK
    place = np.arange(WEEK)
    near = np.zeros((WEEK, WEEK))
    near[place, place] = 0.5
    near[place, (place - 1) % WEEK] = near[place, (place + 1) % WEEK] = 0.25
    clock, weekend = hour % 24, hour >= 120
    like = ((clock[:, None] == clock) & (weekend[:, None] == weekend)).astype(np.float64)
    like /= like.sum(axis=1, keepdims=True)
    mixed: Floats = (weeks * near + _LIKE_ITS_NEIGHBOURS * like) / (weeks + _LIKE_ITS_NEIGHBOURS)
    return mixed


def _variance(history: Floats, history_mean: Floats, mean: Floats) -> Floats:
    squares = (history - history_mean) ** 2
    design = np.column_stack([np.ones_like(history_mean), history_mean])
    linear, quadratic = optimize.nnls(design, squares / history_mean)[0]
    fitted: Floats = np.maximum(linear * mean + quadratic * mean**2, (_LEAST * mean) ** 2 + _LEAST**2)
    return fitted


def _tail(history: Floats, surprise: Floats) -> Floats:
    """Return the share of the history that is as surprising, never 0; `history` is sorted."""
    n = len(history)
    threshold = float(np.quantile(history, 1 - _TOP))
    above = history[history > threshold] - threshold
    inside = (n - np.searchsorted(history, surprise) + 1) / (n + 1)
    if len(above) == 0:
        return np.asarray(inside, dtype=np.float64)
    beyond = np.maximum(surprise - threshold, 0.0)
    outside = (len(above) + 1) / (n + 1) * np.exp(-beyond / above.mean())
    return np.where(surprise > threshold, outside, inside)
