"""Verified or not: the verdict on a change that was made with a randomised holdout."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from tokenpnl_analytics.rules.experiments import Metric
from tokenpnl_analytics.unit_cost.intervals import FEW_CLUSTERS, FEW_SUCCESSES
from tokenpnl_analytics.whatif.experiment.arms import Arm, Difference, saving, success_change
from tokenpnl_analytics.whatif.experiment.design import SAMPLE_RATIO_P, detectable_loss, runs_wanted, sample_ratio_p
from tokenpnl_analytics.whatif.experiment.sequence import PLANNED_RUNS

MIXED_CEILING = 0.01
"""Share of clusters that may be seen in both arms; they are left out."""

UNPRICED_CEILING = 0.02
"""Share of an arm's runs that may hold a call without a price; beyond it an arm could look cheap for want of prices."""

CONCURRENT_FLOOR = 0.8
"""Share of days on which both arms must have runs."""


class Word(StrEnum):
    """The verdict in a word."""

    PASS = "PASS"  # noqa: S105  # a verdict, no password
    NOT_YET = "NOT YET"
    LOSS = "LOSS"
    REFUSED = "REFUSED"


@dataclass(frozen=True)
class Plan:
    """What was set before the start.

    Attributes:
        margin: loss of success that may not be exceeded, 0.02 = two points.
        treated_share: planned share of clusters in the treated arm.
        metric: what cost is divided by.
        planned_runs: effective runs at which the sequence is tightest.
    """

    margin: float
    treated_share: float = 0.5
    metric: Metric = Metric.USD_PER_RUN
    planned_runs: float = PLANNED_RUNS


@dataclass(frozen=True)
class Verification:
    """A verdict with everything that it rests on.

    Attributes:
        word: PASS, NOT YET, LOSS or REFUSED.
        reasons: why, one sentence each.
        control: arm that was left as it is.
        treated: arm that was changed.
        saving: USD per run or success, control minus treated; None: refused before it could be computed.
        success: change of the share of successes; None likewise.
        sample_ratio_p: how probable the split of clusters is under the planned shares.
        n_mixed: clusters seen in both arms, left out of both.
        n_wanted: runs per arm wanted to exclude the margin with 80% power; None: not computable.
        detectable: loss of success that the runs at hand can exclude with 80% power; None likewise.
    """

    word: Word
    reasons: tuple[str, ...]
    control: Arm
    treated: Arm
    saving: Difference | None
    success: Difference | None
    sample_ratio_p: float
    n_mixed: int
    n_wanted: int | None
    detectable: float | None


@dataclass(frozen=True)
class AaCheck:
    """How often an arm set against itself shows a difference that is none.

    Attributes:
        n_splits: random splits of the clusters.
        once_share: splits in which the interval for one look excludes 0; about 5% if all is well.
        always_share: splits in which the sequence excludes 0.
        n: runs.
        n_clusters: clusters.
    """

    n_splits: int
    once_share: float
    always_share: float
    n: int
    n_clusters: int


def verify(
    control: Arm,
    treated: Arm,
    plan: Plan,
    *,
    n_mixed: int = 0,
    concurrent_share: float = 1.0,
    unpriced_share: float = 0.0,
) -> Verification:
    """Return the verdict on a change from its two concurrent arms, priced on one rate card.

    PASS only if the saving is above 0 and the loss of success under the margin, both by a confidence sequence, so that
    it may be asked daily. LOSS if the saving is below 0, or the loss of success above the margin, by the same. REFUSED
    if arms do not have their planned shares (p < .001), if more than 1% of clusters were in both, if an arm has fewer
    than 30 clusters or 10 successes, if the arms did not run side by side on 80% of the days, or if more than 2% of an
    arm's runs have a call without a price.

    Args:
        control: arm that was left as it is.
        treated: arm that was changed.
        plan: what was set before the start.
        n_mixed: clusters seen in both arms, which `control` and `treated` do not hold.
        concurrent_share: share of the days with runs on which both arms had some.
        unpriced_share: share of the runs with a call without a price, in the arm in which it is larger.
    """
    p = sample_ratio_p(treated.n_clusters, control.n_clusters, plan.treated_share)
    refused = _refusals(control, treated, p, n_mixed)
    if concurrent_share < CONCURRENT_FLOOR:
        refused += (f"both arms had runs on {concurrent_share:.0%} of the days only: they did not run side by side",)
    if unpriced_share > UNPRICED_CEILING:
        refused += (
            f"{unpriced_share:.1%} of an arm's runs have calls without a price; `tokenpnl doctor` names the models",
        )
    if refused:
        return Verification(Word.REFUSED, refused, control, treated, None, None, p, n_mixed, None, None)
    saved = saving(control, treated, plan.metric, planned_runs=plan.planned_runs)
    success = success_change(control, treated, planned_runs=plan.planned_runs)
    word, reasons = _judged(saved, success, plan)
    share, effect = control.success_share, success.design_effect
    return Verification(
        word=word,
        reasons=reasons,
        control=control,
        treated=treated,
        saving=saved,
        success=success,
        sample_ratio_p=p,
        n_mixed=n_mixed,
        n_wanted=runs_wanted(share, plan.margin, design_effect=effect),
        detectable=detectable_loss(share, min(control.n, treated.n), design_effect=effect),
    )


