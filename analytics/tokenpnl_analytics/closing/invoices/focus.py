"""FOCUS 1.0 to 1.2 and later, CSV or Parquet: what clouds and AI providers export in the common format.

Up to 1.2 the seller is `ProviderName`, from 1.3 on `ServiceProviderName`. FOCUS has no token column: the kind is in
`x_UsageKind` or `SkuMeter`, the model in `x_Model` or `ResourceName`, the tokens in `ConsumedQuantity` or
`PricingQuantity` with their unit.
"""

import re

import polars as pl

from tokenpnl_analytics.closing.invoices.amounts import MOST_UNITS, bad_amounts, to_money, units_in
from tokenpnl_analytics.closing.invoices.form import OTHER_SERVICE, Fault, Invoice, refuse
from tokenpnl_analytics.closing.invoices.kinds import kind_of, tier_of
from tokenpnl_analytics.closing.invoices.spreading import BEGINS, ENDS, over_days, spread_note, too_long
from tokenpnl_analytics.closing.invoices.tables import Tabular, collected, each, utc_day, utc_moment
from tokenpnl_analytics.frames import MONEY
from tokenpnl_ingest.dialects.providers import provider_of

SOURCE = "FOCUS"
CATEGORIES = ("Usage", "Purchase", "Credit", "Tax", "Adjustment")
_AI = "AI and Machine Learning"
_NEEDED = ("BilledCost", "BillingCurrency", "ChargeCategory", "ChargePeriodStart")
_SELLERS = ("ServiceProviderName", "ProviderName")
_COLUMNS = (
    *_NEEDED, *_SELLERS, "SubAccountId", "BillingAccountId", "ConsumedQuantity", "ConsumedUnit", "PricingQuantity",
    "PricingUnit", "x_UsageKind", "SkuMeter", "x_Model", "ResourceName", "ServiceCategory", "ChargeDescription",
    "InvoiceId", "ChargePeriodEnd", "CommitmentDiscountId", "PricingCategory",
)  # fmt: skip
_NAMES = {
    "amazon web services": "aws", "microsoft": "azure", "microsoft azure": "azure", "google cloud": "google",
    "google cloud platform": "google", "open ai": "openai",
}  # fmt: skip
_LEGAL_FORM = r"[\s,]+(?:inc|llc|l\.l\.c|pbc|ltd|limited|corp|corporation|co|gmbh|sas|sarl|s\.a\.r\.l|plc|opco)\.?$"


def recognises(table: Tabular) -> bool:
    """Return whether the columns are those of FOCUS."""
    return {"BilledCost", "ChargeCategory"} <= set(table.columns)


def read(table: Tabular, *, name: str) -> Invoice:
    """Return the charges in the normal form; usage of services that are no AI is left out, counted in a note.

    Raises:
        RefusedInputError: a mandatory column is absent, or a row has no day, seller or category, or an amount that is
            no plain number; every such row is listed.
    """
    absent = [column for column in _NEEDED if column not in table.columns]
    absent += [] if set(_SELLERS) & set(table.columns) else [" or ".join(_SELLERS)]
    refuse([Fault("the head", f"no column {column}") for column in absent], name=name, source=SOURCE)
    rows = collected(table.text(_COLUMNS), name=name)
    ai = (pl.col("ServiceCategory") == _AI).fill_null(value=True) | (pl.col("ChargeCategory") != "Usage")
    found = rows.filter(ai)
    quantities = ("ConsumedQuantity", "PricingQuantity")
    amounts = ("BilledCost", *quantities)
    bad = bad_amounts(found, "BilledCost")
    bad += [fault for column in quantities for fault in bad_amounts(found, column, most=MOST_UNITS)]
    long = too_long(found.filter(pl.col("ChargeCategory") == "Usage"), "ChargePeriodStart", "ChargePeriodEnd")
    refuse([*_gaps(found), *bad, *long], name=name, source=SOURCE)
    notes = []
    if rows.height > found.height:
        notes.append(f"{rows.height - found.height:,} usage rows of services other than AI were left out")
    if doubles := table.doubles(amounts):
        notes.append(f"{', '.join(doubles)} are binary floats; each was read as its shortest decimal")
    lines = _lines(found)
    return Invoice(lines, SOURCE, (*notes, *spread_note(lines)))


def _gaps(found: pl.DataFrame) -> list[Fault]:
    gaps = {
        "BilledCost": pl.col("BilledCost").is_null(),
        "BillingCurrency": pl.col("BillingCurrency").is_null(),
        " or ".join(_SELLERS): pl.coalesce(_SELLERS).is_null(),
        f"ChargeCategory (one of {', '.join(CATEGORIES)})": ~pl.col("ChargeCategory").is_in(CATEGORIES),
        "ChargePeriodStart (an ISO time)": _day().is_null(),
    }
    return [
        Fault(row, f"no {what}")
        for what, lacks in gaps.items()
        for row in found.filter(lacks.fill_null(value=True))["row"].to_list()
    ]


def _day() -> pl.Expr:
    return utc_day("ChargePeriodStart")


def _lines(found: pl.DataFrame) -> pl.DataFrame:
    told = found.with_columns(pl.coalesce("x_UsageKind", "SkuMeter").alias("meter"), pl.coalesce(_SELLERS).alias("by"))
    usage = pl.col("ChargeCategory") == "Usage"
    kind = each(told, "meter", kind_of, pl.String())
    committed = pl.col("CommitmentDiscountId").is_not_null() | (pl.col("PricingCategory") == "Committed")
    tokens = [
        to_money(pl.col(f"{basis}Quantity")) * each(told, f"{basis}Unit", units_in, MONEY)
        for basis in ("Consumed", "Pricing")
    ]
    return over_days(
        told.select(
            each(told, "by", _provider, pl.String()).alias("provider"),
            pl.coalesce("SubAccountId", "BillingAccountId").alias("account"),
            _day().alias("day"),
            pl.coalesce("x_Model", "ResourceName").alias("model"),
            # A meter that names no tokens is another service; no meter at all may be anything.
            pl.when(usage & pl.col("meter").is_not_null()).then(kind.fill_null(OTHER_SERVICE)).alias("usage_kind"),
            pl.when(kind.is_not_null()).then(pl.coalesce(tokens).round(0).cast(pl.Int64)).alias("quantity"),
            to_money(pl.col("BilledCost")).alias("cost"),
            pl.col("BillingCurrency").str.to_uppercase().alias("currency"),
            pl.col("ChargeCategory").alias("charge_category"),
            (committed & (pl.col("ChargeCategory") == "Purchase")).fill_null(value=False).alias("commitment"),
            each(told, "meter", tier_of, pl.String()).alias("service_tier"),
            pl.col("ChargeDescription").alias("description"),
            pl.col("InvoiceId").alias("invoice_id"),
            pl.lit(SOURCE).alias("source"),
            pl.col("row"),
            utc_moment("ChargePeriodStart").alias(BEGINS),
            utc_moment("ChargePeriodEnd").alias(ENDS),
        )
    )


def _provider(seller: str) -> str:
    name = " ".join(seller.lower().split())
    while (bare := re.sub(_LEGAL_FORM, "", name)) != name:
        name = bare
    joined = name.replace(" ", "_")
    known = _NAMES.get(name) or provider_of(joined)
    return known if known and known != joined else name
