"""FOCUS 1.2: the line items as the FinOps world reads cost and usage; https://focus.finops.org, v1.2 of May 2025.

FOCUS has no column for tokens, so the kind of token is the SKU's meter and the model is the resource; what is ours
alone stands in `x_` columns. A row never says what was saved: only what was used and what it cost.
"""

import polars as pl

from tokenpnl.model import ChargeKind, CostCategory, CostSource
from tokenpnl_analytics.finance.focus_columns import COLUMNS, METER, UNIT
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.statement import in_periods

GRAINS = {"hour": "1h", "day": "1d"}
UNKNOWN = "(unknown)"
SHARES = "Shares"
_MILLION = 1_000_000
_CAPACITY = [ChargeKind.GPU_TIME.value, ChargeKind.COMMITMENT.value]
_RUN = ["tenant", "run_id"]

_KEYS = (
    "tenant", "provider", "model", "usage_kind", "charge_category", "cost_category", "workflow", "customer_id",
    "feature", "environment", "release", "service_name", "service_tier", "region", "pool", "deployment", "evaluation",
    "cost_source", "price_source", "price_reason", "price_version", "outcome", "origin_period",
)  # fmt: skip
_SORTED_BY = (
    "BillingAccountId", "SubAccountId", "RegionId", "ChargeCategory", "ListUnitPrice",
    *(column.name for column in COLUMNS if column.source and column.name != "x_LineItems"),
)  # fmt: skip
_TAGS = {"workflow": "workflow", "customer": "customer_id", "feature": "feature", "environment": "environment"}

_ZERO = pl.lit(0, MONEY)
_LIST, _CONTRACTED, _COST = pl.col("list_cost_usd"), pl.col("contracted_cost_usd"), pl.col("cost_usd")
_KIND = pl.col("usage_kind")
_RESERVED = _KIND == ChargeKind.COMMITMENT.value
_LUMP = pl.col("lump")
# Capacity is counted in microseconds; a FOCUS row says seconds.
_AMOUNT = pl.col("quantity").cast(MONEY) / pl.when(_KIND.is_in(_CAPACITY)).then(_MILLION).otherwise(1)


def focus_rows(lines: pl.DataFrame, runs: pl.DataFrame | None = None, *, grain: str = "day") -> pl.DataFrame:
    """Return the priced line items as FOCUS 1.2 rows: one per provider, account, model, kind, owner, category and time.

    Args:
        lines: table `line_items`, of any period; `origin_period` (`YYYY-MM`) may stand beside an adjustment.
        runs: `tenant, run_id, outcome`, for `x_Outcome`; without them it is NULL.
        grain: length of a charge period, hour or day in UTC.

    Returns:
        The columns of `focus_columns`, in their order, sorted by charge period and SKU. `EffectiveCost` sums to the
        effective cost of the statement, to the last digit, `ListCost` and `ContractedCost` to its list and contracted
        cost where every line has them (else the next lower rung stands in). Prices times quantity give the costs
        exactly: rows are split by unit price, and where a cost follows from no unit price (a share of a GPU hour) the
        share itself is priced. `BilledCost` is what the invoice is expected to say, until it is there; `x_BilledBasis`
        says how that was estimated.
        Usage without a price has no row, as FOCUS demands a cost; `unpriced_usage` lists it.
        Tokens whose cost is GPU time have none either: the GPU's lines are their cost.

    Raises:
        ValueError: for another grain.
    """
    if grain not in GRAINS:
        raise ValueError(f"a charge period is one of {', '.join(GRAINS)}, not {grain!r}")
    priced = _with_unit_prices(_with_outcome(lines.filter(_COST.is_not_null()), runs))
    keys = [*_KEYS, "list_unit", "contracted_unit", "lump", "period"]
    sums = (
        in_periods(priced, grain)
        .group_by(keys)
        .agg(pl.col("quantity").sum(), _LIST.sum(), _CONTRACTED.sum(), _COST.sum(), pl.len().alias("n_lines"))
    )
    made = {expr.meta.output_name(): expr for expr in (*_costs(), *_when(grain), *_what(), *_whose(), *_ours())}
    # Nobody knows the invoice's number before it is there.
    empty = pl.lit(None)
    return sums.select(made.get(column.name, empty).cast(column.dtype).alias(column.name) for column in COLUMNS).sort(
        "ChargePeriodStart", "SkuPriceId", *_SORTED_BY, nulls_last=True
    )


