"""How far the log reaches the target policy: effective sample sizes, weights, floors, target mass without support."""

from dataclasses import dataclass

import numpy as np

from tokenpnl_analytics.unit_cost.intervals import mean_interval, standard_error
from tokenpnl_analytics.whatif.off_policy.estimators import Codes, Floats, taken
from tokenpnl_analytics.whatif.off_policy.study import Study

RANGE = 0.02, 0.98
"""Propensities of the target's arm that allow an estimate."""
_FLOORS = 10.0 ** -np.arange(3, 13)  # guards that programs put under a probability
_PILE, _MANY = 5, 20


@dataclass(frozen=True)
class StratumOverlap:
    """Overlap within one group of runs.

    Attributes:
        stratum: its name.
        n: runs.
        propensity: how often the log did what the target would do, 0 to 1.
        uncovered: share of the target's choices whose propensity lies below `RANGE`, 0 to 1.
    """

    stratum: str
    n: int
    propensity: float
    uncovered: float


@dataclass(frozen=True)
class Overlap:
    """What the weights of a target policy on a log look like.

    Attributes:
        n: runs.
        ess: (sum w)^2 / sum w^2 (Kish).
        ess_successes: (sum w y)^2 / sum (w y)^2.
        design_effect: variance of the weighted success with clusters over without; None: not computable.
        max_weight: largest w.
        max_weight_share: its share of sum w.
        mean_weight: mean of w; 1 where the propensities are right and the target is within reach.
        mean_weight_se: its standard error over clusters; None: one cluster.
        clipped_at: floor under the propensities; None: none is seen.
        uncovered: u, share of the target's choices without support or with a propensity below `RANGE`, counted under
            the target over all runs, not from weights.
        without_outcome: share of the covered runs, as the target would weigh them, without outcome.
        strata: overlap by group, in order of name.
    """

    n: int
    ess: float
    ess_successes: float
    design_effect: float | None
    max_weight: float
    max_weight_share: float
    mean_weight: float
    mean_weight_se: float | None
    clipped_at: float | None
    uncovered: float
    without_outcome: float
    strata: tuple[StratumOverlap, ...]


def weights_of(known: Study, target: Floats) -> Floats:
    """Return w of each run: target probability of the logged arm over its propensity; 0 where that is not known."""
    wanted, p = taken(target, known.logged.arm), taken(known.propensity, known.logged.arm)
    return np.divide(wanted, p, out=np.zeros_like(wanted), where=p > 0)


def covered_target(known: Study, target: Floats) -> Floats:
    """Return the target probabilities of the arms whose propensity reaches `RANGE`, others 0; runs x arms."""
    return np.where(known.propensity >= RANGE[0], target, 0.0)


def overlap(known: Study, target: Floats, *, chance: np.random.Generator) -> Overlap:
    """Return the diagnostics of a target policy.

    Args:
        known: the study.
        target: runs x arms.
        chance: draws bootstrap weights where there are few clusters.
    """
    logged, w = known.logged, weights_of(known, target)
    won = w * np.nan_to_num(logged.reward)
    covered = covered_target(known, target)
    reached = weights_of(known, covered)
    interval = mean_interval(won, w, logged.cluster, chance=chance)
    return Overlap(
        n=logged.n,
        ess=_effective(w),
        ess_successes=_effective(won),
        design_effect=interval.design_effect,
        max_weight=float(w.max()),
        max_weight_share=_share(float(w.max()), w),
        mean_weight=float(w.mean()),
        mean_weight_se=cluster_error(w, logged.cluster),
        clipped_at=floor_of(logged.propensity[(w > 0) & np.isfinite(logged.propensity)]),
        uncovered=float(1 - covered.sum() / logged.n) if covered.sum() < logged.n * (1 - 1e-12) else 0.0,
        without_outcome=_share(float(reached[~np.isfinite(logged.reward)].sum()), reached),
        strata=_by_stratum(known, target, covered),
    )


def floor_of(propensity: Floats) -> float | None:
    """Return the value on which propensities were floored, or None.

    A floor is a smallest propensity that is a power of ten from 0.001 down, as programs put under a division, or one
    below `RANGE` on which runs pile up although propensities vary: more than twenty values, and five times as many
    runs on the smallest as on a usual one. A router that explores at a few fixed rates is not floored.
    """
    if not len(propensity):
        return None
    values, counts = np.unique(propensity, return_counts=True)
    lowest = float(values[0])
    if np.isclose(lowest, _FLOORS, rtol=1e-9, atol=0.0).any():
        return lowest
    piled = len(values) > _MANY and counts[0] >= _PILE * np.median(counts[1:])
    return lowest if lowest < RANGE[0] and piled else None


def cluster_error(values: Floats, cluster: Codes) -> float | None:
    """Return the standard error of a mean over clusters (`standard_error`); None: one cluster."""
    if int(cluster.max()) < 1:
        return None
    sums = (np.bincount(cluster, counted).astype(np.float64) for counted in (values, np.ones(len(values))))
    return standard_error(*sums)


def _effective(w: Floats) -> float:
    squares = float((w**2).sum())
    return float(w.sum() ** 2 / squares) if squares > 0 else 0.0


def _share(part: float, w: Floats) -> float:
    total = float(w.sum())
    return part / total if total > 0 else 0.0


def _by_stratum(known: Study, target: Floats, covered: Floats) -> tuple[StratumOverlap, ...]:
    stratum = known.logged.stratum
    n = np.bincount(stratum, minlength=len(known.logged.strata))
    agreed = np.bincount(stratum, taken(target, known.logged.arm), len(n)) / n
    missed = 1 - np.bincount(stratum, covered.sum(axis=1), len(n)) / n
    return tuple(
        StratumOverlap(name, int(n[g]), float(agreed[g]), max(0.0, float(missed[g])))
        for g, name in enumerate(known.logged.strata)
    )
