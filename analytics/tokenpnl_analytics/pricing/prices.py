"""From tokens to dollars: the price in force at an attempt's start, and the line items that it makes.

Money is multiplied here and nowhere else: the quantity times an effective unit price of six decimals per million is
exact at twelve decimals, so that sums depend on no order, partition or engine.
"""

from collections.abc import Iterable

import polars as pl

from tokenpnl.model import SERVER_TOOLS, CostSource, Flag, PriceSource, ServedReason, UsageKind
from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.frames import MONEY, empty
from tokenpnl_analytics.pricing.lookup import N_KINDS, Lookup, as_ruled, lookup
from tokenpnl_analytics.pricing.matching import SELF_HOSTED_DEPLOYMENTS, SELF_HOSTED_SERVERS
from tokenpnl_analytics.pricing.ratecard import (
    KIND_CODES,
    KINDS,
    REQUEST_KIND,
    RateCard,
    without_prices,
)
from tokenpnl_analytics.pricing.rulebook import DAY_NS
from tokenpnl_analytics.resolving.usage import KIND_NAMES

FEE_KIND = "fee"
N_REQUESTS = "n_requests"  # of a row that stands for several attempts
USAGE_CHARGE = "Usage"
_MILLION = 1_000_000
_CATEGORY_COLUMNS = ("cost_category", "category_rule", "cause")
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
    """Return the line items of tokens, requests and server tools alone.

    Args:
        attempts: `attempt_id, provider, model, service_tier, deployment, started_at, billed, flags`, the usage kinds
            and `input_total_tokens`; the counts of `SERVER_TOOLS`, `region` and `tenant` where known; other columns of
            `line_items` are carried along.
        card: dated prices.

    Returns:
        List cost, contracted cost (negotiated, before commitments) and `cost_usd` (effective: 0 where a commitment
        serves) side by side; `standard_cost_usd` is the contracted cost in the standard tier, on lines of another one.
    """
    priced, ruled = _priced_kinds(attempts, card)
    owners = attempts.select(
        *(name for name in LINE_ITEMS.names if name in attempts.columns and name != "flags"),
        pl.col("flags").alias("attempt_flags"),
        pl.col("billed").eq_missing(False).alias("unbilled"),  # noqa: FBT003 - a value to compare with
        _self_hosted().alias("self_hosted"),
    )
    lines = pl.concat([priced, owners[priced["row"]]], how="horizontal")
    effective = "effective_usd_per_million" if ruled else "usd_per_million"
    lines = lines.with_columns(
        _billed(effective).alias("cost_usd"),
        _billed("uncached_usd_per_million").alias("uncached_cost_usd"),
        # A line of the standard tier has no other tier to be compared with, billed or not.
        pl.when(pl.col("standard_usd_per_million").is_not_null())
        .then(_billed("standard_usd_per_million"))
        .alias("standard_cost_usd"),
        *([_billed("usd_per_million").alias("list_cost_usd")] if ruled else []),
        *([_billed("contracted_usd_per_million").alias("contracted_cost_usd")] if ruled else []),
        (pl.col(effective).is_null() & ~pl.col("unbilled") & ~pl.col("self_hosted")).alias(Flag.UNPRICED.value),
        (pl.col("self_hosted") & pl.col(effective).is_null()).alias("by_gpu"),
        pl.col("kind_code").replace_strict(dict(enumerate(KINDS)), return_dtype=pl.String).alias("usage_kind"),
    )
    return _with_flags(lines).select(
        pl.exclude("attempt_flags", "kind_code", "row", "rounded"),
        pl.concat_str("attempt_id", pl.lit("/"), "usage_kind").alias("line_id"),
        pl.lit(USAGE_CHARGE).alias("charge_category"),
        pl.col("usd_per_million").alias("list_unit_usd_per_million"),
        *_price_columns(ruled=ruled),
        _cost_source(ruled=ruled),
        *([] if card.sections else [pl.lit(card.version).alias("price_version")]),
    )


def _price_columns(*, ruled: bool) -> list[pl.Expr]:
    """Return the columns that say where a price comes from; without rules every price is the published one."""
    if ruled:
        return [
            pl.col("contracted_usd_per_million").alias("contracted_unit_usd_per_million"),
            pl.col("rule_pool").alias("pool"),
        ]
    priced = pl.col("usd_per_million").is_not_null()
    return [
        pl.col("cost_usd").alias("list_cost_usd"),
        pl.col("cost_usd").alias("contracted_cost_usd"),
        pl.col("usd_per_million").alias("contracted_unit_usd_per_million"),
        pl.when(priced).then(pl.lit(PriceSource.GENAI_PRICES.value)).alias("price_source"),
    ]


def _priced_kinds(attempts: pl.DataFrame, card: RateCard) -> tuple[pl.DataFrame, bool]:
    """Return one row per attempt and kind with tokens, in that order, and whether rules decided any price.

    A row holds quantity, unit prices and what is odd about them; with rules also the columns of `RULED`, with sections
    also `price_version`.
    """
    numbered = attempts.with_row_index("row")
    if not card.sections:
        counted, ruled = _counted(numbered, card)
        return _in_order(counted), ruled
    parts, left = [], pl.lit(value=True)
    for section in card.sections:
        inside = pl.col("started_at").to_physical().is_between(section.from_ns, section.until_ns, closed="left")
        parts.append(_of_version(numbered.filter(inside), section.card))
        left = left & ~inside
    parts.append(_of_version(numbered.filter(left), without_prices(card)))
    return _in_order(pl.concat(part.select(parts[0].columns) for part in parts)), True


