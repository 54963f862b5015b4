"""A confidence sequence: an interval that holds at every look, so that nobody needs to promise not to look.

Estimates, in float64.
"""

import math

from tokenpnl_analytics.unit_cost.intervals import CONFIDENCE

_ALPHA = 1 - CONFIDENCE
PLANNED_RUNS = 2000


def reach(effective_runs: float, *, planned_runs: float = PLANNED_RUNS) -> float:
    """Return how many standard errors the sequence reaches to either side of the estimate at this look.

    The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024, theorem 2.2), by
    Robbins' normal mixture (Howard et al. 2021): sqrt((t r^2 + 1)/(t r^2) x log((t r^2 + 1)/alpha^2)), with r^2 =
    (-2 log alpha + log(1 - 2 log alpha)) / planned, which is tightest at the planned size. 3.03 there, against 1.96 of
    an interval that may be looked at once. It misses the truth at any look whatever with 5%, on one given side with
    2.5%, once there are enough runs for a normal approximation.

    Args:
        effective_runs: t, runs over design effect: how much is known, as independent runs; above 0.
        planned_runs: effective runs at which the sequence is tightest; chosen before the start.
    """
    mixing = (-2 * math.log(_ALPHA) + math.log(1 - 2 * math.log(_ALPHA))) / planned_runs
    grown = effective_runs * mixing
    return math.sqrt((grown + 1) / grown * math.log((grown + 1) / _ALPHA**2))
