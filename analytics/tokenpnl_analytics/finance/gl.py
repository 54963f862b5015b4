"""The general ledger: line items posted to accounts, debit and credit, by a versioned map; nothing is left out."""

import polars as pl

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.rules.accounts import AccountsFile, Posting
from tokenpnl_analytics.rules.line_match import COLUMN_OF, first_match
from tokenpnl_analytics.statement import in_periods

EXPENSE, PAYABLE = "expense", "payable"
_COST = pl.col("cost_usd")
_POSTED_BY = ("period", "origin_period", "provider", "account", "cost_centre", "memo")
_TOLD = 5


def journal(lines: pl.DataFrame, accounts: AccountsFile, *, zone: str = "UTC") -> pl.DataFrame:
    """Return the journal of the line items: for each month, account and provider one balanced pair of entries.

    Args:
        lines: table `line_items`; `origin_period` (`YYYY-MM`) may stand beside an adjustment.
        accounts: the map.
        zone: IANA name; months are those of the zone.

    Returns:
        `date` (last day of the month), `period`, `origin_period`, `entry` (expense or payable), `account`,
        `cost_centre`, `provider`, `debit_usd`, `credit_usd`, `currency`, `memo`, `map_version`; sorted. Amounts are
        never negative, and one of the two is NULL. Debits and credits are equal in each period, origin and provider;
        expense debits minus expense credits are the effective cost of the lines, with every digit. What has no price
        is not posted.

    Raises:
        ConfigurationError: some lines fit no rule; `unmapped` lists them.
    """
    posted = _mapped(lines, accounts, zone)
    _refuse(_lacking(posted))
    parts = (
        _entries(posted, EXPENSE, accounts.accounts, pl.col("cost_usd")),
        _entries(posted, PAYABLE, accounts.payables, -pl.col("cost_usd")),
    )
    amount = pl.col("amount_usd")
    return (
        pl.concat(parts)
        .filter(amount != 0)
        .select(
            pl.col("period").dt.month_end().alias("date"),
            pl.col("period").dt.strftime("%Y-%m"),
            "origin_period",
            "entry",
            "account",
            "cost_centre",
            "provider",
            pl.when(amount > 0).then(amount).alias("debit_usd"),
            pl.when(amount < 0).then(-amount).alias("credit_usd"),
            pl.lit("USD").alias("currency"),
            "memo",
            pl.lit(accounts.version or None, pl.String).alias("map_version"),
        )
        .sort("period", "origin_period", "entry", "account", "cost_centre", "provider", "memo", nulls_last=True)
    )


def unmapped(lines: pl.DataFrame, accounts: AccountsFile) -> pl.DataFrame:
    """Return the costs that fit no rule of the map, the dearest first; empty when all are mapped.

    Returns:
        `lacks` (account or payable), `environment, charge_category, cost_category, evaluation, workflow, provider`,
        `n_lines`, `cost_usd`.
    """
    return _lacking(_mapped(lines, accounts, "UTC"))


def _lacking(posted: pl.DataFrame) -> pl.DataFrame:
    """Return what of the mapped sums lacks an account or a payable account, as `unmapped` describes."""
    keys = ["environment", "charge_category", "cost_category", "evaluation", "workflow", "provider"]
    lacking = pl.concat(
        posted.filter(pl.col(entry).is_null()).with_columns(pl.lit(name).alias("lacks"))
        for entry, name in ((EXPENSE, "account"), (PAYABLE, "payable"))
    )
    return (
        lacking.group_by("lacks", *keys)
        .agg(pl.col("n_lines").sum(), _COST.sum())
        .sort("cost_usd", "lacks", *keys, descending=[True, *[False] * 7], nulls_last=True)
    )


def _mapped(lines: pl.DataFrame, accounts: AccountsFile, zone: str) -> pl.DataFrame:
    """Return the priced lines summed by month and everything that a rule may name, with the rules that they fit."""
    if "origin_period" not in lines.columns:
        lines = lines.with_columns(pl.lit(None, pl.String).alias("origin_period"))
    return (
        in_periods(lines.filter(_COST.is_not_null()), "month", zone)
        .with_columns(pl.col("period").dt.replace_time_zone(None).dt.date())
        .group_by("period", "origin_period", *COLUMN_OF.values())
        .agg(_COST.sum(), pl.len().cast(pl.Int64).alias("n_lines"))
        .with_columns(first_match(accounts.accounts).alias(EXPENSE), first_match(accounts.payables).alias(PAYABLE))
    )


def _entries(posted: pl.DataFrame, entry: str, rules: tuple[Posting, ...], amount: pl.Expr) -> pl.DataFrame:
    named = pl.DataFrame(
        [(place, rule.account, rule.cost_centre or None, rule.memo or None) for place, rule in enumerate(rules)],
        schema={entry: pl.Int64, "account": pl.String, "cost_centre": pl.String, "memo": pl.String},
        orient="row",
    )
    return (
        posted.join(named, on=entry)
        .group_by(_POSTED_BY)
        .agg(amount.sum().alias("amount_usd"))
        .with_columns(pl.lit(entry).alias("entry"))
        .select(*_POSTED_BY, "entry", "amount_usd")
    )


def _refuse(lacking: pl.DataFrame) -> None:
    if lacking.is_empty():
        return
    told = [
        ", ".join(f"{name} {value}" for name, value in row.items() if value is not None and name != "n_lines")
        for row in lacking.head(_TOLD).to_dicts()
    ]
    more = f"; and {lacking.height - _TOLD} more" if lacking.height > _TOLD else ""
    raise ConfigurationError(
        f"every cost needs an account in accounts.yaml, and some have none: {'; '.join(told)}{more}; "
        "add rules, or begin with `tokenpnl export gl --template`"
    )
