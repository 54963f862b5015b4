"""The page of allocation, with and without rules, and the files that the statement is handed out as."""

from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
from streamlit.testing.v1 import AppTest
from tests.dashboard.frames import book_of
from tests.dashboard.test_allocations import closed
from tests.dashboard.test_pages import BOOKS, opened, said

from tokenpnl_analytics.periods import Period
from tokenpnl_dashboard import state
from tokenpnl_dashboard.exports.xlsx import workbook
from tokenpnl_dashboard.parts.filters import Choice
from tokenpnl_dashboard.questions.downloads import packer
from tokenpnl_ingest.home import Home

RULES = """\
version: "7"
rules:
  - {name: support, workflow: support_*, owner: {org: Acme, team: Support, product: Helpdesk}}
  - {name: contracts, workflow: contract_*, share: {split: even}}
"""


def with_rules(tmp_path: Path, text: str) -> AppTest:
    home = Home.at(tmp_path)
    home.config.mkdir(parents=True)
    (home.config / "allocation.yaml").write_text(text)
    book = BOOKS["many"]
    app = opened("allocation", book, period="all")
    state.serve(book, home)
    return app.run()


def test_owners_rules_and_what_nobody_owns_are_shown(tmp_path: Path) -> None:
    app = with_rules(tmp_path, RULES)
    assert not app.exception
    owners, rules = app.dataframe[0].value, app.dataframe[1].value
    assert set(owners["Owner"]) == {"Acme/Support/Helpdesk", "(unallocated)"}
    assert owners.set_index("Owner")["Methods"]["Acme/Support/Helpdesk"] == "direct, even"
    assert rules["Rule"].to_list() == ["support", "contracts", "(no rule)"]
    assert rules["Lines"].sum() == BOOKS["many"].frames["line_items"].height
    assert "rules 7" in said(app)
    assert app.metric[1].label == "Unallocated"


def test_without_rules_the_page_says_how_to_begin() -> None:
    app = opened("allocation", BOOKS["many"], period="all")
    assert "No rules yet" in said(app)
    assert app.code[0].value.startswith("# Who pays for which cost.")
    assert app.metric[0].value == "0%"


def test_a_broken_rule_file_is_told_with_its_line(tmp_path: Path) -> None:
    app = with_rules(tmp_path, "rules:\n  - {name: a}\n")
    assert not app.exception
    assert "allocation.yaml" in app.error[0].value


def test_nothing_is_charged_before_a_month_is_closed(tmp_path: Path) -> None:
    assert "No month is closed yet" in said(with_rules(tmp_path, RULES))


def test_the_statement_is_handed_out_in_three_forms() -> None:
    app = opened("pnl", BOOKS["many"], period="all")
    assert [button.label for button in app.get("download_button")] == ["Download CSV", "Download XLSX", "Download PDF"]


@pytest.mark.parametrize(
    ("picked", "successes"), [({"workflow": ["support_reply"]}, True), ({"model": ["gpt-5"]}, False)]
)
def test_a_file_holds_what_was_chosen(picked: dict[str, list[str]], successes: bool) -> None:
    book = book_of(60)
    opened("pnl", book, period="all")
    made = _outside_of_a_page(book, Choice(Period("all", None, None), picked))
    sheets = openpyxl.load_workbook(BytesIO(made))
    lines = {cell.value for cell in sheets["Summary"]["A"]}
    assert ("Successes" in lines) is successes
    assert (
        sheets["Summary"]["A1"].value == f"Token P&L, all time ({next(iter(picked))}: {next(iter(picked.values()))[0]})"
    )
    assert {row[0].value for row in sheets["Lines"].iter_rows(min_row=2, min_col=2)} == {"support_reply"}


def _outside_of_a_page(book: object, choice: Choice) -> bytes:
    state.serve(book)  # type: ignore[arg-type]
    state.begin()
    return packer(choice, workbook)()


def test_a_closed_month_is_handed_out_as_a_chargeback(tmp_path: Path) -> None:
    home = closed(tmp_path, {"allocation.yaml": RULES})
    book = BOOKS["many"]
    app = opened("allocation", book, period="all")
    state.serve(book, home)
    app = app.run()
    assert not app.exception
    assert app.selectbox(key="charged_month").options == ["2026-11"]
    assert [button.label for button in app.get("download_button")] == ["Download CSV"]
