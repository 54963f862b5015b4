"""From rows of the statement to the frames that figures draw: what is a step of the ladder, and its share."""

from decimal import Decimal

import polars as pl

from tokenpnl.model import CostCategory
from tokenpnl_analytics.unit_cost.intervals import FEW_SUCCESSES
from tokenpnl_analytics.unit_cost.units import PRICED_SHARE_FLOOR
from tokenpnl_dashboard import words

OTHERS = "(others)"
LADDER = ("list", "discount", "contracted", "covered", "commitment", "effective")
TITLE = {
    "list": "List cost",
    "discount": "Negotiated discount",
    "contracted": "Contracted cost",
    "covered": "Paid by commitments",
    "commitment": "Commitments, amortised",
    "effective": "Effective cost",
}
_TOTALS = ("list", "contracted", "effective")
# Without commitments contracted and effective cost are one, and one bar says it.
_OF_COMMITMENTS = ("contracted", "covered", "commitment")
# Down the ladder the largest doubts come first and what gave a result is left at the end.
DOWN = tuple(c for c in CostCategory if c not in (CostCategory.PRODUCTIVE, CostCategory.FALLBACK))


def ladder(row: pl.DataFrame) -> pl.DataFrame:
    """Return the steps from list cost to productive cost, as `charts.waterfall` draws them.

    Args:
        row: one row of `statement`.

    Returns:
        `line, title, total, amount_usd` (what is taken off; an addition is negative), `share` (of effective cost; null
        above it). Categories without cost have no row, nor has what is unknown.
    """
    steps = [(name, TITLE[name], name in _TOTALS) for name in LADDER]
    steps += [(category.value, words.category(category), False) for category in (*DOWN, CostCategory.FALLBACK)]
    steps.append((CostCategory.PRODUCTIVE.value, words.category(CostCategory.PRODUCTIVE), True))
    added = pl.col("commitment_usd").neg()
    amounts = row.with_columns(added).select(pl.col(f"{line}_usd").first().alias(line) for line, _, _ in steps).row(0)
    reserved = any(amounts[LADDER.index(name)] for name in ("covered", "commitment"))
    kept = LADDER if reserved else tuple(name for name in LADDER if name not in _OF_COMMITMENTS)
    return (
        pl.DataFrame(steps, schema={"line": pl.String, "title": pl.String, "total": pl.Boolean}, orient="row")
        .with_columns(pl.Series("amount_usd", amounts, dtype=pl.Decimal(38, 12)))
        .filter(pl.col("amount_usd").is_not_null())
        .filter(pl.col("line").is_in(kept) | ~pl.col("line").is_in(LADDER))
        .filter(pl.col("line").is_in(["list", "discount"]) | pl.col("total") | (pl.col("amount_usd") != 0))
        .with_columns(share=pl.when(~pl.col("line").is_in(LADDER[:-1])).then(_share_of_effective()))
    )


def _share_of_effective() -> pl.Expr:
    effective = pl.col("amount_usd").filter(pl.col("line") == "effective").first().cast(pl.Float64)
    return pl.col("amount_usd").cast(pl.Float64) / effective.replace(0.0, None)


def shares(costs: pl.DataFrame, row: str, *, top: int) -> pl.DataFrame:
    """Return each category's share of its row's cost, as `charts.category_shares` draws them, the dearest rows first.

    Args:
        costs: the column `row`, `cost_category`, `cost_usd`.
        row: name of the column that tells rows apart.
        top: how many rows to keep.
    """
    cost = pl.col("cost_usd").cast(pl.Float64)
    return (
        costs.filter(pl.col("cost_usd") > 0)
        .with_columns(pl.col(row).alias("row"), cost.sum().over(row).alias("whole"))
        .with_columns((cost / pl.col("whole")).alias("share"))
        .filter(pl.col("whole").rank("dense", descending=True) <= top)
        .sort("whole", "row", descending=[True, False], maintain_order=True)
        .select("row", "cost_category", "cost_usd", "share")
    )


def daily(days: pl.DataFrame) -> list[float]:
    """Return the cost of each day in order, for a sparkline.

    Args:
        days: `day`, `cost_usd`, sorted by day.
    """
    cost = pl.col("cost_usd").sum().cast(pl.Float64)
    return days.group_by("day", maintain_order=True).agg(cost)["cost_usd"].to_list()


def dearest(lines: pl.DataFrame, column: str, *, most: int) -> pl.Series:
    """Return the values of the column that cost most, at most `most`."""
    cost = pl.col("cost_usd").sum()
    return (
        lines.group_by(column)
        .agg(cost)
        .sort("cost_usd", column, descending=[True, False], nulls_last=True)[column]
        .head(most)
    )


def folded(frame: pl.DataFrame, column: str, kept: pl.Series) -> pl.DataFrame:
    """Return the frame with every value of the column that is not kept as one value, `OTHERS`."""
    known = pl.col(column).is_in(kept.implode(), nulls_equal=True)
    return frame.with_columns(pl.when(known).then(column).otherwise(pl.lit(OTHERS)).alias(column))


def unit_dots(units: pl.DataFrame, by: str = "workflow") -> pl.DataFrame:
    """Return the settled cost per success of each slice, as `charts.units.cost_per_success` draws it.

    Args:
        units: result of `unit_costs` by one dimension.
        by: that dimension; its values are the column `workflow` of the result.
    """
    few = pl.col("settled_successes") < FEW_SUCCESSES
    floor = few | (pl.col("priced_share") < PRICED_SHARE_FLOOR)
    # Of few successes only the lower limit is known; where nothing is priced there is none either.
    shown = pl.when(few).then("at_least_usd").otherwise("settled_usd")
    return units.sort("cost_usd", descending=True, nulls_last=True).select(
        pl.col(by).fill_null("(none)").alias("workflow"),
        # A floor of nothing says nothing: no attempt of this workflow has a price.
        pl.when(pl.col("settled_usd") > 0).then(shown.cast(pl.Float64)).alias("estimate"),
        "low",
        "high",
        pl.col("settled_successes").alias("n"),
        floor.fill_null(value=False).alias("at_least"),
        pl.when(pl.col("settled_usd") == 0)
        .then(pl.lit("no price is known"))
        .otherwise(pl.col("caveats").replace("", None))
        .alias("note"),
        "to_date_usd",
        "method",
        "n_settled",
        "window_days",
    )


def share(part: Decimal | int | None, whole: Decimal | int | None) -> float | None:
    """Return the part as a share of the whole; None where there is no whole."""
    return None if part is None or not whole else float(part) / float(whole)


def relative_change(now: Decimal | float | None, before: Decimal | float | None) -> float | None:
    """Return the change from before to now as a ratio; None where there is nothing to compare with."""
    if now is None or not before:
        return None
    return float(now) / float(before) - 1
