"""From tokens to dollars: the price in force at an attempt's start, and the line items that it makes.

Money is multiplied here and nowhere else: the quantity times an effective unit price of six decimals per million is
exact at twelve decimals, so that sums depend on no order, partition or engine.
"""

import polars as pl

from tokenpnl.model import CostSource, Flag, ServedReason, UsageKind
from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.frames import MONEY, empty
from tokenpnl_analytics.matching import SELF_HOSTED_DEPLOYMENTS, SELF_HOSTED_SERVERS, match
from tokenpnl_analytics.ratecard import KINDS, REQUEST_KIND, RateCard

FEE_KIND = "fee"
USAGE_CHARGE = "Usage"
_MILLION = 1_000_000
_DAY_NS = 86_400_000_000_000
_MATCHED_BY = ("provider", "model", "service_tier")
_CATEGORY_COLUMNS = ("cost_category", "category_rule", "cause")
_KIND_CODES = {kind: code for code, kind in enumerate(KINDS)}
_LINE_FLAGS = (
    Flag.CONTEXT_UNMATCHED.value,
    Flag.PRICE_BEFORE_FIRST.value,
    Flag.PRICE_OF_UNDATED_MODEL.value,
    Flag.PRICE_ROUNDED.value,
    Flag.UNPRICED.value,
)


def charge(attempts: pl.DataFrame, fees: pl.DataFrame, card: RateCard) -> pl.DataFrame:
    """Return the line items of attempts and fees: one per attempt and usage kind with tokens, one per fee.

    Args:
        attempts: table `attempts`; the columns of `classify` are carried onto the lines where present.
        fees: table `fees`, likewise.
        card: dated prices.

    Returns:
        Columns of `line_items` (categories only if they were given), attempts in order, kinds in the order of
        `UsageKind`, then fees. `cost_usd` is NULL where no price is known (`cost_source` unpriced) or where the cost is
        GPU time (gpu); 0 for an attempt that was certainly not billed.
    """
    lines = pl.concat([token_lines(attempts, card), _fee_lines(fees)], how="diagonal")
    return lines.select(name for name in LINE_ITEMS.names if name in lines.columns)


def token_lines(attempts: pl.DataFrame, card: RateCard) -> pl.DataFrame:
    """Return the line items of tokens alone.

    Args:
        attempts: `attempt_id, provider, model, service_tier, deployment, started_at, billed, flags`, the usage kinds
            and `input_total_tokens`; other columns of `line_items` are carried along.
        card: dated prices.
    """
    priced = _priced_kinds(attempts, card)
    owners = attempts.select(
        *(name for name in LINE_ITEMS.names if name in attempts.columns and name != "flags"),
        pl.col("flags").alias("attempt_flags"),
        pl.col("billed").eq_missing(False).alias("unbilled"),  # noqa: FBT003 - a value to compare with
        _self_hosted().alias("self_hosted"),
    )
    lines = pl.concat([priced, owners[priced["row"]]], how="horizontal")
    usd = pl.when("unbilled").then(pl.lit(0, MONEY)).when(~pl.col("self_hosted")).then(_cost("usd_per_million"))
    uncached = pl.when("unbilled").then(pl.lit(0, MONEY)).when(~pl.col("self_hosted"))
    lines = lines.with_columns(
        usd.alias("cost_usd"),
        uncached.then(_cost("uncached_usd_per_million")).alias("uncached_cost_usd"),
        (pl.col("usd_per_million").is_null() & ~pl.col("unbilled") & ~pl.col("self_hosted")).alias(Flag.UNPRICED.value),
        pl.col("kind_code").replace_strict(dict(enumerate(KINDS)), return_dtype=pl.String).alias("usage_kind"),
    )
    return _with_flags(lines).select(
        pl.exclude("attempt_flags", "kind_code", "row", "rounded"),
        pl.concat_str("attempt_id", pl.lit("/"), "usage_kind").alias("line_id"),
        pl.lit(USAGE_CHARGE).alias("charge_category"),
        pl.col("cost_usd").alias("list_cost_usd"),
        pl.col("cost_usd").alias("contracted_cost_usd"),
        pl.col("usd_per_million").alias("list_unit_usd_per_million"),
        _cost_source().alias("cost_source"),
        pl.lit(card.version).alias("price_version"),
    )


def _priced_kinds(attempts: pl.DataFrame, card: RateCard) -> pl.DataFrame:
    """Return one row per attempt and kind with tokens, in that order: quantity, unit prices, what is odd about them."""
    slots = _slot_of_each_attempt(attempts, card)
    has_usage = pl.any_horizontal(pl.col(kind.column).fill_null(0) > 0 for kind in UsageKind)
    facts = pl.concat(
        [slots, attempts.select(*(kind.column for kind in UsageKind), has_usage.cast(pl.Int64).alias(REQUEST_KIND))],
        how="horizontal",
    )
    counted = pl.concat(
        facts.filter(pl.col(column) > 0).select(
            *slots.columns, pl.lit(code, pl.Int64).alias("kind_code"), pl.col(column).alias("quantity")
        )
        for code, column in enumerate((*(kind.column for kind in UsageKind), REQUEST_KIND))
    )
    rates = card.rates.select(
        (pl.col("rate_id") * len(KINDS) + pl.col("usage_kind").replace_strict(_KIND_CODES)).alias("rate_key"),
        "usd_per_million",
        "uncached_usd_per_million",
        pl.col("rounded"),
    )
    priced = counted.with_columns((pl.col("rate_id") * len(KINDS) + pl.col("kind_code")).alias("rate_key")).join(
        rates, on="rate_key", how="left"
    )
    # Few models have a price per request; for the others a request is no line at all.
    asked = (pl.col("kind_code") != _KIND_CODES[REQUEST_KIND]) | pl.col("usd_per_million").is_not_null()
    return (
        priced.filter(asked)
        .sort(pl.col("row").cast(pl.Int64) * len(KINDS) + pl.col("kind_code"))  # one key sorts twice as fast as two
        .with_columns(pl.col("rounded").fill_null(value=False).alias(Flag.PRICE_ROUNDED.value))
        .drop("rate_key", "rate_id")
    )


