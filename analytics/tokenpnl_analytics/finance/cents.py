"""A journal in whole cents: months are rounded once, and their parts by largest remainder, so that all sums hold.

The books keep twelve decimals, and so does the journal; ledgers that take cents only import this one.
"""

import polars as pl

from tokenpnl_analytics.frames import MONEY

CENTS = pl.Decimal(38, 2)
_EXPENSE = pl.col("entry") == "expense"
_OF = ["period", "origin_period", "provider"]
_TIES = ["entry", "account", "cost_centre", "memo"]
_HUNDRED = pl.lit(100, pl.Int64)


def in_cents(entries: pl.DataFrame) -> pl.DataFrame:
    """Return a journal whose amounts are whole cents.

    The expense of each month is rounded half-even; months, providers and accounts share it by largest remainder. So
    debits and credits stay equal in each period, origin and provider, a month is off by half a cent at most, an entry
    by less than a cent, and no account for rounding is needed. Entries of less than a cent may vanish.

    Args:
        entries: result of `journal`.

    Returns:
        The same columns and order, `debit_usd` and `credit_usd` with two decimals.
    """
    signed = (pl.col("debit_usd").fill_null(0) - pl.col("credit_usd").fill_null(0)).cast(MONEY).alias("amount")
    exact = entries.with_columns(signed).sort(*_OF, *_TIES, nulls_last=True)
    owed = exact.filter(_EXPENSE).group_by(_OF, maintain_order=True).agg(pl.col("amount").sum())
    months = pl.col("amount").sum().over("period").round(2, mode="half_to_even")
    owed = _shared(owed, months, ["period"]).select(*_OF, pl.col("cents").alias("owed"))
    known = exact.join(owed, on=_OF, how="left", nulls_equal=True, maintain_order="left")
    shared = _shared(known, pl.when(_EXPENSE).then("owed").otherwise(-pl.col("owed")), [*_OF, "entry"])
    cents = pl.col("cents")
    return (
        shared.filter(cents != 0)
        .with_columns(
            pl.when(cents > 0).then(cents).cast(CENTS).alias("debit_usd"),
            pl.when(cents < 0).then(-cents).cast(CENTS).alias("credit_usd"),
        )
        .select(entries.columns)
        .sort("period", "origin_period", "entry", "account", "cost_centre", "provider", "memo", nulls_last=True)
    )


def _shared(frame: pl.DataFrame, whole: pl.Expr, of: list[str]) -> pl.DataFrame:
    """Return `cents`: each amount rounded down or up to a cent, so that those of a group add up to its whole."""
    down = (pl.col("amount") * _HUNDRED).floor().cast(MONEY)
    told = frame.with_columns(
        down.alias("down"), (pl.col("amount") * _HUNDRED - down).alias("rest"), whole.cast(MONEY).alias("whole")
    )
    lacking = (pl.col("whole") * _HUNDRED - pl.col("down").sum().over(of)).cast(pl.Int64)
    rank = pl.col("rest").rank("ordinal", descending=True).over(of).cast(pl.Int64)
    raised = pl.col("down") + (rank <= lacking).cast(pl.Int64)
    return told.with_columns((raised / _HUNDRED).cast(MONEY).alias("cents")).drop("down", "rest", "whole")
