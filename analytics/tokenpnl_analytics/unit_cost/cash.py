"""The cash view: cost incurred and outcomes that became true in the same days. It stands on the statement only."""

from datetime import datetime

import polars as pl

from tokenpnl.model import OutcomeStatus
from tokenpnl_analytics.frames import MONEY, known_sum

NOTE = "not a unit cost"


def cash_view(
    line_items: pl.DataFrame, runs: pl.DataFrame, *, since: datetime | None = None, until: datetime | None = None
) -> pl.DataFrame:
    """Return what was spent and what was achieved in [since, until), whatever run either belongs to.

    The two sides are of different runs, so their quotient is no cost of anything, and none is given.

    Args:
        line_items: table `line_items`.
        runs: table `runs`: every run whose outcome may have become true in the period, whenever it started.
        since: aware; None: from the beginning.
        until: aware; None: to the end.

    Returns:
        One row: `cost_usd`, `n_success`, `n_failure`, `n_abandoned`, `value_usd` (stated or configured, of those
        outcomes; NULL: none is known), `note`.
    """
    spent = line_items.filter(_within("started_at", since, until)).select(known_sum(pl.col("cost_usd")))
    told = runs.filter(_within("outcome_at", since, until) & pl.col("outcome").is_not_null())
    counts = [
        (pl.col("outcome") == status.value).sum().cast(pl.Int64).alias(f"n_{status.value}") for status in OutcomeStatus
    ]
    value = pl.when(pl.col("value_usd").count() > 0).then(pl.col("value_usd").sum().cast(MONEY)).alias("value_usd")
    return pl.concat([spent, told.select(*counts, value)], how="horizontal").with_columns(pl.lit(NOTE).alias("note"))


def _within(column: str, since: datetime | None, until: datetime | None) -> pl.Expr:
    inside = pl.lit(value=True)
    if since is not None:
        inside &= pl.col(column) >= pl.lit(since)
    if until is not None:
        inside &= pl.col(column) < pl.lit(until)
    return inside
