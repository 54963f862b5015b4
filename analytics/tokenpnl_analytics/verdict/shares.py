"""Five shares that sum to 100% of what settled runs of production cost, to the last digit."""

import polars as pl

from tokenpnl.model import WITHOUT_DIRECT_RESULT, CostCategory, CostSource, Operation
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.pricing.prices import FEE_KIND
from tokenpnl_analytics.verdict.classes import StepClass

SHARES = ("reasoning", "glue", "unclassified", "waste", "other")
IDLE = "(idle capacity)"
_RUN = ["tenant", "run_id"]
_JUDGED = (CostCategory.PRODUCTIVE.value, CostCategory.FALLBACK.value)
_WASTE = [category.value for category in WITHOUT_DIRECT_RESULT]


def dollars(lines: pl.DataFrame, attempts: pl.DataFrame, runs: pl.DataFrame, classes: pl.DataFrame) -> pl.DataFrame:
    """Return the five parts of what settled runs cost, one row per step.

    Args:
        lines: table `line_items`, capacity among them.
        attempts: table `attempts`; tells which lines are of a model that answers.
        runs: result of `cohort`, with `settled` and `capacity_share_usd`.
        classes: `workflow, step, class`.

    Returns:
        `workflow, step, class`, `reasoning_usd, glue_usd, unclassified_usd, waste_usd, other_usd, total_usd` (Decimal),
        `n_lines, n_unpriced`, dearest first. What pools left idle is a row of its own step. The totals sum to the
        priced cost of the settled runs exactly.
    """
    settled = runs.filter("settled")
    operation = attempts.select("tenant", "attempt_id", "operation")
    ours = (
        lines.join(settled.select(_RUN), on=_RUN, how="semi")
        .join(operation, on=["tenant", "attempt_id"], how="left")
        .join(classes.select("workflow", "step", "class"), on=["workflow", "step"], how="left", nulls_equal=True)
        .with_columns(pl.col("class").fill_null(StepClass.UNCLASSIFIED.value))
    )
    rows = ours.with_columns(_part().alias("part")).select(
        "workflow",
        "step",
        "class",
        "part",
        "cost_usd",
        (pl.col("cost_source") == CostSource.UNPRICED.value).alias("unpriced"),
    )
    idle = settled.filter(pl.col("capacity_share_usd") > 0).select(
        "workflow",
        pl.lit(IDLE).alias("step"),
        pl.lit(StepClass.UNCLASSIFIED.value).alias("class"),
        pl.lit("other").alias("part"),
        pl.col("capacity_share_usd").alias("cost_usd"),
        pl.lit(value=False).alias("unpriced"),
    )
    return (
        pl.concat([rows, idle.select(rows.columns)])
        .group_by("workflow", "step", "class")
        .agg(
            *(
                pl.col("cost_usd").filter(pl.col("part") == name).sum().cast(MONEY).alias(f"{name}_usd")
                for name in SHARES
            ),
            pl.col("cost_usd").sum().cast(MONEY).alias("total_usd"),
            pl.len().cast(pl.Int64).alias("n_lines"),
            pl.col("unpriced").sum().cast(pl.Int64).alias("n_unpriced"),
        )
        .sort("total_usd", "workflow", "step", descending=[True, False, False])
    )


def _part() -> pl.Expr:
    """Return the share that a line belongs to; only productive and fallback dollars of a model go by the class."""
    judged = (
        pl.col("cost_category").is_in(_JUDGED)
        & (pl.col("usage_kind") != FEE_KIND)
        & (pl.col("operation") == Operation.INFERENCE.value).fill_null(value=False)
    )
    return (
        pl.when(judged)
        .then("class")
        .when(pl.col("cost_category").is_in(_WASTE))
        .then(pl.lit("waste"))
        .otherwise(pl.lit("other"))
    )
