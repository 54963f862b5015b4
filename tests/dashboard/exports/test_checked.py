"""The checks of a FOCUS export include its sum."""

from decimal import Decimal

import polars as pl
from tests.analytics.line_rows import lines_of

from tokenpnl_analytics.finance.focus import focus_rows
from tokenpnl_dashboard.exports.checked import checked

LINES = lines_of({"price": "2.50"}, {"usd": "0.01", "usage_kind": "fee", "quantity": 1})


def failed(rows: pl.DataFrame) -> list[str]:
    return checked(rows, LINES).filter(pl.col("status") == "failed")["check"].to_list()


def test_rows_of_the_same_lines_sum_to_the_statement() -> None:
    assert failed(focus_rows(LINES)) == []


def test_a_lost_row_is_found() -> None:
    assert failed(focus_rows(LINES).head(1)) == [
        "EffectiveCost sums to the P&L", "ListCost sums to the P&L", "ContractedCost sums to the P&L",
    ]  # fmt: skip


def test_a_difference_in_the_last_digit_is_found() -> None:
    rows = focus_rows(LINES).with_columns(pl.col("EffectiveCost") + pl.lit(Decimal("0.000000000001")))
    found = checked(rows, LINES).filter(pl.col("check") == "EffectiveCost sums to the P&L").row(0, named=True)
    assert found["example"] == "0.012500000002 in the rows, 0.012500000000 in the statement"
