"""What a target policy would have brought: success, cost and cost per success, or bounds and why no more."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from tokenpnl_analytics.unit_cost.intervals import Interval, mean_interval, ratio_interval
from tokenpnl_analytics.whatif.off_policy.estimators import Floats
from tokenpnl_analytics.whatif.off_policy.logged import Knowledge, target_of
from tokenpnl_analytics.whatif.off_policy.overlap import Overlap, covered_target, overlap, weights_of
from tokenpnl_analytics.whatif.off_policy.refusal import joint_bounds, reasons
from tokenpnl_analytics.whatif.off_policy.sensitivity import Sensitivity, e_value, smallest_odds, values
from tokenpnl_analytics.whatif.off_policy.study import Study, study
from tokenpnl_analytics.whatif.result import Estimate, Evidence

_METHODS = {
    Knowledge.PROPENSITIES: "doubly robust from logged propensities, self-normalised",
    Knowledge.INPUTS: "doubly robust, adjusted for logged router inputs, self-normalised",
    Knowledge.NOTHING: "what the policy would leave as it was",
}
_TO_LOG = {
    Knowledge.PROPENSITIES: "let the router take every candidate with a probability of at least 2%, and log it",
    Knowledge.INPUTS: "log tokenpnl.route.propensity: then no unlogged input can mislead",
    Knowledge.NOTHING: "log tokenpnl.route.propensity, or at least tokenpnl.route.inputs",
}


@dataclass(frozen=True)
class Question:
    """How a policy is to be judged.

    Attributes:
        inputs: numeric columns that the router looked at.
        cost_range: least and most that a run may cost where the log does not reach, USD; None: no limit is known.
        hidden_odds: Lambda, 1 or more, that an unlogged input may have; used only where propensities are fitted.
    """

    inputs: tuple[str, ...] = ()
    cost_range: tuple[float, float | None] = (0.0, None)
    hidden_odds: float = 1.0


@dataclass(frozen=True)
class OffPolicy:
    """What a target policy would have brought per run.

    Attributes:
        success: share of successful runs, 0 to 1.
        cost: USD per run.
        cost_per_success: USD.
        success_change: success less that of the log; 0.01 is one point.
        cost_change: cost per run less that of the log, USD.
        overlap: the diagnostics.
        evidence: `estimated`, `bounded`, or `not_identifiable` where the log never did what the target would do.
        refused_because: why there is no point estimate; empty: there is one.
        sensitivity: to inputs that were not logged; None: propensities are logged, or nothing was estimated.
        to_log: what to record to be surer.
    """

    success: Estimate
    cost: Estimate
    cost_per_success: Estimate
    success_change: Estimate
    cost_change: Estimate
    overlap: Overlap
    evidence: Evidence
    refused_because: tuple[str, ...]
    sensitivity: Sensitivity | None
    to_log: tuple[str, ...]


def evaluate(runs: pl.DataFrame, question: Question | None = None, *, chance: np.random.Generator) -> OffPolicy:
    """Return success, cost and cost per success of a target policy with intervals, or bounds where the log is too thin.

    Args:
        runs: one row per run or call: `route_arm` (text), `reward` (0 to 1; NULL: no outcome), `cost` (USD; NULL:
            unpriced), `cluster` (integer), `target:<arm>` (probability of the target policy, see `with_target`);
            optional `route_propensity`, `route_candidates`, `stratum`, and the numeric inputs that `question` names.
        question: inputs, limits of cost, Lambda; None: none of them.
        chance: draws folds and bootstrap weights.

    Raises:
        RefusedInputError: a column is absent or holds what it cannot.
    """
    question = question or Question()
    return policy_value(study(runs, question.inputs, chance=chance), runs, question, chance=chance)


def policy_value(known: Study, runs: pl.DataFrame, question: Question, *, chance: np.random.Generator) -> OffPolicy:
    """Return the same as `evaluate` from a study that was made before, for several policies on one log.

    Args:
        known: `study` of the runs.
        runs: the frame with the columns `target:<arm>`.
        question: its cost limits and Lambda count.
        chance: draws bootstrap weights.
    """
    target = target_of(runs, known.logged.arms)
    seen = overlap(known, target, chance=chance)
    why = reasons(seen, known.logged.knowledge)
    if why:
        return _bounded(known, target, seen, question, chance)
    return _estimated(known, target, seen, question, chance)


def contrast(
    runs: pl.DataFrame, arms: tuple[str, str], question: Question | None = None, *, chance: np.random.Generator
) -> tuple[Estimate, Evidence, Sensitivity | None]:
    """Return success of always taking one arm less that of always taking another, on the same runs.

    Args:
        runs: as for `evaluate`; target columns are not needed.
        arms: the arm and what it is compared with.
        question: inputs and Lambda.
        chance: draws folds and bootstrap weights.

    Returns:
        The difference (0.01 is one point) with interval or bounds, its evidence, and its sensitivity where
        propensities were fitted.
    """
    question = question or Question()
    known = study(runs, question.inputs, chance=chance)
    targets = [np.tile([float(name == arm) for name in known.logged.arms], (known.logged.n, 1)) for arm in arms]
    seen = [overlap(known, target, chance=chance) for target in targets]
    why = tuple(dict.fromkeys(word for found in seen for word in reasons(found, known.logged.knowledge)))
    ess = min(found.ess for found in seen)
    if why:
        limits = [_bounded(known, target, found, question, chance) for target, found in zip(targets, seen, strict=True)]
        one, other = (found.success for found in limits)
        refused = _refused(_apart(one, other), known, ess, why)
        return refused, min((found.evidence for found in limits), key=list(Evidence).index), None

    def difference(odds: float) -> Interval:
        low, high = (
            _interval(
                _success(known, targets[0], side, missing=worst) - _success(known, targets[1], 1 / side, missing=worst),
                known,
                chance,
            )
            for side, worst in ((1 / odds, 0.0), (odds, 1.0))
        )
        return _hull(low, high)

    widest = max(found.uncovered for found in seen)
    rates = [float(_success(known, target, 1.0).mean()) for target in targets]
    found = difference(_odds(known, question))
    estimate = _estimate(rates[0] - rates[1], found, known, ess)
    return (
        _widened(estimate, widest, widest, lowest=-1.0),
        Evidence.ESTIMATED,
        _sensitivity(known, question, difference, rates),
    )


def _estimated(
    known: Study, target: Floats, seen: Overlap, question: Question, chance: np.random.Generator
) -> OffPolicy:
    odds, u = _odds(known, question), seen.uncovered
    won, spent = _success(known, target, 1.0), _cost(known, target, 1.0)
    before = _filled(known.logged.reward, known.success, known), _filled(known.logged.cost, known.cost, known)
    success = _widened(_between(known, _success, target, odds, chance, seen.ess), u, u)
    cost = _between(known, _cost, target, odds, chance, seen.ess)
    most = question.cost_range[1]
    cost = replace(
        cost,
        low=None if cost.low is None else max(0.0, cost.low * (1 - u) + u * question.cost_range[0]),
        high=cost.high if u == 0 else None if most is None or cost.high is None else cost.high * (1 - u) + u * most,
    )

    def change(strength: float) -> Interval:
        sides = [
            _interval(
                _success(known, target, side, missing=worst)
                - _filled(known.logged.reward, known.success, known, worst),
                known,
                chance,
            )
            for worst in (0.0, 1.0)
            for side in (1 / strength, strength)
        ]
        return _hull(*sides)

    rates = [float(won.mean()), float(before[0].mean())]
    success_change = _widened(_estimate(rates[0] - rates[1], change(odds), known, seen.ess), u, u, lowest=-1.0)
    difference = _interval(spent - before[1], known, chance)
    if u > 0 or odds > 1:
        difference = _shifted(difference, cost, float(before[1].mean()))
    return OffPolicy(
        success=success,
        cost=cost,
        cost_per_success=_ratio(known, (won, spent), (success, cost), seen, chance),
        success_change=success_change,
        cost_change=_estimate(float((spent - before[1]).mean()), difference, known, seen.ess),
        overlap=seen,
        evidence=Evidence.ESTIMATED,
        refused_because=(),
        sensitivity=_sensitivity(known, question, change, rates),
        to_log=() if known.logged.knowledge is Knowledge.PROPENSITIES else (_TO_LOG[known.logged.knowledge],),
    )


def _bounded(known: Study, target: Floats, seen: Overlap, question: Question, chance: np.random.Generator) -> OffPolicy:
    """Return joint bounds; the covered part enters with the limits of its own interval, not as if it were exact."""
    why = reasons(seen, known.logged.knowledge)
    w, mass = weights_of(known, covered_target(known, target)), 1 - seen.uncovered
    logged = known.logged
    success = _part(logged.reward, w, (0.0, 1.0), known, chance)
    least, most = question.cost_range
    unpriced = float(w[~np.isfinite(logged.cost)].sum() / w.sum()) if w.sum() > 0 else 0.0
    cost = _part(logged.cost, w, (0.0, 0.0), known, chance)
    limits = joint_bounds(
        (success[0] * mass, min(1.0, success[1]) * mass),
        (cost[0] * mass, cost[1] * mass),
        (seen.uncovered, seen.uncovered + mass * unpriced),
        (least, most),
    )
    before = _filled(logged.reward, known.success, known).mean(), _filled(logged.cost, known.cost, known).mean()
    high = limits.cost[1]

    def refused(low: float | None, upper: float | None) -> Estimate:
        return _refused((low, upper), known, seen.ess, why)

    return OffPolicy(
        success=refused(*limits.success),
        cost=refused(*limits.cost),
        cost_per_success=refused(*limits.cost_per_success),
        success_change=refused(limits.success[0] - float(before[0]), limits.success[1] - float(before[0])),
        cost_change=refused(limits.cost[0] - float(before[1]), None if high is None else high - float(before[1])),
        overlap=seen,
        evidence=Evidence.BOUNDED if w.sum() > 0 else Evidence.NOT_IDENTIFIABLE,
        refused_because=why,
        sensitivity=None,
        to_log=(_TO_LOG[logged.knowledge],),
    )


def _shifted(found: Interval, cost: Estimate, before: float) -> Interval:
    """Return the limits of a change of cost from those of the cost, which allow for what was not tried."""
    low, high = cost.low, cost.high
    return replace(found, low=None if low is None else low - before, high=None if high is None else high - before)


def _apart(one: Estimate, other: Estimate) -> tuple[float | None, float | None]:
    """Return the least and the most that one bounded share lies above another."""
    low = None if one.low is None or other.high is None else one.low - other.high
    return low, None if one.high is None or other.low is None else one.high - other.low


def _success(known: Study, target: Floats, odds: float, missing: float | None = None) -> Floats:
    return values(known, target, _worst(known.logged.reward, missing), known.success, odds)


def _cost(known: Study, target: Floats, odds: float, missing: float | None = None) -> Floats:
    del missing  # an unpriced run has no worst case; it counts as expected, and the priced share says how many
    return values(known, target, known.logged.cost, known.cost, odds)


def _worst(brought: Floats, missing: float | None) -> Floats:
    return brought if missing is None else np.where(np.isfinite(brought), brought, missing)


def _filled(brought: Floats, expected: Floats, known: Study, missing: float | None = None) -> Floats:
    """Return what each run brought; unknown: `missing`, else as expected of its arm."""
    by_model = expected[np.arange(known.logged.n), known.logged.arm]
    return np.where(np.isfinite(brought), brought, by_model if missing is None else missing)


def _part(
    brought: Floats, w: Floats, missing: tuple[float, float], known: Study, chance: np.random.Generator
) -> tuple[float, float]:
    """Return the limits of the weighted mean on the covered part, unknown values at their least and at their most."""
    if w.sum() <= 0:
        return 0.0, 0.0
    means = [float((w * _worst(brought, at)).sum() / w.sum()) for at in missing]
    found = [mean_interval(w * _worst(brought, at), w, known.logged.cluster, chance=chance) for at in missing]
    low, high = found[0].low, found[1].high
    return max(0.0, means[0] if low is None else low), means[1] if high is None else high


def _between(
    known: Study,
    measure: Callable[..., Floats],
    target: Floats,
    odds: float,
    chance: np.random.Generator,
    ess: float,
) -> Estimate:
    low = _interval(measure(known, target, 1 / odds, missing=0.0), known, chance)
    high = _interval(measure(known, target, odds, missing=1.0), known, chance)
    return _estimate(float(measure(known, target, 1.0).mean()), _hull(low, high), known, ess)


def _ratio(
    known: Study,
    per_run: tuple[Floats, Floats],
    parts: tuple[Estimate, Estimate],
    seen: Overlap,
    chance: np.random.Generator,
) -> Estimate:
    """Return cost per success: one interval of the ratio where all is covered, else the worst corner of the parts."""
    (won, spent), (success, cost) = per_run, parts
    value = float(spent.sum() / won.sum())
    found = ratio_interval(spent, won, known.logged.cluster, chance=chance, n_successes=seen.ess_successes)
    low, high, how = found.low, found.high, found.method
    plain = _interval(won, known, chance), _interval(spent, known, chance)
    if (success.low, success.high) != (plain[0].low, plain[0].high) or cost.high != plain[1].high:
        corner = joint_bounds(
            (success.low or 0.0, success.high or 1.0), (cost.low or 0.0, cost.high or 0.0), (0, 0), (0, 0)
        )
        low, high = corner.cost_per_success
        high, how = None if cost.high is None else high, "worst corner of the intervals of success and cost"
    method = f"{_METHODS[known.logged.knowledge]}; {how}"
    return Estimate(value, low, high, known.logged.n, method, seen.ess)


def _sensitivity(
    known: Study, question: Question, difference: Callable[[float], Interval], rates: list[float]
) -> Sensitivity | None:
    if known.logged.knowledge is not Knowledge.INPUTS:
        return None

    def holds_zero(odds: float) -> bool:
        found = difference(odds)
        return found.low is None or found.high is None or found.low <= 0 <= found.high

    return Sensitivity(_odds(known, question), smallest_odds(holds_zero), e_value(rates[0], rates[1]))


def _odds(known: Study, question: Question) -> float:
    return question.hidden_odds if known.logged.knowledge is Knowledge.INPUTS else 1.0


def _interval(per_run: Floats, known: Study, chance: np.random.Generator) -> Interval:
    return mean_interval(per_run, np.ones(known.logged.n), known.logged.cluster, chance=chance)


def _hull(*found: Interval) -> Interval:
    lows, highs = [one.low for one in found], [one.high for one in found]
    return replace(
        found[0],
        low=None if None in lows else min(low for low in lows if low is not None),
        high=None if None in highs else max(high for high in highs if high is not None),
    )


def _estimate(value: float, found: Interval, known: Study, ess: float) -> Estimate:
    method = f"{_METHODS[known.logged.knowledge]}; {found.method}"
    return Estimate(value, found.low, found.high, known.logged.n, method, ess)


def _widened(found: Estimate, below: float, above: float, lowest: float = 0.0) -> Estimate:
    """Return an estimate of success or of its change whose interval allows for a share of choices without support."""
    if found.low is None or found.high is None:
        return found
    return replace(found, low=max(lowest, found.low - below), high=min(1.0, found.high + above))


def _refused(limits: tuple[float | None, float | None], known: Study, ess: float, why: tuple[str, ...]) -> Estimate:
    method = "joint bounds: worst and best case of what was not tried, 95% limits of what was"
    return Estimate(None, limits[0], limits[1], known.logged.n, method, ess, "; ".join(why))
