"""From a replay to a result: the exact saving, its interval, what a success costs, and what nobody knows yet."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import polars as pl

from tokenpnl_analytics.unit_cost.intervals import Interval, ratio_interval
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.costs import Codes, Floats, by_run, compared, cost_usd, saving_of_runs, saving_usd
from tokenpnl_analytics.whatif.experiment.design import runs_wanted
from tokenpnl_analytics.whatif.replay import Replayed
from tokenpnl_analytics.whatif.resampling.replicates import Figure, paired_replicates
from tokenpnl_analytics.whatif.result import Estimate, Evidence, Result

MARGIN = 0.02
SEED = 20261124
_RUN = ["tenant", "run_id"]
_ARITHMETIC = (Evidence.RECOMPUTED, Evidence.ASSUMED)


@dataclass(frozen=True)
class Scope:
    """What is measured.

    Attributes:
        name: of the scenario.
        family: its family, or `combined`.
        meant: which attempts of the baseline it may touch; their runs are those of the cost per success.
        margin: loss of the success share that would be too much.
    """

    name: str
    family: str
    meant: pl.Expr
    margin: float = MARGIN


def measured(baseline: Baseline, found: Replayed, scope: Scope) -> Result:
    """Return what a replay says, with its interval and its doubts.

    The interval of the saving is the paired cluster bootstrap's: it covers which runs happened to come, never whether
    the assumptions hold; `Replayed.saving_by_assumption` has their range. Where nobody tried what a change does to
    success, the cost per success after it has a lower limit alone: every run succeeds.

    Args:
        baseline: the frozen traffic.
        found: the replay.
        scope: name, family, margin, and the attempts that the scenario may touch.
    """
    costs = compared(baseline, [found])
    runs = runs_meant(baseline, scope.meant)
    before = cost_usd(baseline.attempts)
    share = _success_share(runs)
    success = found.success or _untried(runs.height)
    refused = found.refused_because
    n_lost = _lost(costs)
    if not refused and n_lost and n_lost == _n_changed(found):
        refused = "none of the calls has a price after the change; add one to override.yaml"
    saving = None if refused else saving_usd(costs)
    first, after = _per_success(runs, costs, success, found)
    return Result(
        name=scope.name,
        family=scope.family,
        evidence=found.evidence,
        success_evidence=found.success_evidence,
        before_usd=before,
        after_usd=None if saving is None else before - saving,
        saving_usd=saving,
        saving=_saving(costs, found, refused),
        success=success,
        cost_per_success_before=first,
        cost_per_success_after=replace(after, value=None, low=None, high=None, refused_because=refused)
        if refused
        else after,
        n_calls=0 if refused else _n_changed(found),
        priced_share=_priced_share(baseline, costs),
        assumptions=found.assumptions,
        falsified_by=found.falsified_by,
        to_log=found.to_log,
        n_wanted=None if share is None else runs_wanted(share, scope.margin, design_effect=_design_effect(runs)),
        caveats=(*found.caveats, *_caveats(costs, found, (first, after))),
    )


def _saving(costs: pl.DataFrame, found: Replayed, refused: str | None) -> Estimate:
    cost_by_arm, clusters = by_run(costs, 1)
    n = len(clusters)
    if refused or n == 0:
        return Estimate(None, None, None, n, "not replayed", refused_because=refused or "no attempt has a price")
    made = paired_replicates(
        cost_by_arm, np.zeros_like(cost_by_arm), clusters, chance=np.random.default_rng(SEED)
    ).interval(Figure.SAVING_USD, 1)
    reach = "it covers which runs came, not the assumption"
    method = f"{made.method}; {reach}" if found.evidence is Evidence.ASSUMED else made.method
    return replace(made, value=float(saving_usd(costs)), method=method)


def runs_meant(baseline: Baseline, meant: pl.Expr) -> pl.DataFrame:
    """Return the settled runs of the baseline that have an attempt which the scenario may touch."""
    touched = baseline.attempts.filter(meant).select(_RUN).unique()
    return baseline.runs.filter("settled").join(touched, on=_RUN, how="semi").sort(_RUN)


def _per_success(
    runs: pl.DataFrame, costs: pl.DataFrame, success: Estimate, found: Replayed
) -> tuple[Estimate, Estimate]:
    """Return cost per success before and after, of settled runs; float64 with its interval."""
    n = runs.height
    if n == 0 or runs["weight"].null_count():
        why = "no settled run has such a call" if n == 0 else "runs are sampled at an unknown rate"
        none = Estimate(None, None, None, n, "cluster-robust ratio", refused_because=why)
        return none, none
    weight = runs["weight"].cast(pl.Float64).to_numpy()
    before = runs["unit_cost_usd"].fill_null(Decimal(0)).cast(pl.Float64).to_numpy()
    after = before - saving_of_runs(costs, runs).cast(pl.Float64).to_numpy()
    won = runs["succeeded"].cast(pl.Float64).to_numpy() * weight
    codes = (runs["cluster"].rank("dense").cast(pl.Int64) - 1).to_numpy()
    first, second = (_ratio(cost * weight, won, codes) for cost in (before, after))
    if found.success_evidence not in _ARITHMETIC and found.success is None:
        least = float((after * weight).sum() / weight.sum())
        why = "nobody has seen what the change does to success"
        return first, Estimate(None, least, None, n, "lower limit: every run succeeds", refused_because=why)
    if success.value == 0 and success.low == success.high == 0:
        return first, second
    return first, _joint(second, success, float(won.sum() / weight.sum()))


def _ratio(cost: Floats, won: Floats, codes: Codes) -> Estimate:
    interval: Interval = ratio_interval(cost, won, codes, chance=np.random.default_rng(SEED))
    total = float(won.sum())
    value = float(cost.sum()) / total if total else None
    why = None if total else "no settled run succeeded"
    return Estimate(value, interval.low, interval.high, interval.n, interval.method, refused_because=why)


def _joint(cost: Estimate, success: Estimate, share: float) -> Estimate:
    """Return the cost per success where success changes too: joint bounds of both intervals, thus wide."""

    def scaled(value: float | None, change: float | None) -> float | None:
        if value is None or change is None or share + change <= 0:
            return None
        return value * share / (share + change)

    return Estimate(
        scaled(cost.value, success.value),
        scaled(cost.low, success.high),
        scaled(cost.high, success.low),
        cost.n,
        f"joint bounds: {cost.method}; success: {success.method}",
        ess=success.ess,
        refused_because=success.refused_because,
    )


def _untried(n: int) -> Estimate:
    why = "nobody has tried it: shadow traffic or an experiment would tell"
    return Estimate(None, None, None, n, "not identifiable", refused_because=why)


def _success_share(runs: pl.DataFrame) -> float | None:
    share = runs["succeeded"].mean()
    return float(share) if isinstance(share, float) else None


def _design_effect(runs: pl.DataFrame) -> float:
    """Return how much more a success share varies for runs that come in clusters; at least 1."""
    codes = (runs["cluster"].rank("dense").cast(pl.Int64) - 1).to_numpy()
    won = runs["succeeded"].cast(pl.Float64).to_numpy()
    interval = ratio_interval(won, np.ones_like(won), codes, chance=np.random.default_rng(SEED))
    return max(1.0, interval.design_effect or 1.0)


def _n_changed(found: Replayed) -> int:
    return found.attempts.filter(differs()).height


def differs() -> pl.Expr:
    """Return whether a row of a replayed frame is not as the baseline had it."""
    return ~pl.col("kept") | pl.col("changed") | pl.col("added") | (pl.col("extra_usd") != 0)


def _lost(costs: pl.DataFrame) -> int:
    """Return the attempts that had a price and have none after the change."""
    return costs.filter(pl.col("before_usd").is_not_null() & ~pl.col("known")).height


def _priced_share(baseline: Baseline, costs: pl.DataFrame) -> float | None:
    share = baseline.priced_share
    if share is None:
        return None
    used = baseline.attempts["priced"].count()
    return share - _lost(costs) / used


def _caveats(costs: pl.DataFrame, found: Replayed, per_success: tuple[Estimate, Estimate]) -> Sequence[str]:
    told = []
    unknown = costs.height - int(costs["known"].sum())
    if unknown:
        told.append(f"{unknown:,} of {costs.height:,} calls have no known cost before or after; both leave them out.")
    before, after = per_success
    # Cost per run after over cost per success before: the success share at which both cost the same.
    if not found.refused_because and found.success is None and before.value and after.low and after.low < before.value:
        told.append(
            f"All else equal, a success costs less than now only while more than {after.low / before.value:.0%} of "
            "these runs succeed."
        )
    return told
