"""The columns of our FOCUS 1.2 rows: type, whether the specification demands them, whether they may be empty."""

from dataclasses import dataclass

import polars as pl

from tokenpnl.model import ChargeKind, UsageKind
from tokenpnl_analytics.frames import MONEY, TIME

MANDATORY, RECOMMENDED, CONDITIONAL, OURS = "mandatory", "recommended", "conditional", "ours"
_TEXT = pl.String()


@dataclass(frozen=True)
class FocusColumn:
    """One column.

    Args:
        name: as FOCUS spells it; ours begin with `x_`.
        dtype: its type; costs, prices and quantities are exact decimals.
        level: mandatory, recommended, conditional or ours.
        nullable: whether a row may leave it empty.
        source: of ours, the column of the line items that it repeats; empty when it is made.
    """

    name: str
    dtype: pl.DataType
    level: str
    nullable: bool = True
    source: str = ""


def _must(name: str, dtype: pl.DataType = _TEXT, *, nullable: bool = False) -> FocusColumn:
    return FocusColumn(name, dtype, MANDATORY, nullable)


def _also(name: str, dtype: pl.DataType = _TEXT) -> FocusColumn:
    return FocusColumn(name, dtype, CONDITIONAL)


def _ours(name: str, source: str = "", dtype: pl.DataType = _TEXT) -> FocusColumn:
    return FocusColumn(f"x_{name}", dtype, OURS, source=source)


COLUMNS = (
    _must("BilledCost", MONEY),
    _must("BillingAccountId"),
    _must("BillingAccountName", nullable=True),
    _must("BillingCurrency"),
    _must("BillingPeriodEnd", TIME),
    _must("BillingPeriodStart", TIME),
    _must("ChargeCategory"),
    _must("ChargeClass", nullable=True),
    _must("ChargeDescription", nullable=True),
    FocusColumn("ChargeFrequency", _TEXT, RECOMMENDED, nullable=False),
    _must("ChargePeriodEnd", TIME),
    _must("ChargePeriodStart", TIME),
    _also("CommitmentDiscountCategory"),
    _also("CommitmentDiscountId"),
    _also("CommitmentDiscountName"),
    _also("CommitmentDiscountQuantity", MONEY),
    _also("CommitmentDiscountStatus"),
    _also("CommitmentDiscountType"),
    _also("CommitmentDiscountUnit"),
    _also("ConsumedQuantity", MONEY),
    _also("ConsumedUnit"),
    _must("ContractedCost", MONEY),
    _also("ContractedUnitPrice", MONEY),
    _must("EffectiveCost", MONEY),
    FocusColumn("InvoiceId", _TEXT, RECOMMENDED),
    _must("InvoiceIssuerName"),
    _must("ListCost", MONEY),
    _also("ListUnitPrice", MONEY),
    _also("PricingCategory"),
    _must("PricingQuantity", MONEY, nullable=True),
    _must("PricingUnit", nullable=True),
    _must("ProviderName"),
    _must("PublisherName"),
    _also("RegionId"),
    _also("RegionName"),
    _also("ResourceId"),
    _also("ResourceName"),
    _also("ResourceType"),
    _must("ServiceCategory"),
    _must("ServiceName"),
    FocusColumn("ServiceSubcategory", _TEXT, RECOMMENDED, nullable=False),
    _also("SkuId"),
    _also("SkuMeter"),
    _also("SkuPriceId"),
    _also("SubAccountId"),
    _also("SubAccountName"),
    _also("SubAccountType"),
    _also("Tags"),
    _ours("Workflow", "workflow"),
    _ours("Customer", "customer_id"),
    _ours("Feature", "feature"),
    _ours("Environment", "environment"),
    _ours("Release", "release"),
    _ours("Outcome", "outcome"),
    _ours("CostCategory", "cost_category"),
    _ours("Evaluation", "evaluation"),
    _ours("UsageKind", "usage_kind"),
    _ours("Pool", "pool"),
    _ours("ServiceTier", "service_tier"),
    _ours("Deployment", "deployment"),
    _ours("BilledBasis"),
    _ours("CostSource", "cost_source"),
    _ours("PriceSource", "price_source"),
    _ours("PriceReason", "price_reason"),
    _ours("PriceVersion", "price_version"),
    _ours("OriginPeriod", "origin_period"),
    _ours("LineItems", "n_lines", pl.Int64()),
)
BY_NAME = {column.name: column for column in COLUMNS}

METER = {
    UsageKind.INPUT_UNCACHED.value: "Input Tokens",
    UsageKind.INPUT_CACHE_READ.value: "Cache Read Input Tokens",
    UsageKind.INPUT_CACHE_WRITE_5M.value: "Cache Write Input Tokens, 5 minutes",
    UsageKind.INPUT_CACHE_WRITE_30M.value: "Cache Write Input Tokens, 30 minutes",
    UsageKind.INPUT_CACHE_WRITE_1H.value: "Cache Write Input Tokens, 1 hour",
    UsageKind.INPUT_CACHE_WRITE_12H.value: "Cache Write Input Tokens, 12 hours",
    UsageKind.INPUT_AUDIO.value: "Audio Input Tokens",
    UsageKind.INPUT_AUDIO_CACHE_READ.value: "Cache Read Audio Input Tokens",
    UsageKind.INPUT_IMAGE.value: "Image Input Tokens",
    UsageKind.INPUT_VIDEO.value: "Video Input Tokens",
    UsageKind.OUTPUT_TEXT.value: "Output Tokens",
    UsageKind.OUTPUT_REASONING.value: "Reasoning Output Tokens",
    UsageKind.OUTPUT_AUDIO.value: "Audio Output Tokens",
    UsageKind.OUTPUT_IMAGE.value: "Image Output Tokens",
    ChargeKind.FEE.value: "Fees",
    ChargeKind.REQUEST.value: "Requests",
    ChargeKind.WEB_SEARCH.value: "Web Searches",
    ChargeKind.SOCIAL_SEARCH.value: "Social Searches",
    ChargeKind.STORAGE_SEARCH.value: "Storage Searches",
    ChargeKind.CODE_EXECUTION.value: "Code Executions",
    ChargeKind.RERANK_SEARCH.value: "Rerank Searches",
    ChargeKind.DOCUMENT_PAGE.value: "Document Pages",
    ChargeKind.ANNOTATED_PAGE.value: "Annotated Document Pages",
    ChargeKind.GPU_TIME.value: "GPU Time",
    ChargeKind.COMMITMENT.value: "Reserved Throughput",
    ChargeKind.TRUE_UP.value: "True-up",
}
"""Usage kind -> `SkuMeter`."""

UNIT = dict.fromkeys((kind.value for kind in UsageKind), "Tokens") | {
    ChargeKind.FEE.value: "Units",
    ChargeKind.REQUEST.value: "Requests",
    ChargeKind.WEB_SEARCH.value: "Searches",
    ChargeKind.SOCIAL_SEARCH.value: "Searches",
    ChargeKind.STORAGE_SEARCH.value: "Searches",
    ChargeKind.CODE_EXECUTION.value: "Executions",
    ChargeKind.RERANK_SEARCH.value: "Searches",
    ChargeKind.DOCUMENT_PAGE.value: "Pages",
    ChargeKind.ANNOTATED_PAGE.value: "Pages",
    ChargeKind.GPU_TIME.value: "Seconds",
    ChargeKind.COMMITMENT.value: "Seconds",
}
"""Usage kind -> `PricingUnit` and `ConsumedUnit`."""
