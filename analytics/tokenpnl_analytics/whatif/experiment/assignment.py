"""Which run was in which arm, as the experiment's file has it."""

from dataclasses import dataclass

import polars as pl

from tokenpnl_analytics.rules.experiments import ByDate, ByHash, ByRoute, Experiment
from tokenpnl_analytics.whatif.experiment.arms import Arm
from tokenpnl_analytics.whatif.resampling.halves import places

_RUN = ["tenant", "run_id"]
CONTROL, TREATED, MIXED = "control", "treated", "mixed"


@dataclass(frozen=True)
class Sides:
    """Two arms with what did not get into them.

    Attributes:
        control: arm that was left as it is.
        treated: arm that was changed.
        n_mixed: units seen in both arms, left out of both.
        n_unassigned: settled runs that belong to no arm or name no unit, left out.
        n_unsettled: runs younger than their outcome window, left out of both arms alike.
        concurrent_share: share of the days with runs on which both arms had some; 0 without any.
        unpriced_share: share of the runs with a call that has no price, in the arm in which it is larger.
    """

    control: Arm
    treated: Arm
    n_mixed: int
    n_unassigned: int
    n_unsettled: int
    concurrent_share: float
    unpriced_share: float


def assigned(runs: pl.DataFrame, attempts: pl.DataFrame, experiment: Experiment) -> pl.DataFrame:
    """Return the runs with `unit` (NULL: it names none) and `arm`: control, treated, mixed, or NULL.

    Args:
        runs: `tenant, run_id, customer_id, session_id, release` and more; order and columns are kept.
        attempts: `tenant, run_id, route_policy, route_arm` of the model calls in them.
        experiment: how arms are known, by anything but a date.
    """
    how = experiment.assignment
    assert not isinstance(how, ByDate)
    named = runs.with_columns(pl.col(how.unit.column).alias("unit"))
    if isinstance(how, ByHash):
        units = named["unit"].drop_nulls().unique().sort()
        treated = places(units, how.salt) < float(how.treated_share)
        arms = pl.when(pl.Series(treated, dtype=pl.Boolean)).then(pl.lit(TREATED)).otherwise(pl.lit(CONTROL))
        of_units = pl.DataFrame({"unit": units}, schema={"unit": pl.String}).with_columns(arms.alias("arm"))
        return named.join(of_units, on="unit", how="left", maintain_order="left")
    words = {experiment.arms.control: CONTROL, experiment.arms.treated: TREATED}
    if not isinstance(how, ByRoute):
        return named.with_columns(pl.col("release").replace_strict(words, default=None).alias("arm"))
    routed = attempts.filter(pl.col("route_policy") == how.policy) if how.policy else attempts
    of_runs = (
        routed.with_columns(pl.col("route_arm").replace_strict(words, default=None).alias("arm"))
        .filter(pl.col("arm").is_not_null())
        .group_by(_RUN)
        .agg(pl.when(pl.col("arm").n_unique() > 1).then(pl.lit(MIXED)).otherwise(pl.col("arm").min()).alias("arm"))
        .sort(_RUN)
    )
    return named.join(of_runs, on=_RUN, how="left", maintain_order="left")


def sides(runs: pl.DataFrame) -> Sides:
    """Return the two arms over settled runs, units seen in both left out.

    Args:
        runs: result of `assigned` over one of `cohort`: `unit, arm, settled, succeeded, unit_cost_usd,
            n_unpriced, started_at`.
            A run without a priced cost counts as costing nothing; `unpriced_share` tells how many there are.
    """
    settled = runs.filter("settled")
    known = settled.filter(pl.col("arm").is_not_null() & pl.col("unit").is_not_null())
    both = (pl.col("arm").n_unique() > 1).over("unit") | (pl.col("arm") == MIXED).any().over("unit")
    told = known.with_columns(both.alias("both"))
    clean = told.filter(~pl.col("both"))
    days = clean.group_by(pl.col("started_at").dt.date().alias("day")).agg(pl.col("arm").n_unique() > 1).sort("day")
    share = days["arm"].mean()
    return Sides(
        control=_arm(clean, CONTROL),
        treated=_arm(clean, TREATED),
        n_mixed=told.filter("both")["unit"].n_unique(),
        n_unassigned=settled.height - known.height,
        n_unsettled=runs.height - settled.height,
        concurrent_share=float(share) if isinstance(share, float) else 0.0,
        unpriced_share=_unpriced_share(clean),
    )


def _unpriced_share(runs: pl.DataFrame) -> float:
    lacking = (pl.col("unit_cost_usd").is_null() | (pl.col("n_unpriced") > 0)).mean()
    found = runs.group_by("arm").agg(lacking.alias("share")).sort("arm")["share"].max()
    return float(found) if isinstance(found, float) else 0.0


def _arm(runs: pl.DataFrame, name: str) -> Arm:
    # Float64 from here on: estimates.
    kept = runs.filter(pl.col("arm") == name).sort("unit", "tenant", "run_id")
    cost = kept["unit_cost_usd"].cast(pl.Float64).fill_null(0.0).to_numpy()
    units = (kept["unit"].rank("dense").cast(pl.Int64) - 1).to_numpy()
    return Arm.of(cost, kept["succeeded"].cast(pl.Float64).to_numpy(), units)