def aa_check(arm: Arm, metric: Metric, *, chance: np.random.Generator, n_splits: int = 400) -> AaCheck | None:
    """Return what random splits of one arm's clusters show; None: fewer than 60 clusters or 20 successes.

    Args:
        arm: usually the control arm.
        metric: what cost is divided by.
        chance: splits the clusters.
        n_splits: how many random splits.
    """
    if arm.n_clusters < 2 * FEW_CLUSTERS or arm.n_successes < 2 * FEW_SUCCESSES:
        return None
    once = always = 0
    for _ in range(n_splits):
        order = chance.permutation(arm.n_clusters)
        halves = np.array_split(order, 2)
        one, other = (Arm(arm.cost_usd[part], arm.successes[part], arm.runs[part]) for part in halves)
        found = saving(one, other, metric)
        once += not _holds_zero(found.once.low, found.once.high)
        always += not _holds_zero(found.always.low, found.always.high)
    return AaCheck(n_splits, once / n_splits, always / n_splits, arm.n, arm.n_clusters)


def _refusals(control: Arm, treated: Arm, p: float, n_mixed: int) -> tuple[str, ...]:
    n_all = control.n_clusters + treated.n_clusters + n_mixed
    told = []
    if n_mixed > MIXED_CEILING * n_all:
        told.append(f"{n_mixed:,} of {n_all:,} customers or conversations were in both arms: the arms are mixed")
    for name, arm in (("control", control), ("treated", treated)):
        if arm.n_clusters < FEW_CLUSTERS:
            told.append(f"too few: the {name} arm has {arm.n_clusters} clusters, {FEW_CLUSTERS} are needed")
        elif arm.n_successes < FEW_SUCCESSES:
            told.append(f"too few: the {name} arm has {arm.n_successes} successes, {FEW_SUCCESSES} are needed")
    if p < SAMPLE_RATIO_P:
        told.append(
            f"sample ratio: {treated.n_clusters:,} treated and {control.n_clusters:,} control clusters are not the "
            f"planned shares (p = {p:.2g}); find out who got lost before anything is compared"
        )
    return tuple(told)


def _judged(saved: Difference, success: Difference, plan: Plan) -> tuple[Word, tuple[str, ...]]:
    money, share = saved.always, success.always
    assert money.low is not None
    assert money.high is not None
    assert share.low is not None
    assert share.high is not None
    what = "success" if plan.metric is Metric.USD_PER_SUCCESS else "run"
    cheaper, dearer = money.low > 0, money.high < 0
    harmless, harmful = share.low > -plan.margin, share.high < -plan.margin
    cost = "above 0" if cheaper else "below 0: it costs more" if dearer else "not yet told from 0"
    loss = "inside the margin" if harmless else "beyond the margin" if harmful else "not yet told from the margin"
    points = f"{100 * share.low:+.1f} to {100 * share.high:+.1f} points"
    reasons = (
        f"saving per {what} {money.low:+.3g} to {money.high:+.3g} USD at every look: {cost}",
        f"change of success {points} at every look, margin {-100 * plan.margin:.1f}: {loss}",
    )
    if dearer or harmful:
        return Word.LOSS, reasons
    return (Word.PASS if cheaper and harmless else Word.NOT_YET), reasons


def _holds_zero(low: float | None, high: float | None) -> bool:
    return low is not None and high is not None and low <= 0 <= high
