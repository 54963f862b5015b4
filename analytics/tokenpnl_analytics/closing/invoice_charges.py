"""The dollars of an invoice: native amounts to USD at two rates, and the charges beside usage."""

from datetime import date

import polars as pl

from tokenpnl.errors import ConfigurationError
from tokenpnl.model import ChargeKind
from tokenpnl_analytics.closing.billing_cells import account_of, billed_account
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.prices import FxFile
from tokenpnl_analytics.rules.reconciliation import ReconciliationFile

AMORTISED = "amortised in the books"
CHARGES = pl.Schema(
    {
        "provider": pl.String(),
        "account": pl.String(),
        "step": pl.String(),  # of the waterfall: commitment, credits, fees_and_tax, fx
        "description": pl.String(),
        "charge_category": pl.String(),
        "currency": pl.String(),
        "cost": MONEY,  # native; null: not on the invoice
        "booked_usd": MONEY,
    }
)


def in_usd(invoice: pl.DataFrame, fx: FxFile, *, month: str, invoiced_on: date) -> pl.DataFrame:
    """Return the lines with `booked_usd` at the month's average rate and `payable_usd` at that of the invoice's date.

    The books of a month hold every currency at its average; what is paid is converted on the day of the invoice. Usage
    reports, which have no cost, get none.

    Raises:
        ConfigurationError: `fx.yaml` has no rate for a currency of the invoice.
    """
    rows = []
    for currency in invoice.filter(pl.col("cost").is_not_null())["currency"].unique().sort():
        booked, payable = fx.month_rate(currency, month), fx.date_rate(currency, invoiced_on)
        if booked is None:
            raise _no_rate(currency, f"months: {{{currency}: {{{month}: RATE}}}}")
        if payable is None:
            raise _no_rate(currency, f"dates: {{{currency}: {{{invoiced_on}: RATE}}}}")
        rows.append((currency, booked, payable))
    rates = pl.DataFrame(rows, schema={"currency": pl.String, "booked": MONEY, "payable": MONEY}, orient="row")
    return (
        invoice.join(rates, on="currency", how="left", maintain_order="left")
        .with_columns(
            (pl.col("cost") * pl.col("booked")).alias("booked_usd"),
            (pl.col("cost") * pl.col("payable")).alias("payable_usd"),
        )
        .drop("booked", "payable")
    )


def charges_of(billed: pl.DataFrame, traced: pl.DataFrame, rules: ReconciliationFile) -> pl.DataFrame:
    """Return what the invoice bills beside usage, less the commitments that the books amortise, and its FX difference.

    Args:
        billed: charges of the month with `booked_usd` and `payable_usd`.
        traced: line items of the month; those of commitments are taken off.
        rules: accounts.

    Returns:
        Schema `CHARGES`, sorted by provider, account, step and description.
    """
    category, account = pl.col("charge_category"), billed_account(rules).alias("account")
    committed = pl.when(pl.col("commitment")).then(pl.lit("commitment")).otherwise(pl.lit("fees_and_tax"))
    step = pl.when(category == "Credit").then(pl.lit("credits")).otherwise(committed)
    beside = billed.filter(category != "Usage").with_columns(account, step.alias("step"))
    residual = (
        billed.with_columns(account)
        .group_by("provider", "account", "currency")
        .agg(pl.col("cost").sum(), (pl.col("payable_usd") - pl.col("booked_usd")).sum().alias("booked_usd"))
        .filter(pl.col("booked_usd") != 0)
        .with_columns(pl.lit("fx_residual").alias("step"), pl.col("currency").alias("description"))
    )
    ours = traced.filter(
        pl.col("usage_kind") == ChargeKind.COMMITMENT.value,
        pl.col("provider").is_in(billed["provider"].unique().implode()),
    )
    amortised = (
        ours.group_by("provider", account_of(rules).alias("account"))
        .agg((-pl.col("cost_usd").sum()).alias("booked_usd"))
        .with_columns(pl.lit("commitment").alias("step"), pl.lit(AMORTISED).alias("description"))
    )
    parts = pl.concat([_shaped(part) for part in (beside, residual, amortised)])
    return parts.sort("provider", "account", "step", "description", nulls_last=True)


def _no_rate(currency: str, lacking: str) -> ConfigurationError:
    return ConfigurationError(f"an invoice is in {currency} and fx.yaml has no rate for it; add {lacking}, USD for one")


def _shaped(part: pl.DataFrame) -> pl.DataFrame:
    return part.select(
        (pl.col(name) if name in part.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in CHARGES.items()
    )
