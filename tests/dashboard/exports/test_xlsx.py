"""The workbook: formulas give what the statement says, text is never run, negatives are red in parentheses."""

import zipfile
from decimal import Decimal
from io import BytesIO

import polars as pl
import pytest
from tests.analytics.line_rows import START, lines_of
from tests.dashboard.exports.sheets import Sheets
from tests.dashboard.frames import NOW, book_of, packed

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.unit_cost.units import cohort
from tokenpnl_dashboard import words
from tokenpnl_dashboard.exports import xlsx
from tokenpnl_dashboard.exports.pack import Pack
from tokenpnl_dashboard.exports.xlsx import line_sums, workbook
from tokenpnl_dashboard.shapes.statement_table import INDENT
from tokenpnl_dashboard.shapes.statement_table import lines_of as statement_lines


def pack(n_runs: int = 120) -> Pack:
    frames = book_of(n_runs).frames
    return packed(frames["line_items"], cohort(frames["runs"], as_of=NOW), period="all time", as_of=NOW)


def pack_with(*lines: dict[str, object]) -> Pack:
    return packed(lines_of(*lines), period="November", as_of=START)


@pytest.fixture(scope="module")
def whole() -> tuple[Pack, Sheets]:
    made = pack()
    return made, Sheets(workbook(made))


def test_every_formula_gives_the_line_of_the_statement_and_carries_it(whole: tuple[Pack, Sheets]) -> None:
    made, sheets = whole
    row, counted = made.total.row(0, named=True), 0
    for name, title in statement_lines(made.total):
        plain = title.strip(INDENT)
        formula = sheets.formulas["Summary"].cell(sheets.line(plain), 2).value
        if isinstance(formula, str) and formula.startswith("="):
            counted += 1
            assert sheets.calculated(plain) == row[name], name
            assert sheets.carried(plain) == float(row[name])
    assert counted >= 14


def test_the_exact_text_has_every_digit(whole: tuple[Pack, Sheets]) -> None:
    made, sheets = whole
    assert Decimal(sheets.exact("Effective cost")) == made.lines["cost_usd"].sum()
    assert Decimal(sheets.exact(words.CATEGORY["timeout"])) == made.total["timeout_usd"][0]


def test_cost_per_success_is_a_formula_over_its_parts(whole: tuple[Pack, Sheets]) -> None:
    made, sheets = whole
    for line, unit in enumerate(made.units.iter_rows(named=True), start=2):
        assert sheets.formulas["Units"][f"E{line}"].value == f"=D{line}/C{line}"
        settled = sheets._value("Units", f"I{line}")
        assert abs(settled - unit["settled_usd"]) < Decimal("1e-12")
        assert sheets.formulas["Units"][f"N{line}"].value == f"{unit['settled_usd']:f}"


@pytest.mark.parametrize("hostile", ["=cmd|'/c calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "http://x.example/a"])
def test_text_from_telemetry_stays_text(hostile: str) -> None:
    sheets = Sheets(workbook(pack_with({"usd": "1", "customer_id": hostile, "workflow": hostile})))
    cell = sheets.formulas["Lines"]["C2"]
    assert (cell.value, cell.data_type, cell.hyperlink) == (hostile, "s", None)
    assert sheets.formulas["Lines"]["B2"].data_type == "s"


def test_negative_money_is_red_in_parentheses() -> None:
    sheets = Sheets(workbook(pack_with({"usd": "-2"})))
    cell = sheets.formulas["Summary"].cell(sheets.line("Effective cost"), 2)
    assert cell.number_format == "#,##0.0000;[Red](#,##0.0000);0.0000"
    assert sheets.carried("Effective cost") == -2


def test_a_commitment_fee_is_in_effective_but_not_in_list_cost() -> None:
    fee = {"usage_kind": "commitment", "cost_source": "commitment", "list_cost_usd": "0", "contracted_cost_usd": "0"}
    made = pack_with({"price": "2", "cost_usd": "0"}, fee | {"cost_usd": "5"})
    sheets = Sheets(workbook(made))
    assert sheets.calculated("List cost") == made.total["list_usd"][0] == Decimal("0.002")
    assert sheets.calculated("Effective cost") == 5


def test_unpriced_lines_leave_their_cells_empty_and_are_disclosed() -> None:
    sheets = Sheets(workbook(pack_with({"usd": "1"}, {"cost_source": "unpriced", "model": "z", "quantity": 7})))
    lines = sheets.formulas["Lines"]
    assert [lines[f"N{row}"].value for row in (2, 3)] == [1, None]
    method = {row[0].value: row[1].value for row in sheets.formulas["Disclosure"].iter_rows(min_row=3)}
    assert method["Without a price"] == "7 units of usage; every sum of dollars is a floor"
    assert "50%" in method["Lines"]


def test_the_same_pack_gives_the_same_bytes_of_every_sheet() -> None:
    first, second = (zipfile.ZipFile(BytesIO(workbook(pack(10)))) for _ in range(2))
    assert {name: first.read(name) for name in first.namelist()} == {n: second.read(n) for n in second.namelist()}


def test_more_lines_than_a_sheet_has_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "_MOST_ROWS", 1)
    with pytest.raises(RefusedInputError, match="choose a shorter period, or `tokenpnl export parquet`"):
        line_sums(lines_of({"usd": "1"}, {"usd": "1", "workflow": "b"}))


def test_an_empty_pack_is_a_workbook_too() -> None:
    sheets = Sheets(workbook(packed(lines_of().clear(), period="now", as_of=START)))
    assert sheets.calculated("Effective cost") == 0
    assert pl.Series([sheets.exact("Effective cost")]).str.starts_with("0").all()
