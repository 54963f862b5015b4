"""Rows of several days over their days."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.closing.invoices.spreading import BEGINS, ENDS, over_days, spread_note, too_long
from tokenpnl_analytics.closing.invoices.tables import utc_moment
from tokenpnl_analytics.frames import MONEY

FIRST = datetime(2026, 10, 1, tzinfo=UTC)
SCHEMA = {
    BEGINS: pl.Datetime("us", "UTC"),
    ENDS: pl.Datetime("us", "UTC"),
    "cost": MONEY,
    "quantity": pl.Int64(),
    "charge_category": pl.String(),
    "row": pl.String(),
}
MOMENTS = st.datetimes(min_value=datetime(2026, 9, 1), max_value=datetime(2026, 12, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis takes naive bounds


def lines(*rows: tuple[datetime, datetime | None, str | None, int | None, str]) -> pl.DataFrame:
    filled = [
        (begins, ends, None if cost is None else Decimal(cost), n, category, f"row {place}")
        for place, (begins, ends, cost, n, category) in enumerate(rows)
    ]
    return pl.DataFrame(filled, schema=SCHEMA, orient="row").with_columns(pl.col(BEGINS).dt.date().alias("day"))


def test_the_odd_token_and_picodollar_go_to_the_largest_fractions() -> None:
    found = over_days(lines((FIRST, FIRST + timedelta(days=3), "0.000000000100", 100, "Usage")))
    assert found["cost"].to_list() == [Decimal(34).scaleb(-12), Decimal(33).scaleb(-12), Decimal(33).scaleb(-12)]
    assert found["quantity"].to_list() == [34, 33, 33]


@given(MOMENTS, MOMENTS, st.decimals("-1e15", "1e15", places=12), st.integers(0, 10**15))
def test_the_parts_of_a_row_sum_to_it_to_the_last_digit(
    one: datetime, other: datetime, cost: Decimal, tokens: int
) -> None:
    begins, ends = sorted((one, other))
    found = over_days(lines((begins, ends, str(cost), tokens, "Usage")))
    assert (found["cost"].sum(), found["quantity"].sum()) == (cost, tokens)
    assert found["spread"].all() is (ends - begins > timedelta(days=1))
    assert found["day"].is_sorted()
    assert found["day"].is_unique().all()


def test_a_day_or_less_stays_on_the_day_of_its_start_and_what_has_no_end_too() -> None:
    noon = FIRST + timedelta(hours=12)
    found = over_days(lines((noon, noon + timedelta(days=1), "1", 1, "Usage"), (noon, None, "2", 2, "Usage")))
    assert found.select("day", "cost", "spread").rows() == [
        (date(2026, 10, 1), Decimal(1), False),
        (date(2026, 10, 1), Decimal(2), False),
    ]


def test_what_is_not_told_stays_unknown_on_every_day() -> None:
    found = over_days(lines((FIRST, FIRST + timedelta(days=2), "1", None, "Usage")))
    assert found["quantity"].to_list() == [None, None]


def test_a_fee_for_a_month_is_of_its_first_day() -> None:
    found = over_days(lines((FIRST, FIRST + timedelta(days=31), "9", None, "Purchase")))
    assert found.select("cost", "spread").rows() == [(Decimal(9), False)]
    assert spread_note(found) == ()


def test_the_lines_keep_the_order_of_the_file() -> None:
    days = timedelta(days=2)
    rows = [
        (FIRST, FIRST + days, "1", 1, "Usage"),
        (FIRST, FIRST, "2", 1, "Usage"),
        (FIRST, FIRST + days, "3", 1, "Usage"),
    ]
    assert over_days(lines(*rows))["row"].to_list() == ["row 0", "row 0", "row 1", "row 2", "row 2"]


def test_more_than_a_year_in_a_row_is_a_fault() -> None:
    frame = pl.DataFrame(
        {"row": ["row 2", "row 3"], "a": ["2024-01-01", "2024-01-01"], "b": ["2025-01-02", "2025-01-01"]}
    )
    assert [fault.row for fault in too_long(frame, "a", "b")] == ["row 2"]


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-10-01", 0),
        ("2026-10-01T05:00:00Z", 5),
        ("2026-10-01T05:00:00.000Z", 5),
        ("2026-10-01 05:00:00.000000", 5),
        ("2026-10-01T05:00Z", 5),
        ("2026-10-01T07:00:00+02:00", 5),
        ("soon", None),
    ],
)
def test_moments_are_read_as_files_write_them(text: str, hour: int | None) -> None:
    (found,) = pl.DataFrame({"t": [text]}).select(utc_moment("t"))["t"].to_list()
    assert found == (None if hour is None else FIRST + timedelta(hours=hour))