def _slot_of_each_attempt(attempts: pl.DataFrame, card: RateCard) -> pl.DataFrame:
    """Return one row per attempt: `row`, `rate_id` (NULL: unpriced), and what is odd about it."""
    models = attempts.select(_MATCHED_BY).unique()
    matches = [match(card, *names) for names in models.iter_rows()]
    known = models.with_columns(
        pl.Series("card_key", [found.card_key for found in matches], pl.Int64),
        pl.Series("never", [found.context_unmatched for found in matches], pl.Boolean),
        pl.Series(Flag.PRICE_OF_UNDATED_MODEL.value, [found.undated for found in matches], pl.Boolean),
        pl.Series("released_ns", [found.released_ns for found in matches], pl.Int64),
    )
    asked = (
        attempts.select(
            *_MATCHED_BY,
            pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"),
            pl.col("started_at").to_physical().alias("at_ns"),
            pl.col("input_total_tokens").fill_null(pl.sum_horizontal(_input_columns())).alias("input_total"),
        )
        .join(known, on=_MATCHED_BY, nulls_equal=True, how="left")
        .drop(_MATCHED_BY)
    )
    day_ns = pl.col("at_ns") % _DAY_NS
    inside = (
        pl.col("at_ns").is_between("from_ns", "until_ns", closed="left")
        & day_ns.is_between("day_from_ns", "day_until_ns", closed="left")
        & pl.col("input_total").is_between("input_above", "input_up_to", closed="right")
    )
    slots = card.slots.drop("provider", "model", "context")
    found = asked.join(slots, on="card_key").filter(inside).select("row", "rate_id", "context_matched")
    return asked.join(found, on="row", how="left", maintain_order="left").select(
        "row",
        "rate_id",
        Flag.PRICE_OF_UNDATED_MODEL.value,
        (pl.col("never") | pl.col("context_matched").not_().fill_null(value=False)).alias(Flag.CONTEXT_UNMATCHED.value),
        (pl.col("at_ns") < pl.col("released_ns")).fill_null(value=False).alias(Flag.PRICE_BEFORE_FIRST.value),
    )


def _input_columns() -> list[pl.Expr]:
    return [pl.col(kind.column).fill_null(0) for kind in UsageKind if kind.value.startswith("input_")]


def _cost(price: str) -> pl.Expr:
    """Quantity times a price per million. Exact: the price has six decimals, the result twelve."""
    return pl.col("quantity") * (pl.col(price) / _MILLION)


def _self_hosted() -> pl.Expr:
    return (
        pl.col("deployment").is_in(SELF_HOSTED_DEPLOYMENTS) | pl.col("provider").is_in(SELF_HOSTED_SERVERS)
    ).fill_null(value=False)


def _cost_source() -> pl.Expr:
    return (
        pl.when(Flag.UNPRICED.value)
        .then(pl.lit(CostSource.UNPRICED.value))
        .when("self_hosted")
        .then(pl.lit(CostSource.GPU.value))
        .otherwise(pl.lit(CostSource.COMPUTED.value))
    )


def _with_flags(lines: pl.DataFrame) -> pl.DataFrame:
    """Add `flags`: the attempt's and the price's, sorted; combinations are few, so each is spelled once."""
    if not lines.select(pl.any_horizontal(pl.col(flag).any() for flag in _LINE_FLAGS)).item():
        return lines.with_columns(pl.col("attempt_flags").alias("flags"))
    keys = ["attempt_flags", *_LINE_FLAGS]
    combinations = lines.select(keys).unique()
    spelled = [
        ",".join(sorted({*filter(None, had.split(",")), *(f for f, on in zip(_LINE_FLAGS, new, strict=True) if on)}))
        for had, *new in combinations.iter_rows()
    ]
    named = combinations.with_columns(pl.Series("flags", spelled, pl.String))
    return lines.join(named, on=keys, how="left", maintain_order="left")


def _fee_lines(fees: pl.DataFrame) -> pl.DataFrame:
    if fees.is_empty():
        return empty(LINE_ITEMS).drop(name for name in _CATEGORY_COLUMNS if name not in fees.columns)
    known = fees["fee_usd"].is_not_null()
    return fees.filter(known).select(
        *(name for name in LINE_ITEMS.names if name in fees.columns),
        pl.concat_str("trace_id", pl.lit(":"), "span_id", pl.lit("/"), pl.lit(FEE_KIND)).alias("line_id"),
        pl.lit(USAGE_CHARGE).alias("charge_category"),
        pl.lit(FEE_KIND).alias("usage_kind"),
        pl.lit(1, pl.Int64).alias("quantity"),
        pl.col("fee_usd").alias("list_cost_usd"),
        pl.col("fee_usd").alias("contracted_cost_usd"),
        pl.col("fee_usd").alias("cost_usd"),
        pl.col("fee_usd").alias("uncached_cost_usd"),
        pl.lit(CostSource.REPORTED.value).alias("cost_source"),
        pl.lit(ServedReason.PRIMARY.value).alias("served_reason"),
    )
