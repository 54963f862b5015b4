"""Each check fails on a row that breaks its rule, and none fails on rows as we write them."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest
from tests.analytics.line_rows import lines_of

from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.finance.focus import focus_rows
from tokenpnl_analytics.finance.focus_checks import CHECKS, FAILED, PASSED, SKIPPED, focus_check
from tokenpnl_analytics.finance.focus_columns import COLUMNS, MANDATORY
from tokenpnl_analytics.frames import MONEY, schema_of

Break = Callable[[pl.DataFrame], pl.DataFrame]


def good() -> pl.DataFrame:
    """Return tokens, a fee, a commitment used and unused, a GPU share, a tax, a credit and a correction."""
    schema = pl.Schema({**schema_of(LINE_ITEMS), "origin_period": pl.String()})
    commitment = {"cost_source": "commitment", "pool": "ptu-1", "region": "eu-west-1"}
    fee = {"usage_kind": "commitment", "list_cost_usd": "0", "contracted_cost_usd": "0", "cost_usd": "4"}
    return focus_rows(
        lines_of(
            {"price": "2.50", "region": "eu-west-1"},
            {"usage_kind": "fee", "quantity": 1, "usd": "0.01", "provider": None, "model": None},
            commitment | {"price": "2.50", "cost_usd": "0"},
            commitment | fee | {"cost_category": "idle_capacity"},
            {"usage_kind": "gpu_time", "cost_source": "gpu", "usd": "0.03"},
            {"charge_category": "Tax", "usd": "0.20", "model": None},
            {"charge_category": "Credit", "usd": "-0.10"},
            {"charge_category": "Adjustment", "usd": "0.05", "origin_period": "2026-10"},
            schema=schema,
        )
    )


def put(name: str, value: object, where: pl.Expr | None = None) -> Break:
    """Return a change of one column to a value, in all rows or in those where the condition holds."""
    changed = pl.lit(value)
    hit = pl.lit(value=True) if where is None else where
    return lambda rows: rows.with_columns(
        pl.when(hit).then(changed.cast(rows.schema[name])).otherwise(pl.col(name)).alias(name)
    )


def shift(name: str, by: timedelta) -> Break:
    return lambda rows: rows.with_columns((pl.col(name) + by).cast(rows.schema[name]))


USAGE, PRICED = pl.col("ChargeCategory") == "Usage", pl.col("ListUnitPrice") > 0
TAX, CREDIT = pl.col("ChargeCategory") == "Tax", pl.col("ChargeCategory") == "Credit"
COMMITTED = pl.col("CommitmentDiscountId").is_not_null()

BROKEN: dict[str, Break] = {
    **{f"{c.name} present": lambda rows, name=c.name: rows.drop(name) for c in COLUMNS if c.level == MANDATORY},  # type: ignore[misc]
    **{f"{c.name} not null": put(c.name, None) for c in COLUMNS if not c.nullable},
    **{
        f"{c.name} type": lambda rows, name=c.name: rows.with_columns(pl.col(name).cast(pl.String))  # type: ignore[misc]
        for c in COLUMNS
        if c.dtype != pl.String()
    },
    **{f"{name} allowed": put(name, "Sundry") for name in (
        "ChargeCategory", "ChargeClass", "ChargeFrequency", "PricingCategory", "ServiceCategory",
        "CommitmentDiscountStatus", "CommitmentDiscountCategory",
    )},
    "ServiceSubcategory of ServiceCategory": put("ServiceSubcategory", "Virtual Machines"),
    "ISO currency": put("BillingCurrency", "BTC"),
    "a purchase is not usage-based": put("ChargeCategory", "Purchase", USAGE),
    **{f"{name} of usage": put(name, None, USAGE) for name in (
        "ListUnitPrice", "ContractedUnitPrice", "PricingQuantity", "PricingUnit", "PricingCategory", "SkuId",
    )},
    **{f"{name} of tax": put(name, value, TAX) for name, value in (
        ("ListUnitPrice", Decimal(1)), ("ContractedUnitPrice", Decimal(1)), ("PricingQuantity", Decimal(1)),
        ("PricingUnit", "Tokens"), ("PricingCategory", "Standard"), ("SkuId", "x"),
    )},
    "ConsumedQuantity of usage only": put("ConsumedQuantity", Decimal(1), CREDIT),
    **{f"{name} with {other}": put(name, None) for name, other in (
        ("ConsumedUnit", "ConsumedQuantity"), ("PricingUnit", "PricingQuantity"), ("ResourceType", "ResourceId"),
        ("SubAccountType", "SubAccountId"), ("RegionName", "RegionId"), ("SkuPriceId", "SkuId"),
        ("CommitmentDiscountCategory", "CommitmentDiscountId"), ("CommitmentDiscountType", "CommitmentDiscountId"),
        ("CommitmentDiscountName", "CommitmentDiscountId"), ("CommitmentDiscountUnit", "CommitmentDiscountQuantity"),
    )},
    **{f"{name} only with {other}": put(other, None) for name, other in (
        ("ResourceName", "ResourceId"), ("SubAccountName", "SubAccountId"), ("SkuMeter", "SkuId"),
        ("CommitmentDiscountStatus", "CommitmentDiscountId"),
    )},
    "CommitmentDiscountStatus of usage": put("CommitmentDiscountStatus", None, COMMITTED),
    "ListCost identity": put("ListCost", Decimal("0.002500000001"), PRICED),
    "ContractedCost identity": put("ContractedUnitPrice", Decimal("0.000000000001"), USAGE),
    **{f"{name} not negative": put(name, Decimal(-1)) for name in (
        "ListUnitPrice", "ContractedUnitPrice", "PricingQuantity", "ConsumedQuantity",
    )},
    "no saving in usage": put("EffectiveCost", Decimal(-1)),
    "a credit is not positive": put("EffectiveCost", Decimal(1)),
    "Billing period": lambda rows: rows.with_columns(BillingPeriodEnd="BillingPeriodStart"),
    "Charge period": lambda rows: rows.with_columns(ChargePeriodEnd="ChargePeriodStart"),
    "billing period is a month": shift("BillingPeriodEnd", timedelta(days=1)),
    "charge within billing period": shift("ChargePeriodStart", timedelta(days=-40)),
    "charge period is an hour or a day": shift("ChargePeriodEnd", timedelta(hours=1)),
    "x_ prefix": lambda rows: rows.rename({"x_Workflow": "Workflow"}),
    "Tags JSON": put("Tags", '{"workflow":"a",}'),
    "x_CostCategory of usage": put("x_CostCategory", "waste"),
    "x_UsageKind known": put("x_UsageKind", "input"),
    "x_BilledBasis said": put("x_BilledBasis", None),
    "one row once": lambda rows: pl.concat([rows, rows.head(1)]),
}  # fmt: skip


def status(rows: pl.DataFrame) -> dict[str, str]:
    return dict(focus_check(rows).select("check", "status").iter_rows())


def test_rows_as_we_write_them_pass_every_check() -> None:
    assert set(status(good()).values()) == {PASSED}


def test_there_are_more_than_sixty_checks_each_with_its_own_name_and_mutation() -> None:
    names = [check.name for check in CHECKS]
    assert len(names) == len(set(names)) > 60
    assert set(names) == set(BROKEN)


@pytest.mark.parametrize("name", BROKEN)
def test_a_check_fails_on_rows_that_break_its_rule(name: str) -> None:
    assert status(BROKEN[name](good()))[name] == FAILED


def test_a_failed_check_shows_the_first_bad_row() -> None:
    rows = put("BillingCurrency", "BTC", pl.col("ChargeCategory") == "Credit")(good())
    judged = focus_check(rows).filter(pl.col("check") == "ISO currency").row(0, named=True)
    place = rows["BillingCurrency"].to_list().index("BTC") + 1
    assert (judged["n_rows"], judged["n_bad"]) == (rows.height, 1)
    assert judged["example"] == f"row {place}: BillingCurrency = BTC"


def test_what_needs_an_absent_column_is_skipped_not_passed() -> None:
    judged = status(good().drop("ListUnitPrice"))
    assert judged["ListCost identity"] == SKIPPED
    assert judged["ContractedCost identity"] == PASSED


def test_rows_read_back_from_text_are_mistyped_and_said_so() -> None:
    judged = status(good().with_columns(pl.col(MONEY).cast(pl.String)))
    assert judged["ListCost type"] == FAILED
    assert judged["ListCost identity"] == SKIPPED


@pytest.mark.parametrize("text", ["{}", '{"a":null}', '{"a":"b,}","c":"d\\"e"}', '{"a":"","b":null}'])
def test_tags_may_hold_any_text(text: str) -> None:
    assert status(put("Tags", text)(good()))["Tags JSON"] == PASSED


@pytest.mark.parametrize("text", ["", "a", '{"a":1,}', '{"a"}', '{"a":"b"', '{"a":"b""c":"d"}'])
def test_tags_that_are_no_object_are_found(text: str) -> None:
    assert status(put("Tags", text)(good()))["Tags JSON"] == FAILED
