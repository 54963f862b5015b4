"""AWS Cost and Usage Report 2.0, CSV or Parquet: Bedrock's lines, four token lines for each model.

Usage types look like `USE1-Claude4.6Sonnet-input-tokens`, with `-output-tokens`, `-cache-read-input-token-count` and
`-cache-write-input-token-count` beside it (who sums only input and output does not meet the bill), and a suffix for the
service tier or a cross-region profile. Amounts are in `pricing_unit`, usually thousands of tokens.
"""

import polars as pl

from tokenpnl_analytics.closing.invoices.amounts import MOST_UNITS, bad_amounts, to_money, units_in
from tokenpnl_analytics.closing.invoices.form import (
    CACHE_WRITE,
    OTHER_SERVICE,
    OUTPUT,
    Fault,
    Invoice,
    refuse,
)
from tokenpnl_analytics.closing.invoices.spreading import BEGINS, ENDS, over_days, spread_note, too_long
from tokenpnl_analytics.closing.invoices.tables import Tabular, collected, each, utc_day, utc_moment
from tokenpnl_analytics.frames import MONEY

SOURCE = "AWS CUR 2.0"
_COST, _AMOUNT, _TYPE = "line_item_unblended_cost", "line_item_usage_amount", "line_item_line_item_type"
_USAGE, _DAY, _CODE = "line_item_usage_type", "line_item_usage_start_date", "line_item_product_code"
_ACCOUNT, _CURRENCY, _UNIT = "line_item_usage_account_id", "line_item_currency_code", "pricing_unit"
_UNTIL = "line_item_usage_end_date"
_WORDS, _INVOICE = "line_item_line_item_description", "bill_invoice_id"
_NEEDED = (_COST, _AMOUNT, _TYPE, _USAGE, _DAY, _CODE, _CURRENCY)
_COLUMNS = (*_NEEDED, _ACCOUNT, _UNIT, _UNTIL, _WORDS, _INVOICE)
_METER = (
    r"^(?:MP:)?(?:[A-Z]{2,4}\d?[-_])?(?<model>.+?)-(?:mantle-)?"
    r"(?<meter>cache-read-input|cache-write(?:-1h|-5m)?-input|input|output)-token(?:s|-count)?(?:$|-)(?<rest>.*)$"
)
_METERS = {
    "input": "input_uncached",
    "output": OUTPUT,
    "cache-read-input": "input_cache_read",
    "cache-write-input": CACHE_WRITE,
    "cache-write-5m-input": "input_cache_write_5m",
    "cache-write-1h-input": "input_cache_write_1h",
}
_CREDITS = ("Credit", "Refund", "Discount", "BundledDiscount", "EdpDiscount", "PrivateRateDiscount")
_COMMITMENTS = ("RIFee", "SavingsPlanUpfrontFee", "SavingsPlanRecurringFee")
_FOCUS_CATEGORY = (
    {"Tax": "Tax", "Fee": "Purchase"} | dict.fromkeys(_CREDITS, "Credit") | dict.fromkeys(_COMMITMENTS, "Purchase")
)


def recognises(table: Tabular) -> bool:
    """Return whether the columns are those of this report."""
    return {_COST, _USAGE, _DAY} <= set(table.columns)


def read(table: Tabular, *, name: str) -> Invoice:
    """Return Bedrock's lines in the normal form; lines of other services are left out, counted in a note.

    Raises:
        RefusedInputError: a column is absent, or a line of Bedrock has no day, or an amount that is no plain number;
            every such row is listed.
    """
    refuse([Fault("the head", f"no column {c}") for c in _NEEDED if c not in table.columns], name=name, source=SOURCE)
    ours = pl.col(_CODE).str.to_lowercase().str.contains("bedrock") | pl.col(_USAGE).str.contains(_METER)
    rows = table.text(_COLUMNS)
    found = collected(rows.filter(ours.fill_null(value=False)), name=name)
    others = collected(rows.select(pl.len()), name=name).item() - found.height
    day = utc_day(_DAY)
    undated = found.filter(day.is_null() | pl.col(_COST).is_null()).select("row", _DAY, _COST)
    faults = [
        Fault(row, f"{_DAY} is {at!r} and {_COST} is {cost!r}, expected both") for row, at, cost in undated.iter_rows()
    ]
    long = too_long(found.filter(~pl.col(_TYPE).is_in(list(_FOCUS_CATEGORY))), _DAY, _UNTIL)
    amounts = [*bad_amounts(found, _COST), *bad_amounts(found, _AMOUNT, most=MOST_UNITS)]
    refuse([*faults, *amounts, *long], name=name, source=SOURCE)
    lines = _lines(found, day)
    return Invoice(lines, SOURCE, (*_notes(table, found, others), *spread_note(lines)))


def _lines(found: pl.DataFrame, day: pl.Expr) -> pl.DataFrame:
    meter = pl.col(_USAGE).str.extract_groups(_METER)
    kind = meter.struct.field("meter").replace_strict(_METERS, default=None, return_dtype=pl.String)
    category = pl.col(_TYPE).replace_strict(_FOCUS_CATEGORY, default="Usage", return_dtype=pl.String)
    provisioned = pl.col(_USAGE).str.contains("(?i)provisioned|ModelUnits|reserved")
    committed = pl.col(_TYPE).is_in(_COMMITMENTS) | (provisioned & (category == "Usage"))
    tokens = to_money(pl.col(_AMOUNT)) * _units(found)
    rest = meter.struct.field("rest").str.extract(r"\b(batch|flex|priority)\b")
    return over_days(
        found.select(
            pl.lit("aws").alias("provider"),
            pl.col(_ACCOUNT).alias("account"),
            day.alias("day"),
            meter.struct.field("model").alias("model"),
            pl.when(category == "Usage").then(kind.fill_null(OTHER_SERVICE)).alias("usage_kind"),
            # Null where the unit is not told: thousands would pass for ones.
            pl.when(kind.is_not_null()).then(tokens.round(0).cast(pl.Int64)).alias("quantity"),
            to_money(pl.col(_COST)).alias("cost"),
            pl.col(_CURRENCY).str.to_uppercase().alias("currency"),
            pl.when(committed).then(pl.lit("Purchase")).otherwise(category).alias("charge_category"),
            committed.alias("commitment"),
            rest.alias("service_tier"),
            pl.coalesce(_WORDS, _USAGE, _TYPE).alias("description"),
            pl.col(_INVOICE).alias("invoice_id"),
            pl.lit(SOURCE).alias("source"),
            pl.col("row"),
            utc_moment(_DAY).alias(BEGINS),
            utc_moment(_UNTIL).alias(ENDS),
        )
    )


def _units(found: pl.DataFrame) -> pl.Expr:
    return each(found, _UNIT, units_in, MONEY)


def _notes(table: Tabular, found: pl.DataFrame, others: int) -> tuple[str, ...]:
    notes = []
    if others:
        notes.append(f"{others:,} lines of other AWS services were left out")
    if doubles := table.doubles([_COST, _AMOUNT]):
        notes.append(f"{', '.join(doubles)} are binary floats; each was read as its shortest decimal")
    lacking = found.filter(pl.col(_USAGE).str.contains(_METER) & _units(found).is_null()).height
    if lacking:
        notes.append(f"{lacking:,} token lines tell no unit that is known ({_UNIT}); their tokens are not compared")
    return tuple(notes)
