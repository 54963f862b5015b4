"""Exact amounts, from text and JSON."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.closing.invoices.amounts import bad_amounts, money, to_money, units_in, whole


@pytest.mark.parametrize(
    ("written", "meant"),
    [("123.78912", "123.78912"), ("-3.75", "-3.75"), ("1.2E-7", "0.00000012"), (7, "7"), (Decimal("0.06"), "0.06")],
)
def test_a_plain_number_is_taken_digit_by_digit(written: object, meant: str) -> None:
    assert money(written) == Decimal(meant)


@pytest.mark.parametrize("written", ["=1+1", "+1", "1,200.00", "$5", "", "nan", "1e999", 0.06, True, None, "1_000"])
def test_anything_else_is_no_amount(written: object) -> None:
    assert money(written) is None


def test_the_thirteenth_decimal_is_rounded_half_even() -> None:
    assert money("0.0000000000005") == Decimal(0)
    assert money("0.0000000000015") == Decimal("0.000000000002")


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=12))
def test_text_and_column_agree(amount: Decimal) -> None:
    column = pl.DataFrame({"x": [f"{amount:f}"]}).select(to_money(pl.col("x")))
    assert column.item() == money(f"{amount:f}") == amount


def test_a_count_is_whole_and_not_negative() -> None:
    assert [whole(value) for value in (12, "12", Decimal("12.0"), "12.5", -1, None)] == [12, 12, 12, None, None, None]


@pytest.mark.parametrize(
    ("unit", "tokens"),
    [("Tokens", 1), ("1K tokens", 1000), ("1M Tokens", 1_000_000), ("Requests", 1), ("GB-Hours", None), (None, None)],
)
def test_a_unit_says_how_many_tokens_it_is(unit: str | None, tokens: int | None) -> None:
    assert units_in(unit) == tokens


def test_a_formula_in_a_column_is_a_fault_with_its_row() -> None:
    rows = pl.DataFrame({"row": ["row 2", "row 3"], "cost": ["1.5", "=SUM(A1)"]})
    assert [(fault.row, "=SUM(A1)" in fault.reason) for fault in bad_amounts(rows, "cost")] == [("row 3", True)]
