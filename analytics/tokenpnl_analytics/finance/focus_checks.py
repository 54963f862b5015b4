"""Our own checks of FOCUS 1.2 rows, as data: each has a name, a rule in one sentence, and finds the rows that break it.

They follow the normative sentences of the specification for the columns that we write, and add what we promise beyond
it. A file that passes is *checked*; nobody but the FinOps Foundation certifies.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl

from tokenpnl.model import CostCategory
from tokenpnl_analytics.finance.focus_columns import BY_NAME, COLUMNS, MANDATORY, METER
from tokenpnl_analytics.finance.focus_values import (
    CHARGE_CATEGORIES,
    CHARGE_FREQUENCIES,
    COMMITMENT_STATUSES,
    CURRENCIES,
    PRICING_CATEGORIES,
    SUBCATEGORY,
)

PASSED, FAILED, SKIPPED = "checked", "failed", "skipped"
_NEVER_NEGATIVE = ("ListUnitPrice", "ContractedUnitPrice")
_TEXT = r'"(\\.|[^"\\])*"'
_PAIR = rf"{_TEXT}:({_TEXT}|null)"
_JSON = rf"^\{{({_PAIR}(,{_PAIR})*)?\}}$"
_col = pl.col


@dataclass(frozen=True)
class Check:
    """One rule.

    Args:
        name: short and unique.
        rule: what must hold, as a sentence.
        needs: columns without which, in their type, it cannot be checked.
        broken_by: gives True for what breaks it: one entry a row, or one for the whole frame.
    """

    name: str
    rule: str
    needs: tuple[str, ...]
    broken_by: Callable[[pl.DataFrame], pl.Series]


def focus_check(rows: pl.DataFrame) -> pl.DataFrame:
    """Return what each check says of the rows, in the order of `CHECKS`.

    Args:
        rows: result of `focus_rows`, or a frame that somebody read from a file of it.

    Returns:
        `check, rule, status, n_rows, n_bad, example`: status is checked, failed, or skipped where a column that it
        needs is absent or of another type (which a check of its own reports); `example` shows the first bad row.
    """
    return pl.DataFrame(
        [_judged(check, rows) for check in CHECKS],
        schema={
            "check": pl.String,
            "rule": pl.String,
            "status": pl.String,
            "n_rows": pl.Int64,
            "n_bad": pl.Int64,
            "example": pl.String,
        },
        orient="row",
    )


def _judged(check: Check, rows: pl.DataFrame) -> tuple[str, str, str, int, int, str | None]:
    if any(rows.schema.get(name) != _dtype(name) for name in check.needs):
        return check.name, check.rule, SKIPPED, 0, 0, None
    broken = check.broken_by(rows)
    n_bad = int(broken.sum())
    example = _example(check, rows, broken) if n_bad else None
    return check.name, check.rule, FAILED if n_bad else PASSED, len(broken), n_bad, example


def _example(check: Check, rows: pl.DataFrame, broken: pl.Series) -> str:
    at = int(broken.arg_max() or 0)
    if not check.needs:
        return f"row {at + 1}" if len(broken) > 1 else "the whole file"
    return f"row {at + 1}: " + ", ".join(f"{name} = {rows[name][at]}" for name in check.needs)


def _dtype(name: str) -> pl.DataType:
    return BY_NAME[name].dtype


def _rows(name: str, rule: str, needs: tuple[str, ...], bad: pl.Expr) -> Check:
    return Check(name, rule, needs, lambda rows: rows.select(bad.fill_null(value=False).alias("bad")).to_series())


def _whole(name: str, rule: str, bad: Callable[[pl.DataFrame], bool]) -> Check:
    return Check(name, rule, (), lambda rows: pl.Series("bad", [bad(rows)]))


def _of_columns() -> Iterator[Check]:
    for column in COLUMNS:
        name, dtype = column.name, column.dtype
        if column.level == MANDATORY:
            yield _whole(f"{name} present", f"{name} is there, as FOCUS 1.2 demands.", _absent(name))
        if not column.nullable:
            yield _rows(f"{name} not null", f"{name} is never empty.", (name,), _col(name).is_null())
        if dtype != pl.String():
            yield _whole(f"{name} type", f"{name}, where it is there, is {dtype}.", _mistyped(name, dtype))


def _absent(name: str) -> Callable[[pl.DataFrame], bool]:
    return lambda rows: name not in rows.columns


def _mistyped(name: str, dtype: pl.DataType) -> Callable[[pl.DataFrame], bool]:
    return lambda rows: name in rows.columns and rows.schema[name] != dtype


def _allowed(name: str, values: tuple[str, ...] | list[str]) -> Check:
    return _rows(f"{name} allowed", f"{name} is one of {', '.join(values)}.", (name,), ~_col(name).is_in(values))


def _with(name: str, other: str) -> Check:
    """Return the check that a column is empty exactly where another is."""
    unlike = _col(name).is_null() != _col(other).is_null()
    return _rows(f"{name} with {other}", f"{name} is empty exactly where {other} is.", (name, other), unlike)


def _only_with(name: str, other: str) -> Check:
    alone = _col(name).is_not_null() & _col(other).is_null()
    return _rows(f"{name} only with {other}", f"{name} is empty where {other} is.", (name, other), alone)


_CATEGORY = _col("ChargeCategory")
_BOUGHT = _CATEGORY.is_in(["Usage", "Purchase"]) & _col("ChargeClass").is_null()
_USED = _CATEGORY == "Usage"


def _of_charges() -> Iterator[Check]:
    yield _allowed("ChargeCategory", CHARGE_CATEGORIES)
    yield _allowed("ChargeClass", ("Correction",))
    yield _allowed("ChargeFrequency", CHARGE_FREQUENCIES)
    yield _allowed("PricingCategory", PRICING_CATEGORIES)
    yield _allowed("ServiceCategory", sorted(set(SUBCATEGORY.values())))
    yield _rows(
        "ServiceSubcategory of ServiceCategory",
        "ServiceSubcategory is one of its ServiceCategory.",
        ("ServiceCategory", "ServiceSubcategory"),
        _col("ServiceSubcategory").replace_strict(SUBCATEGORY, default="") != _col("ServiceCategory"),
    )
    yield _rows(
        "ISO currency",
        "BillingCurrency is a code of ISO 4217.",
        ("BillingCurrency",),
        ~_col("BillingCurrency").is_in(CURRENCIES),
    )
    yield _rows(
        "a purchase is not usage-based",
        "ChargeFrequency is not Usage-Based where ChargeCategory is Purchase.",
        ("ChargeCategory", "ChargeFrequency"),
        (_CATEGORY == "Purchase") & (_col("ChargeFrequency") == "Usage-Based"),
    )
    for name in ("ListUnitPrice", "ContractedUnitPrice", "PricingQuantity", "PricingUnit", "PricingCategory", "SkuId"):
        needs = ("ChargeCategory", "ChargeClass", name)
        rule = f"{name} is there for usage and purchases that are no corrections."
        yield _rows(f"{name} of usage", rule, needs, _BOUGHT & _col(name).is_null())
        rule = f"{name} is empty for taxes."
        taxed = (_CATEGORY == "Tax") & _col(name).is_not_null()
        yield _rows(f"{name} of tax", rule, ("ChargeCategory", name), taxed)
    yield _rows(
        "ConsumedQuantity of usage only",
        "ConsumedQuantity is empty where ChargeCategory is not Usage.",
        ("ChargeCategory", "ConsumedQuantity"),
        ~_USED & _col("ConsumedQuantity").is_not_null(),
    )


def _of_pairs() -> Iterator[Check]:
    yield _with("ConsumedUnit", "ConsumedQuantity")
    yield _with("PricingUnit", "PricingQuantity")
    yield _with("ResourceType", "ResourceId")
    yield _only_with("ResourceName", "ResourceId")
    yield _with("SubAccountType", "SubAccountId")
    yield _only_with("SubAccountName", "SubAccountId")
    yield _with("RegionName", "RegionId")
    yield _with("SkuPriceId", "SkuId")
    yield _only_with("SkuMeter", "SkuId")
    for name in ("Category", "Type", "Name"):
        yield _with(f"CommitmentDiscount{name}", "CommitmentDiscountId")
    yield _with("CommitmentDiscountUnit", "CommitmentDiscountQuantity")
    yield _only_with("CommitmentDiscountStatus", "CommitmentDiscountId")
    yield _allowed("CommitmentDiscountStatus", COMMITMENT_STATUSES)
    yield _allowed("CommitmentDiscountCategory", ("Spend", "Usage"))
    yield _rows(
        "CommitmentDiscountStatus of usage",
        "CommitmentDiscountStatus is there where a commitment served usage.",
        ("ChargeCategory", "CommitmentDiscountId", "CommitmentDiscountStatus"),
        _USED & _col("CommitmentDiscountId").is_not_null() & _col("CommitmentDiscountStatus").is_null(),
    )


def _of_money() -> Iterator[Check]:
    for rung in ("List", "Contracted"):
        price, cost = f"{rung}UnitPrice", f"{rung}Cost"
        yield _rows(
            f"{cost} identity",
            f"{cost} is {price} times PricingQuantity, exactly.",
            (price, "PricingQuantity", cost),
            _col(price) * _col("PricingQuantity") != _col(cost),
        )
    for name in _NEVER_NEGATIVE:
        yield _rows(f"{name} not negative", f"{name} is not negative.", (name,), _col(name) < 0)
    for name in ("PricingQuantity", "ConsumedQuantity"):
        rule = f"{name} of usage is not negative."
        yield _rows(f"{name} not negative", rule, ("ChargeCategory", name), _USED & (_col(name) < 0))
    yield _rows(
        "no saving in usage",
        "Usage that is no correction costs nothing or something: a saving is no usage.",
        ("ChargeCategory", "ChargeClass", "EffectiveCost"),
        _USED & _col("ChargeClass").is_null() & (_col("EffectiveCost") < 0),
    )
    yield _rows(
        "a credit is not positive",
        "EffectiveCost of a credit is not positive.",
        ("ChargeCategory", "EffectiveCost"),
        (_CATEGORY == "Credit") & (_col("EffectiveCost") > 0),
    )


def _of_time() -> Iterator[Check]:
    for kind in ("Billing", "Charge"):
        start, end = f"{kind}PeriodStart", f"{kind}PeriodEnd"
        yield _rows(f"{kind} period", f"{start} is before {end}.", (start, end), _col(start) >= _col(end))
    month = _col("BillingPeriodStart")
    yield _rows(
        "billing period is a month",
        "A billing period is one whole month in UTC.",
        ("BillingPeriodStart", "BillingPeriodEnd"),
        (month.dt.truncate("1mo") != month) | (month.dt.offset_by("1mo") != _col("BillingPeriodEnd")),
    )
    yield _rows(
        "charge within billing period",
        "A charge period lies within its billing period.",
        ("ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodStart", "BillingPeriodEnd"),
        (_col("ChargePeriodStart") < month) | (_col("ChargePeriodEnd") > _col("BillingPeriodEnd")),
    )
    yield _rows(
        "charge period is an hour or a day",
        "A charge period begins on the hour and is one hour or one day long.",
        ("ChargePeriodStart", "ChargePeriodEnd"),
        (_col("ChargePeriodStart").dt.truncate("1h") != _col("ChargePeriodStart"))
        | ~(_col("ChargePeriodEnd") - _col("ChargePeriodStart")).dt.total_seconds().is_in([3600, 86400]),
    )


def _of_ours() -> Iterator[Check]:
    yield _whole("x_ prefix", "Every column that FOCUS 1.2 does not know begins with x_.", _strangers)
    yield _rows(
        "Tags JSON",
        "Tags is a JSON object.",
        ("Tags",),
        ~_col("Tags").str.contains(_JSON),
    )
    yield _rows(
        "x_CostCategory of usage",
        "Every usage row has exactly one cost category.",
        ("ChargeCategory", "x_CostCategory"),
        _USED & ~_col("x_CostCategory").is_in([category.value for category in CostCategory]).fill_null(value=False),
    )
    yield _rows(
        "x_UsageKind known",
        "x_UsageKind is a kind of the books.",
        ("x_UsageKind",),
        ~_col("x_UsageKind").is_in(list(METER)).fill_null(value=False),
    )
    yield _rows(
        "x_BilledBasis said",
        "A billed cost says what it rests on.",
        ("BilledCost", "x_BilledBasis"),
        _col("x_BilledBasis").is_null(),
    )
    yield Check(
        "one row once",
        "No row stands twice.",
        (),
        lambda rows: rows.is_duplicated() if rows.width else pl.Series("bad", [], pl.Boolean),
    )


def _strangers(rows: pl.DataFrame) -> bool:
    return any(name not in BY_NAME and not name.startswith("x_") for name in rows.columns)


CHECKS: tuple[Check, ...] = (
    *_of_columns(),
    *_of_charges(),
    *_of_pairs(),
    *_of_money(),
    *_of_time(),
    *_of_ours(),
)
