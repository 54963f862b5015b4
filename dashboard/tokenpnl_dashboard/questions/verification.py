"""Whether a change held: the arms of an experiment out of a book, and the verdict as one document."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.experiments import ByDate, Experiment
from tokenpnl_analytics.unit_cost.units import SEED
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.experiment.arms import Arm, Difference
from tokenpnl_analytics.whatif.experiment.assignment import Sides, assigned, sides
from tokenpnl_analytics.whatif.experiment.observed import observed_change
from tokenpnl_analytics.whatif.experiment.verify import AaCheck, Plan, Verification, aa_check, verify
from tokenpnl_analytics.whatif.replay import begun, repriced
from tokenpnl_analytics.whatif.result import Estimate
from tokenpnl_dashboard.book import Book
from tokenpnl_dashboard.questions.whatif import baseline_of
from tokenpnl_ingest.home import Home

_BEFORE = timedelta(days=56)
_RUN = ["tenant", "run_id"]


@dataclass(frozen=True)
class Verified:
    """A verdict with what did not get into the arms.

    Attributes:
        verification: the verdict.
        sides: the arms and what was left out.
        n_price_versions: rate cards that the books used; above 1 both arms were priced again on the newest.
        priced_share: share of the attempts with usage that have a price.
        aa: the A/A check of the control arm, where it was asked for and has enough.
    """

    verification: Verification
    sides: Sides
    n_price_versions: int
    priced_share: float | None
    aa: AaCheck | None


def verified(book: Book, home: Home, experiment: Experiment, *, until: datetime, aa: bool = False) -> Verified:
    """Return the verdict on an experiment with two concurrent arms.

    Args:
        book: asked for the runs of the workflow since the experiment started.
        home: its prices and success definitions.
        experiment: arms by hash, route or release.
        until: moment of this look; the experiment's own end where that is earlier.
        aa: split the control arm against itself too.
    """
    window = experiment.started, min(until, experiment.until or until)
    baseline = baseline_of(book, home, window, {"workflow": [experiment.workflow]})
    asked: dict[str, Any] = {"since": window[0], "until": window[1], "where": {"workflow": [experiment.workflow]}}
    versions = book.query("distinct", name=LINE_ITEMS.name, column="price_version", **asked).height
    runs = on_one_card(baseline) if versions > 1 else baseline.runs
    found = sides(assigned(runs, baseline.attempts, experiment))
    assert not isinstance(experiment.assignment, ByDate)
    plan = Plan(
        float(experiment.margin),
        float(experiment.assignment.treated_share),
        experiment.metric,
        experiment.planned_runs,
    )
    verdict = verify(
        found.control,
        found.treated,
        plan,
        n_mixed=found.n_mixed,
        concurrent_share=found.concurrent_share,
        unpriced_share=found.unpriced_share,
    )
    chance = np.random.default_rng(SEED)
    check = aa_check(found.control, experiment.metric, chance=chance) if aa else None
    return Verified(verdict, found, versions, baseline.priced_share, check)


def observed(book: Book, home: Home, experiment: Experiment, *, until: datetime) -> Estimate:
    """Return the observed change of an experiment without a holdout, against its untouched workflows.

    Args:
        book: asked for the runs of all its workflows, from eight weeks before the start.
        home: its prices and success definitions.
        experiment: arms by date.
        until: moment of this look; the experiment's own end where that is earlier.
    """
    how = experiment.assignment
    assert isinstance(how, ByDate)
    window = experiment.started - _BEFORE, min(until, experiment.until or until)
    baseline = baseline_of(book, home, window, {"workflow": [experiment.workflow, *how.untouched]})
    runs = baseline.runs.select("workflow", "started_at", pl.col("unit_cost_usd").alias("cost_usd"))
    return observed_change(runs, experiment.started, touched=experiment.workflow, untouched=list(how.untouched))


def on_one_card(baseline: Baseline) -> pl.DataFrame:
    """Return the runs with every attempt priced on the baseline's card: a new price list in between favours no arm."""
    frame = begun(baseline).with_columns(pl.lit(value=True).alias("changed"))
    moved = pl.DataFrame(
        {
            "tenant": frame["tenant"],
            "run_id": frame["run_id"],
            "moved_usd": repriced(frame, baseline.card)["cost_usd"] - frame["cost_usd"],
        }
    )
    by_run = moved.filter(pl.col("run_id").is_not_null()).group_by(_RUN).agg(pl.col("moved_usd").sum()).sort(_RUN)
    joined = baseline.runs.join(by_run, on=_RUN, how="left", maintain_order="left")
    again = pl.col("unit_cost_usd") + pl.col("moved_usd").fill_null(pl.lit(0, MONEY))
    return joined.with_columns(again.alias("unit_cost_usd")).drop("moved_usd")


def document(experiment: Experiment, found: Verified) -> dict[str, Any]:
    """Return the verdict as one document for programs; money in USD as floats: estimates."""
    verdict, aa = found.verification, found.aa
    return {
        "experiment": experiment.name,
        "verdict": verdict.word.value,
        "reasons": list(verdict.reasons),
        "metric": experiment.metric.value,
        "margin": float(experiment.margin),
        "arms": {name: _arm(arm) for name, arm in (("control", verdict.control), ("treated", verdict.treated))},
        "saving_usd": _difference(verdict.saving),
        "success_change": _difference(verdict.success),
        "sample_ratio_p": verdict.sample_ratio_p,
        "n_mixed": verdict.n_mixed,
        "n_unassigned_runs": found.sides.n_unassigned,
        "n_unsettled_runs": found.sides.n_unsettled,
        "concurrent_share": found.sides.concurrent_share,
        "unpriced_share": found.sides.unpriced_share,
        "n_wanted_per_arm": verdict.n_wanted,
        "detectable_loss": verdict.detectable,
        "n_price_versions": found.n_price_versions,
        "priced_share": found.priced_share,
        "aa": None if aa is None else {**vars(aa)},
    }


def _arm(arm: Arm) -> dict[str, float | int | None]:
    cost, won = float(arm.cost_usd.sum()), arm.n_successes
    return {
        "n_runs": arm.n,
        "n_clusters": arm.n_clusters,
        "cost_usd": cost,
        "usd_per_run": cost / arm.n if arm.n else None,
        "successes": won,
        "success_share": won / arm.n if arm.n else None,
        "usd_per_success": cost / won if won else None,
    }


def _difference(found: Difference | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "value": found.once.value,
        "one_look": [found.once.low, found.once.high],
        "any_look": [found.always.low, found.always.high],
        "n": found.once.n,
        "effective_runs": found.always.ess,
        "design_effect": found.design_effect,
        "method": found.always.method,
    }
