"""Files of tables: exact, ISO, inert."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from tokenpnl_analytics.frames import MONEY, TIME
from tokenpnl_dashboard.exports.tables import csv_bytes, parquet_bytes

AT = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
FRAME = pl.DataFrame(
    {
        "at": [AT, AT + timedelta(milliseconds=5)],
        "who": ["=cmd|'/c calc'!A0", 'Müller, "A"'],
        "usd": [Decimal("-0.1"), None],
    },
    schema={"at": TIME, "who": pl.String, "usd": MONEY},
)


def test_csv_has_iso_times_every_digit_and_no_formula() -> None:
    assert csv_bytes(FRAME).decode() == (
        "at,who,usd\n"
        "2026-11-01T12:00:00Z,'=cmd|'/c calc'!A0,-0.100000000000\n"
        '2026-11-01T12:00:00.005Z,"Müller, ""A""",\n'
    )


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_a_spreadsheet_would_run_is_made_inert(start: str) -> None:
    text = csv_bytes(pl.DataFrame({"who": [f"{start}1"]})).decode()
    assert text.splitlines()[1].lstrip('"').startswith("'")


def test_a_mark_lets_excel_know_utf8() -> None:
    assert csv_bytes(FRAME, mark=True).startswith(b"\xef\xbb\xbfat,")


def test_parquet_keeps_text_types_and_digits() -> None:
    assert pl.read_parquet(io.BytesIO(parquet_bytes(FRAME))).equals(FRAME)
