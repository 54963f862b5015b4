"""How many runs an experiment wants, and whether the arms got the runs that they should have. Estimates, in float64."""

import math

from scipy import stats

SIGNIFICANCE = 0.025
POWER = 0.8
SAMPLE_RATIO_P = 0.001
"""Below this the arms did not get their shares by chance; low, because it is looked at daily."""


def runs_wanted(success_share: float, margin: float, *, design_effect: float = 1.0) -> int | None:
    """Return the runs per arm at which a loss of success beyond the margin would be excluded with 80% power.

    Two proportions, non-inferiority, one-sided 2.5%, both arms truly alike:
    n = (z(.975) + z(.8))^2 x 2 p (1 - p) / margin^2 x design effect (Chow, Shao, Wang 2008). A decision that may be
    taken at any look wants about twice as many.

    Args:
        success_share: p, share of runs that succeed now, 0 to 1.
        margin: loss of success that may not be exceeded, 0.02 = two points.
        design_effect: variance with clusters over variance without.

    Returns:
        Runs; None: the margin is not above 0, or all runs succeed or none does, so that nothing can be computed.
    """
    if margin <= 0 or not 0 < success_share < 1:
        return None
    z = float(stats.norm.ppf(1 - SIGNIFICANCE) + stats.norm.ppf(POWER))
    return math.ceil(z**2 * 2 * success_share * (1 - success_share) / margin**2 * max(design_effect, 1.0))


def detectable_loss(success_share: float, n_runs: int, *, design_effect: float = 1.0) -> float | None:
    """Return the margin that as many runs per arm can exclude with 80% power; None: not computable.

    Args:
        success_share: share of runs that succeed now, 0 to 1.
        n_runs: runs of the smaller arm.
        design_effect: variance with clusters over variance without.
    """
    if n_runs <= 0 or not 0 < success_share < 1:
        return None
    z = float(stats.norm.ppf(1 - SIGNIFICANCE) + stats.norm.ppf(POWER))
    return z * math.sqrt(2 * success_share * (1 - success_share) * max(design_effect, 1.0) / n_runs)


def sample_ratio_p(n_treated: int, n_control: int, treated_share: float) -> float:
    """Return how probable a split at least as uneven is, if chance had given the treated arm its share.

    Args:
        n_treated: clusters of the treated arm: the unit of assignment, not runs.
        n_control: clusters of the control arm.
        treated_share: planned share of the treated arm, between 0 and 1.
    """
    if n_treated + n_control == 0:
        return 1.0
    return float(stats.binomtest(n_treated, n_treated + n_control, treated_share).pvalue)
