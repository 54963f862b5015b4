"""The statement on screen: lines down, periods across, the same figures in full in the file."""

from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest
from tests.dashboard.frames import book_of

from tokenpnl_analytics.statement import statement
from tokenpnl_dashboard.shapes import statement_table
from tokenpnl_dashboard.shapes.statement_table import Shown

GRAIN = ["usage_kind", "cost_category", "served_reason"]


@pytest.fixture(scope="module")
def months() -> Shown:
    sums = book_of(90).query("line_item_sums", by=["month", *GRAIN])
    timed = sums.rename({"month": "period"})
    found = statement(timed, ["period"]).rename({"period": "month"})
    return statement_table.transposed(found, statement(timed), by="month")


def test_periods_stand_side_by_side_with_total_and_change(months: Shown) -> None:
    assert months.words.columns == ["Line", "Sep 2026", "Oct 2026", "Nov 2026", "Total", "Change"]


def test_the_file_adds_up_to_the_last_digit(months: Shown) -> None:
    row = months.figures.filter(pl.col("Line") == "Effective cost").row(0)
    assert sum(map(Decimal, row[1:4])) == Decimal(row[4])


def test_a_line_knows_the_category_behind_it_and_a_column_its_days(months: Shown) -> None:
    assert months.lines[months.words["Line"].to_list().index("\u2003\u2003Timeout")] == "timeout"
    assert months.values["Oct 2026"] == "2026-10"


def test_lines_that_say_nothing_are_left_out_and_the_ladder_never_is(months: Shown) -> None:
    lines = [line.strip() for line in months.words["Line"]]
    assert lines[:4] == ["List cost", "Negotiated discount", "Contracted cost", "Effective cost"]
    assert "Idle capacity" not in lines


def test_a_week_leads_to_its_seven_days() -> None:
    found = pl.DataFrame({"week": [datetime(2026, 11, 16, tzinfo=UTC)], "effective_usd": [Decimal(1)]})
    for name, _ in statement_table.LADDER:
        found = found.with_columns(pl.lit(Decimal(1)).alias(name))
    found = found.with_columns(without_result_usd=pl.lit(Decimal(0)))
    shown = statement_table.transposed(found, found, by="week")
    assert shown.values == {"Week of 16 Nov": "2026-11-16..2026-11-22"}


def test_an_absent_value_is_a_column_of_its_own_and_the_rest_leads_nowhere() -> None:
    sums = book_of(90).query("line_item_sums", by=["customer_id", *GRAIN])
    named = sums.with_columns(pl.col("customer_id").replace("acme", "(others)"))
    shown = statement_table.transposed(statement(named, ["customer_id"]), statement(named), by="customer_id")
    assert "(none)" in shown.words.columns
    assert "(others)" not in shown.values


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("effective_usd", Decimal("5.5"), "5.50"), ("discount_usd", Decimal("5.5"), "(5.50)"),
        ("n_runs", 1200, "1,200"), ("usd_per_success", Decimal("0.0075"), "$0.0075"),
        ("priced_share", 0.992, "99%"), ("effective_usd", None, "–"),
        ("contribution_usd", Decimal("-5.5"), "(5.50)"),
    ],
)  # fmt: skip
def test_each_line_is_written_in_its_own_manner(name: str, value: object, said: str) -> None:
    assert statement_table.words_of(name, value, like=Decimal(20)) == said