def _of_version(numbered: pl.DataFrame, card: RateCard) -> pl.DataFrame:
    counted, ruled = _counted(numbered, card)
    if not ruled:
        counted = as_ruled(counted)
    return counted.with_columns(pl.lit(card.version).alias("price_version"))


def _in_order(counted: pl.DataFrame) -> pl.DataFrame:
    # One key sorts twice as fast as two.
    return counted.sort(pl.col("row").cast(pl.Int64) * N_KINDS + pl.col("kind_code"))


def _counted(numbered: pl.DataFrame, card: RateCard) -> tuple[pl.DataFrame, bool]:
    """Return one row per attempt and kind with tokens, in no order, and whether rules decided any price."""
    found = lookup(card, numbered)
    slots = _slot_of_each_attempt(numbered, found)
    asked_for = pl.col(N_REQUESTS) if N_REQUESTS in numbered.columns else requests_asked()
    tools = {kind.value: column for kind, column in SERVER_TOOLS.items() if column in numbered.columns}
    kinds = {kind.value: pl.col(kind.column) for kind in UsageKind} | {REQUEST_KIND: asked_for}
    kinds |= {kind: pl.col(column) for kind, column in tools.items()}
    quantities = numbered.select(count.alias(kind) for kind, count in kinds.items())
    facts = pl.concat([slots, quantities], how="horizontal")
    counted = pl.concat(
        facts.filter(pl.col(kind) > 0).select(
            *slots.columns, pl.lit(KIND_CODES[kind], pl.Int64).alias("kind_code"), pl.col(kind).alias("quantity")
        )
        for kind in kinds
    )
    priced = counted.with_columns((pl.col("rate_id") * N_KINDS + pl.col("kind_code")).alias("rate_key")).join(
        found.rates, on="rate_key", how="left"
    )
    # Few models have a price per request; for the others a request is no line at all.
    asked = (pl.col("kind_code") != KIND_CODES[REQUEST_KIND]) | pl.col("usd_per_million").is_not_null()
    rounded = pl.col("rounded").fill_null(value=False).alias(Flag.PRICE_ROUNDED.value)
    return priced.filter(asked).with_columns(rounded).drop("rate_key", "rate_id"), found.ruled


def _slot_of_each_attempt(numbered: pl.DataFrame, found: Lookup) -> pl.DataFrame:
    """Return one row per attempt: `row`, `rate_id` (NULL: unpriced), and what is odd about it."""
    asked = (
        numbered.select(
            *found.by,
            "row",
            pl.col("started_at").to_physical().alias("at_ns"),
            whole_input().alias("input_total"),
        )
        .join(found.known, on=found.by, nulls_equal=True, how="left", maintain_order="left")
        .drop(found.by)
    )
    day_ns = pl.col("at_ns") % DAY_NS
    inside = (
        pl.col("at_ns").is_between("from_ns", "until_ns", closed="left")
        & day_ns.is_between("day_from_ns", "day_until_ns", closed="left")
        & pl.col("input_total").is_between("input_above", "input_up_to", closed="right")
    )
    slots = asked.join(found.slots, on="card_key").filter(inside).select("row", "rate_id", "context_matched")
    return asked.join(slots, on="row", how="left", maintain_order="left").select(
        "row",
        "rate_id",
        pl.col("undated").alias(Flag.PRICE_OF_UNDATED_MODEL.value),
        (pl.col("never") | pl.col("context_matched").not_().fill_null(value=False)).alias(Flag.CONTEXT_UNMATCHED.value),
        (pl.col("at_ns") < pl.col("released_ns")).fill_null(value=False).alias(Flag.PRICE_BEFORE_FIRST.value),
    )


def whole_input() -> pl.Expr:
    """Return the whole input of an attempt, cache included: what decides the tier of its price."""
    kinds = (pl.col(kind.column).fill_null(0) for kind in UsageKind if kind.value.startswith("input_"))
    return pl.col("input_total_tokens").fill_null(pl.sum_horizontal(kinds))


def requests_asked(columns: Iterable[str] = KIND_NAMES) -> pl.Expr:
    """Return 1 for an attempt with usage, which some models bill as a request beside its tokens; else 0.

    Args:
        columns: usage kinds that may hold a count.
    """
    used = [pl.col(name).fill_null(0) > 0 for name in columns] or [pl.lit(value=False)]
    return pl.any_horizontal(used).cast(pl.Int64)


def _billed(price: str) -> pl.Expr:
    """Quantity times a price per million, 0 where nothing was billed.

    Exact: the price has six decimals, the result twelve.
    """
    cost = pl.col("quantity") * (pl.col(price) / _MILLION)
    return pl.when("unbilled").then(pl.lit(0, MONEY)).otherwise(cost)


def _self_hosted() -> pl.Expr:
    return (
        pl.col("deployment").is_in(SELF_HOSTED_DEPLOYMENTS) | pl.col("provider").is_in(SELF_HOSTED_SERVERS)
    ).fill_null(value=False)


def _cost_source(*, ruled: bool) -> pl.Expr:
    committed = pl.col("rule_pool").is_not_null() if ruled else pl.lit(value=False)
    return (
        pl.when(Flag.UNPRICED.value)
        .then(pl.lit(CostSource.UNPRICED.value))
        .when("by_gpu")
        .then(pl.lit(CostSource.GPU.value))
        .when(committed)
        .then(pl.lit(CostSource.COMMITMENT.value))
        .otherwise(pl.lit(CostSource.COMPUTED.value))
        .alias("cost_source")
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
