"""Did a cheaper model do a step with the same success? Answered only where a router left it to chance and logged so."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from tokenpnl.model import OutcomeStatus
from tokenpnl_analytics.whatif.off_policy.evaluation import contrast
from tokenpnl_analytics.whatif.result import Evidence

MARGIN = 0.02
"""The same success: at most two points fewer, with 95% confidence."""
LEAST_RUNS = 200
_STEP = ["workflow", "step"]
SCHEMA = {
    "workflow": pl.String(),
    "step": pl.String(),
    "cheaper": pl.String(),
    "dearer": pl.String(),
    "difference": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "n": pl.Int64(),
    "evidence": pl.String(),
    "method": pl.String(),
    "because": pl.String(),
}


def comparisons(attempts: pl.DataFrame, *, chance: np.random.Generator) -> pl.DataFrame:
    """Return the success of each step's cheapest routed model less that of its dearest, on the same runs.

    Args:
        attempts: those of settled runs, with `workflow, step, tenant, run_id, cluster` (Int64), `cost_usd` (effective,
            NULL: unpriced), `outcome` of the run, and `route_arm, route_propensity` (NULL: not logged).
        chance: draws folds and bootstrap weights.

    Returns:
        One row per step whose router logged its probabilities: `workflow, step, cheaper, dearer` (arms), `difference`
        (0.01 is one point; NULL: refused), `low`, `high`, `n` (runs), `evidence`, `method`, `because` (why there is no
        estimate). Sorted.
    """
    routed = attempts.filter(pl.col("route_arm").is_not_null() & pl.col("route_propensity").is_not_null())
    # One decision a run: several calls of a step share one outcome.
    first = routed.sort("started_at").unique(["tenant", "run_id", *_STEP], keep="first", maintain_order=True)
    rows = []
    for (workflow, step), taken in first.sort(*_STEP, "started_at").group_by(_STEP, maintain_order=True):
        cheaper, dearer = _ends(taken)
        if cheaper == dearer or taken.height < LEAST_RUNS:
            continue
        logged = taken.select(
            "route_arm",
            "route_propensity",
            pl.col("outcome").eq_missing(OutcomeStatus.SUCCESS.value).cast(pl.Float64).alias("reward"),
            pl.col("cost_usd").cast(pl.Float64).alias("cost"),
            "cluster",
        )
        found, evidence, _ = contrast(logged, (cheaper, dearer), chance=chance)
        told = (found.value, found.low, found.high, found.n, evidence.value, found.method, found.refused_because)
        rows.append((workflow, step, cheaper, dearer, *told))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def same_success(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with `same` and `worse`: what the cheaper one did, `estimated` or better; else both false."""
    sure = (
        pl.col("evidence").is_in([Evidence.ESTIMATED.value, Evidence.VERIFIED.value])
        & pl.col("difference").is_not_null()
    )
    return rows.with_columns(
        (sure & (pl.col("low") >= -MARGIN)).fill_null(value=False).alias("same"),
        (sure & (pl.col("high") < 0)).fill_null(value=False).alias("worse"),
    )


def _ends(taken: pl.DataFrame) -> Sequence[str]:
    prices = taken.group_by("route_arm").agg(pl.col("cost_usd").cast(pl.Float64).mean()).drop_nulls().sort("cost_usd")
    arms: list[str] = prices["route_arm"].to_list()
    return (arms[0], arms[-1]) if len(arms) > 1 else ("", "")
