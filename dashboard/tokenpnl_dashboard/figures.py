"""From rows of the statement to the frames that figures draw: what is a step of the ladder, and its share."""

import polars as pl

from tokenpnl.model import CostCategory
from tokenpnl_dashboard import words

LADDER = ("list", "discount", "effective")
TITLE = {
    "list": "List cost",
    "discount": "Negotiated discount",
    "effective": "Effective cost",
    "contracted": "Contracted cost",
}
# Down the ladder the largest doubts come first and what gave a result is left at the end.
DOWN = tuple(c for c in CostCategory if c not in (CostCategory.PRODUCTIVE, CostCategory.FALLBACK))


def ladder(row: pl.DataFrame) -> pl.DataFrame:
    """Return the steps from list cost to productive cost, as `charts.waterfall` draws them.

    Args:
        row: one row of `statement`.

    Returns:
        `line, title, total, amount_usd, share` (of effective cost; null above it). Categories without cost have no row.
    """
    steps = [(name, TITLE[name], name != "discount") for name in LADDER]
    steps += [(category.value, words.category(category), False) for category in (*DOWN, CostCategory.FALLBACK)]
    steps.append((CostCategory.PRODUCTIVE.value, words.category(CostCategory.PRODUCTIVE), True))
    amounts = row.select(pl.col(f"{line}_usd").first().alias(line) for line, _, _ in steps).row(0)
    return (
        pl.DataFrame(steps, schema={"line": pl.String, "title": pl.String, "total": pl.Boolean}, orient="row")
        .with_columns(pl.Series("amount_usd", amounts, dtype=pl.Decimal(38, 12)))
        .filter(pl.col("line").is_in(LADDER) | pl.col("total") | (pl.col("amount_usd") != 0))
        .with_columns(share=pl.when(~pl.col("line").is_in(["list", "discount"])).then(_share_of_effective()))
    )


def _share_of_effective() -> pl.Expr:
    effective = pl.col("amount_usd").filter(pl.col("line") == "effective").first().cast(pl.Float64)
    return pl.col("amount_usd").cast(pl.Float64) / effective.replace(0.0, None)


def shares(costs: pl.DataFrame, row: str) -> pl.DataFrame:
    """Return each category's share of its row's cost, as `charts.category_shares` draws them.

    Args:
        costs: `row`, `cost_category`, `cost_usd`.
        row: name of the column that tells rows apart.
    """
    cost = pl.col("cost_usd").cast(pl.Float64)
    return costs.filter(pl.col("cost_usd") > 0).select(
        pl.col(row).alias("row"),
        "cost_category",
        "cost_usd",
        (cost / cost.sum().over(row)).alias("share"),
    )


def relative_change(now: float | None, before: float | None) -> float | None:
    """Return the change from before to now as a ratio; None where there is nothing to compare with."""
    if now is None or not before:
        return None
    return float(now) / float(before) - 1
