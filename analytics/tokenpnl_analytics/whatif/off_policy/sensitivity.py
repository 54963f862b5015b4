"""Doubly robust values of a policy, and how far an input that nobody logged could move them.

The marginal sensitivity model (Tan 2006): the true odds of the arm taken differ from the fitted ones by at most a
factor Lambda, so 1/p lies between 1 + (1/p - 1)/Lambda and 1 + (1/p - 1) Lambda. The extremes of the self-normalised
weighted mean over that box are a linear fractional programme whose solution weighs all residuals above a threshold
one way and all below it the other (Zhao, Small and Bhattacharya 2019). Lambda = 1 gives the estimate itself.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tokenpnl_analytics.whatif.off_policy.estimators import Floats, taken
from tokenpnl_analytics.whatif.off_policy.overlap import covered_target
from tokenpnl_analytics.whatif.off_policy.study import Study

WORST_ODDS = 50.0
_HALVINGS = 30


@dataclass(frozen=True)
class Sensitivity:
    """How strong an input that was not logged must be to take the sign of a difference.

    Attributes:
        hidden_odds: Lambda by which the intervals are widened; 1: not widened.
        sign_lost_at: Lambda from which the interval of the difference holds 0; 1: it does so already; None: beyond 50.
        e_value: least strength, as a risk ratio with both arm and success, that would explain the difference away
            (VanderWeele and Ding 2017); None: no success on one side.
    """

    hidden_odds: float
    sign_lost_at: float | None
    e_value: float | None


def values(known: Study, target: Floats, brought: Floats, expected: Floats, odds: float = 1.0) -> Floats:
    """Return one value per run, whose mean is the self-normalised doubly robust mean under the target.

    Over the covered part: sum of q(x, pi) + sum w (r - q(x, a)) / sum w. The values are linearised, so that their
    variance over clusters is that of the mean.

    Args:
        known: the study.
        target: runs x arms.
        brought: what each run brought; NaN (unknown) counts as expected.
        expected: by model, runs x arms.
        odds: Lambda above 1 for the highest mean within it, 1/Lambda for the lowest, 1 for the estimate.

    Raises:
        ZeroDivisionError: no run is covered.
    """
    covered, arm = covered_target(known, target), known.logged.arm
    size, model = covered.sum(axis=1), (covered * expected).sum(axis=1)
    surprise = np.where(np.isfinite(brought), brought - taken(expected, arm), 0.0)
    weights = taken(covered, arm) * _inverse(taken(known.propensity, arm), surprise, taken(covered, arm), odds)
    if weights.sum() <= 0:
        raise ZeroDivisionError("expected a run of which the target would have taken the arm, got none")
    shift = float((weights * surprise).sum() / weights.sum())
    mean = float(model.sum() / size.sum()) + shift
    corrected = weights / weights.mean() * (surprise - shift)
    linearised: Floats = (model - (mean - shift) * size) / size.mean() + corrected + mean
    return linearised


def e_value(one: float, other: float) -> float | None:
    """Return RR + sqrt(RR (RR - 1)) of the larger over the smaller share; 1 where they are equal."""
    small, large = sorted((one, other))
    if small <= 0:
        return None
    ratio = large / small
    return ratio + float(np.sqrt(ratio * (ratio - 1)))


def smallest_odds(holds_zero: Callable[[float], bool]) -> float | None:
    """Return the smallest Lambda at which an interval holds 0, to three digits; None: not up to `WORST_ODDS`.

    Args:
        holds_zero: tells of a Lambda whether the interval, which only grows with it, holds 0.
    """
    if holds_zero(1.0):
        return 1.0
    if not holds_zero(WORST_ODDS):
        return None
    low, high = 0.0, float(np.log(WORST_ODDS))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds_zero(float(np.exp(middle))) else (middle, high)
    return float(np.exp(high))


def _inverse(p: Floats, surprise: Floats, wanted: Floats, odds: float) -> Floats:
    """Return 1/p of each run, within Lambda of the fitted, at which the weighted mean surprise is at its extreme."""
    over = np.divide(1.0, p, out=np.zeros_like(p), where=p > 0)
    if odds == 1.0:
        return over
    strong = max(odds, 1 / odds)
    least, most = 1 + (over - 1) / strong, 1 + (over - 1) * strong
    order = np.argsort(-surprise if odds > 1 else surprise, kind="stable")
    heavy, light, r = (wanted * most)[order], (wanted * least)[order], surprise[order]
    # The mean with the first k runs heavy and the rest light, for every k at once.
    top = np.concatenate([[0.0], np.cumsum((heavy - light) * r)]) + (light * r).sum()
    bottom = np.concatenate([[0.0], np.cumsum(heavy - light)]) + light.sum()
    means = np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)
    if not np.isfinite(means).any():
        return over
    split = int(np.nanargmax(means) if odds > 1 else np.nanargmin(means))
    found = least.copy()
    found[order[:split]] = most[order[:split]]
    return found
