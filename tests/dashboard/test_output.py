import json
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from tokenpnl_dashboard.output import csv_text, inert, plain, print_frame, print_json
from tokenpnl_dashboard.shapes.table_cells import broken_head

FRAME = pl.DataFrame(
    {"model": ["a|b", None], "cost_usd": [Decimal("0.000090000000"), None], "n_lines": [1, 2]},
    schema={"model": pl.String, "cost_usd": pl.Decimal(38, 12), "n_lines": pl.Int64},
)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Decimal("0.000009000000"), "0.000009"),
        (Decimal("1E+3"), "1000"),
        (datetime(2026, 11, 24, 8, tzinfo=UTC), "2026-11-24T08:00:00Z"),
        ({"a": [Decimal("1.50")]}, {"a": ["1.5"]}),
        (None, None),
    ],
)
def test_a_value_keeps_its_digits_and_loses_its_padding(value: object, told: object) -> None:
    assert plain(value) == told


def test_json_says_null_for_what_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    print_frame(FRAME, "json")
    rows = json.loads(capsys.readouterr().out)
    assert rows[1] == {"model": None, "cost_usd": None, "n_lines": 2}


def test_markdown_escapes_what_would_break_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_frame(FRAME, "md")
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "| a\\|b | 0.00009 | 1 |"
    assert lines[3] == "| – | – | 2 |"


def test_a_table_shows_every_cell(capsys: pytest.CaptureFixture[str]) -> None:
    print_frame(FRAME, "table", title="costs")
    printed = capsys.readouterr().out
    assert "costs" in printed
    assert "$0.000090" in printed


def test_a_table_rounds_for_eyes_and_prices_keep_their_digits(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pl.DataFrame({"paid_usd": [Decimal("1234.123456789012")], "met": [True], "wape": [0.4673622583]})
    print_frame(frame, "table")
    assert "$1,234 │ yes │  47%│" in capsys.readouterr().out
    print_frame(frame.select("paid_usd"), "table", exact=True)
    assert "1234.123456789012" in capsys.readouterr().out


def test_times_of_a_table_end_at_the_minute_and_days_have_none(capsys: pytest.CaptureFixture[str]) -> None:
    moment = datetime(2026, 11, 24, 14, 44, 23, 282907, tzinfo=UTC)
    print_frame(pl.DataFrame({"at": [moment], "day": [datetime(2026, 11, 24, tzinfo=UTC)]}), "table")
    assert "2026-11-24 14:44 │ 2026-11-24│" in capsys.readouterr().out


def test_a_table_without_rows_says_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    print_frame(FRAME.clear(), "table", nothing="every month is open")
    assert capsys.readouterr().out == "every month is open\n"


def test_heads_of_many_columns_are_cut_after_underscores() -> None:
    assert broken_head("run_rate_usd_per_day", 9) == "run_rate_\nusd_per_\nday"


def test_of_many_columns_those_without_room_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    print_frame(pl.DataFrame({f"figure{number:08}": [number] for number in range(14)}), "table")
    *table, note = capsys.readouterr().out.splitlines()
    assert max(map(len, table)) <= 160
    assert note.startswith("no room for figure00000009, figure00000010, ")
    assert note.endswith("figure00000013: a wider window shows them, so does --csv")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"])
def test_csv_text_cannot_be_run_by_a_spreadsheet(text: str) -> None:
    assert f"'{text}" in csv_text(pl.DataFrame({"name": [text]}))
    assert inert(text) == f"'{text}"


def test_csv_keeps_negative_money_a_number() -> None:
    frame = pl.DataFrame({"usd": [Decimal("-1.5")]}, schema={"usd": pl.Decimal(38, 12)})
    assert csv_text(frame).splitlines() == ["usd", "-1.500000000000"]


def test_a_document_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"cost_usd": Decimal("2.0")})
    assert json.loads(capsys.readouterr().out) == {"cost_usd": "2"}


def test_a_head_of_several_words_keeps_their_spaces() -> None:
    assert broken_head("Would have saved", 11) == "Would have\nsaved"
    assert broken_head("It cost", 9) == "It cost"
