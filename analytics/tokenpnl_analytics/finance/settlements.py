"""Entries beside cost: credit bought and used, and the exchange difference of invoices; balanced, pair by pair.

Neither is a cost: what usage costs is posted by `gl.journal` at the rates of the month, against the payable account.
These entries say how the payable is met.
"""

import polars as pl

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.capacity.prepaid import BOUGHT, USED
from tokenpnl_analytics.finance.gl import PAYABLE
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.accounts import AccountsFile, Booked
from tokenpnl_analytics.rules.line_match import COLUMN_OF, first_match

PREPAID, FX = "prepaid", "fx_residual"
_OWED = pl.Schema({"period": pl.Date(), "provider": pl.String(), "usd": MONEY})


def prepaid_entries(moves: pl.DataFrame, accounts: AccountsFile) -> pl.DataFrame:
    """Return the journal of credit: bought is Dr prepaid / Cr payable, used is Dr payable / Cr prepaid.

    Usage has credited the payable account already, so that what credit paid stands on the asset alone. What expired
    stays on the asset until somebody writes it off; `balances` shows it.

    Args:
        moves: result of `capacity.prepaid.moves` of the months that are posted.
        accounts: the map, with `prepaid` where there are moves.

    Returns:
        Columns of `gl.journal`, sorted.

    Raises:
        ConfigurationError: the map has no account for credit, or none for what is owed to its provider.
    """
    signed = pl.when(pl.col("move") == BOUGHT).then(pl.col("usd")).otherwise(-pl.col("usd")).alias("usd")
    ours = moves.filter(pl.col("move").is_in([BOUGHT, USED]))
    owed = ours.with_columns(pl.col("day").dt.month_start().alias("period"), signed)
    # A purchase and a use are two facts: they stand apart, and do not cancel.
    parts = [owed.filter(pl.col("move") == move) for move in (BOUGHT, USED)]
    return pl.concat([_pairs(part, PREPAID, accounts.prepaid, accounts) for part in parts])


def fx_entries(residuals: pl.DataFrame, accounts: AccountsFile) -> pl.DataFrame:
    """Return the journal of exchange differences: what an invoice costs at the rate of its date beyond the month's.

    Args:
        residuals: `period` (first day of the month), `provider`, `usd` (payable at the invoice's rate minus booked at
            the month's average), of the reconciled invoices.
        accounts: the map, with `fx_residual` where there is a difference.

    Returns:
        Columns of `gl.journal`, sorted.

    Raises:
        ConfigurationError: the map has no account for differences, or none for what is owed to the provider.
    """
    return _pairs(residuals, FX, accounts.fx_residual, accounts)


def _pairs(owed: pl.DataFrame, entry: str, booked: Booked | None, accounts: AccountsFile) -> pl.DataFrame:
    sums = owed.group_by("period", "provider").agg(pl.col("usd").sum()).filter(pl.col("usd") != 0)
    if sums.is_empty():
        return _posted(sums.select(_OWED.names()), entry, "", None, None, accounts)
    if booked is None:
        raise ConfigurationError(f'accounts.yaml has no account for {entry}; add {entry}: {{account: "..."}}')
    dimensions = [pl.lit(None, pl.String).alias(name) for name in COLUMN_OF.values() if name != "provider"]
    matched = sums.with_columns(*dimensions).with_columns(first_match(accounts.payables).alias("rule"))
    for provider in matched.filter(pl.col("rule").is_null())["provider"].sort():
        raise ConfigurationError(f"accounts.yaml has no payable account for {provider}, whose {entry} is posted")
    parts = [_posted(sums, entry, booked.account, booked.cost_centre or None, booked.memo or None, accounts)]
    for (rule,), ours in matched.group_by("rule", maintain_order=True):
        payable = accounts.payables[int(str(rule))]
        against = ours.select("period", "provider", -pl.col("usd"))
        told = (payable.account, payable.cost_centre or None, payable.memo or None)
        parts.append(_posted(against, PAYABLE, *told, accounts))
    return pl.concat(parts).sort("period", "provider", "entry", "account")


def _posted(
    sums: pl.DataFrame, entry: str, account: str, cost_centre: str | None, memo: str | None, accounts: AccountsFile
) -> pl.DataFrame:
    amount = pl.col("usd")
    return sums.select(
        pl.col("period").dt.month_end().alias("date"),
        pl.col("period").dt.strftime("%Y-%m"),
        pl.lit(None, pl.String).alias("origin_period"),
        pl.lit(entry).alias("entry"),
        pl.lit(account).alias("account"),
        pl.lit(cost_centre, pl.String).alias("cost_centre"),
        "provider",
        pl.when(amount > 0).then(amount).alias("debit_usd"),
        pl.when(amount < 0).then(-amount).alias("credit_usd"),
        pl.lit("USD").alias("currency"),
        pl.lit(memo, pl.String).alias("memo"),
        pl.lit(accounts.version or None, pl.String).alias("map_version"),
    )