def unpriced_usage(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the usage without a price, which no export of cost can hold.

    Returns:
        `provider, model, usage_kind, n_lines, quantity`, sorted, the largest quantity first.
    """
    keys = ["provider", "model", "usage_kind"]
    return (
        lines.filter(pl.col("cost_source") == CostSource.UNPRICED.value)
        .group_by(keys)
        .agg(pl.len().cast(pl.Int64).alias("n_lines"), pl.col("quantity").sum())
        .sort("quantity", *keys, descending=[True, False, False, False], nulls_last=True)
    )


def _with_outcome(lines: pl.DataFrame, runs: pl.DataFrame | None) -> pl.DataFrame:
    if "origin_period" not in lines.columns:
        lines = lines.with_columns(pl.lit(None, pl.String).alias("origin_period"))
    if runs is None:
        return lines.with_columns(pl.lit(None, pl.String).alias("outcome"))
    known = runs.select(*_RUN, "outcome").unique(_RUN, keep="first", maintain_order=True)
    return lines.join(known, on=_RUN, how="left", maintain_order="left")


def _with_unit_prices(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the lines with both costs, `list_unit`, `contracted_unit` (USD a unit) and `lump`: no unit price fits."""
    costed = lines.with_columns(
        # The amortised fee of a commitment stands beside the list price of the usage that it covers, never atop it.
        pl.when(_RESERVED).then(_ZERO).otherwise(pl.coalesce(_CONTRACTED, _COST)).alias("contracted_cost_usd"),
        pl.when(_RESERVED).then(_ZERO).otherwise(pl.coalesce(_LIST, _CONTRACTED, _COST)).alias("list_cost_usd"),
    )
    list_unit = _unit_price(pl.col("list_unit_usd_per_million"), _LIST)
    contracted_unit = _unit_price(pl.col("contracted_unit_usd_per_million"), _CONTRACTED)
    return costed.with_columns(
        list_unit.alias("list_unit"),
        # A card without contract leaves the contracted price empty: the list price is the price then.
        pl.when(_LIST == _CONTRACTED).then(list_unit).otherwise(contracted_unit).alias("contracted_unit"),
    ).with_columns(
        (pl.col("list_unit").is_null() | pl.col("contracted_unit").is_null()).alias("lump"),
    )


def _unit_price(per_million: pl.Expr, cost: pl.Expr) -> pl.Expr:
    """Return the price of one unit that gives the cost exactly; NULL where there is none."""
    quantity = pl.col("quantity")
    each = per_million / _MILLION
    return (
        pl.when(each * quantity.cast(MONEY) == cost)
        .then(each)
        .when(cost == 0)
        .then(_ZERO)
        .when((quantity == 1) & ~_KIND.is_in(_CAPACITY))
        .then(cost)
    )


def _costs() -> list[pl.Expr]:
    amortised = pl.col("cost_source").is_in([CostSource.COMMITMENT.value, CostSource.GPU.value]) | _RESERVED
    statement_line = pl.col("charge_category").is_in(["Credit", "Tax", "Adjustment"])
    unit = _KIND.replace_strict(UNIT, default="Units")
    return [
        pl.when(amortised | statement_line).then(_COST).otherwise(_CONTRACTED).alias("BilledCost"),
        _CONTRACTED.alias("ContractedCost"),
        _LIST.alias("ListCost"),
        _COST.alias("EffectiveCost"),
        pl.lit("USD").alias("BillingCurrency"),
        pl.when(~statement_line).then(pl.when(_LUMP).then(_LIST).otherwise("list_unit")).alias("ListUnitPrice"),
        pl.when(~statement_line)
        .then(pl.when(_LUMP).then(_CONTRACTED).otherwise("contracted_unit"))
        .alias("ContractedUnitPrice"),
        pl.when(~statement_line)
        .then(pl.when(_LUMP).then(pl.lit(1, MONEY)).otherwise(_AMOUNT))
        .alias("PricingQuantity"),
        pl.when(~statement_line).then(pl.when(_LUMP).then(pl.lit(SHARES)).otherwise(unit)).alias("PricingUnit"),
        pl.when(~statement_line).then(_AMOUNT).alias("ConsumedQuantity"),
        pl.when(~statement_line).then(unit).alias("ConsumedUnit"),
        # A share of a GPU of one's own is amortised, but no commitment of a seller's discounts it.
        pl.when((pl.col("cost_source") == CostSource.COMMITMENT.value) | _RESERVED)
        .then(pl.lit("Committed"))
        .when(~statement_line)
        .then(pl.lit("Standard"))
        .alias("PricingCategory"),
        pl.when(statement_line)
        .then(pl.lit("as posted"))
        .when(amortised)
        .then(pl.lit("amortised, not invoiced yet"))
        .otherwise(pl.lit("contracted, not invoiced yet"))
        .alias("x_BilledBasis"),
    ]


def _when(grain: str) -> list[pl.Expr]:
    month = pl.col("period").dt.truncate("1mo")
    return [
        pl.col("period").alias("ChargePeriodStart"),
        pl.col("period").dt.offset_by(GRAINS[grain]).alias("ChargePeriodEnd"),
        month.alias("BillingPeriodStart"),
        month.dt.offset_by("1mo").alias("BillingPeriodEnd"),
    ]


def _what() -> list[pl.Expr]:
    self_hosted = _KIND == ChargeKind.GPU_TIME.value
    owner = pl.when(self_hosted).then(pl.lit("self-hosted")).otherwise(pl.lit(UNKNOWN))
    provider, model = pl.coalesce("provider", owner), pl.col("model")
    meter = _KIND.replace_strict(METER, default=_KIND)
    sku = pl.format("{}/{}/{}", provider, pl.coalesce("model", "pool", pl.lit("-")), _KIND)
    tier = pl.col("service_tier").fill_null("standard")
    usual = pl.col("charge_category") == "Usage"
    committed = (pl.col("cost_source") == CostSource.COMMITMENT.value) | _RESERVED
    commitment = pl.when(committed).then(pl.col("pool").fill_null(UNKNOWN))
    unused = pl.col("cost_category") == CostCategory.IDLE_CAPACITY.value
    return [
        provider.alias("ProviderName"),
        provider.alias("PublisherName"),
        provider.alias("InvoiceIssuerName"),
        pl.lit("AI and Machine Learning").alias("ServiceCategory"),
        pl.lit("Generative AI").alias("ServiceSubcategory"),
        pl.when(self_hosted)
        .then(pl.lit("Self-hosted inference"))
        .otherwise(pl.lit("Model inference"))
        .alias("ServiceName"),
        pl.col("charge_category").alias("ChargeCategory"),
        pl.when(pl.col("origin_period").is_not_null()).then(pl.lit("Correction")).alias("ChargeClass"),
        pl.when(usual).then(pl.lit("Usage-Based")).otherwise(pl.lit("One-Time")).alias("ChargeFrequency"),
        pl.format("{} of {}", meter, pl.coalesce("model", "pool", "workflow", pl.lit(UNKNOWN))).alias(
            "ChargeDescription"
        ),
        pl.when(model.is_not_null()).then(pl.format("{}/{}", provider, model)).alias("ResourceId"),
        model.alias("ResourceName"),
        pl.when(model.is_not_null()).then(pl.lit("Model")).alias("ResourceType"),
        pl.when(usual).then(sku).alias("SkuId"),
        pl.when(usual).then(meter).alias("SkuMeter"),
        pl.when(usual)
        .then(pl.format("{}/{}@{}", sku, tier, pl.col("contracted_unit").cast(pl.String).fill_null("share")))
        .alias("SkuPriceId"),
        pl.col("region").alias("RegionId"),
        pl.col("region").alias("RegionName"),
        commitment.alias("CommitmentDiscountId"),
        commitment.alias("CommitmentDiscountName"),
        pl.when(committed).then(pl.lit("Usage")).alias("CommitmentDiscountCategory"),
        pl.when(committed).then(pl.lit("Reserved throughput")).alias("CommitmentDiscountType"),
        pl.when(committed)
        .then(pl.when(unused).then(pl.lit("Unused")).otherwise(pl.lit("Used")))
        .alias("CommitmentDiscountStatus"),
        pl.when(committed).then(_AMOUNT).alias("CommitmentDiscountQuantity"),
        pl.when(committed).then(_KIND.replace_strict(UNIT, default="Units")).alias("CommitmentDiscountUnit"),
    ]


def _whose() -> list[pl.Expr]:
    tags = pl.struct(pl.col(column).alias(tag) for tag, column in _TAGS.items()).struct.json_encode()
    return [
        pl.col("tenant").alias("BillingAccountId"),
        pl.col("tenant").alias("BillingAccountName"),
        pl.col("service_name").alias("SubAccountId"),
        pl.col("service_name").alias("SubAccountName"),
        pl.when(pl.col("service_name").is_not_null()).then(pl.lit("Service")).alias("SubAccountType"),
        tags.alias("Tags"),
    ]


def _ours() -> list[pl.Expr]:
    named = {column.source: column.name for column in COLUMNS if column.source}
    return [pl.col(source).alias(name) for source, name in named.items()]
