"""The verbs that hand out the books: files, exit codes, and what they say beside."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from click.testing import CliRunner, Result
from tests.dashboard.test_cli import chat, ingested, written

from tokenpnl_analytics.rules.accounts import ACCOUNTS
from tokenpnl_analytics.rules.allocation import ALLOCATION
from tokenpnl_dashboard.cli import CHECK_FAILED, OK
from tokenpnl_dashboard.cli import tokenpnl as program

RULES = "rules:\n  - {name: desk, workflow: desk, customer: '=*', owner: {org: Acme, team: Desk}}\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of customer =cmd() with a call of $0.00018 and one of a model without a price."""
    folder = tmp_path_factory.mktemp("exports")
    calls = chat(2, parent=1), chat(3, parent=1, model="nobody-sells-this")
    place = ingested(folder / "home", written(folder / "capture.otlp.jsonl", *calls))
    (place / "config").mkdir()
    (place / "config" / ALLOCATION.name).write_text(RULES)
    return place


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(program, [*arguments, "--home", str(home)], standalone_mode=False)


def done(home: Path, *arguments: str) -> Result:
    result = run(home, *arguments)
    assert (result.exception, result.return_value) == (None, OK), result.output
    return result


def answer(home: Path, *arguments: str) -> Any:
    told = json.loads(done(home, *arguments, "--json").stdout)
    assert told["disclosure"]["counted"] == "line item"
    return told["rows"]


def test_focus_goes_to_standard_output_and_says_what_it_leaves_out(home: Path) -> None:
    result = done(home, "export", "focus")
    assert result.stdout.startswith("BilledCost,BillingAccountId,")
    assert "'=cmd()" in result.stdout
    assert "effective cost $0.00018" in result.stderr
    assert "Not checked: invoices, as none of this period is reconciled." in result.stderr
    assert "(1,100 units of nobody-sells-this) without a price" in result.stderr


def test_checks_of_focus_are_printed_and_its_rows_go_to_a_file(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "focus.parquet"
    result = done(home, "export", "focus", "--check", "-o", str(path))
    assert "113 of 113 checks" in result.stdout
    assert pl.read_parquet(path)["EffectiveCost"].sum() == Decimal("0.00018")


def test_what_is_posted_equals_the_books_while_no_month_is_closed(home: Path) -> None:
    assert done(home, "export", "focus", "--posted").stdout == done(home, "export", "focus").stdout


def test_an_hour_is_a_charge_period_too(home: Path) -> None:
    found = done(home, "export", "focus", "--grain", "hour").stdout.splitlines()[1]
    assert "certified" not in found
    assert "2026-11-18T" in found


def test_a_journal_without_an_account_map_is_refused_with_what_lacks(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "journal.csv"
    result = run(home, "export", "gl", "-o", str(path))
    assert result.return_value == CHECK_FAILED
    assert "account,production,Usage" in result.stderr
    assert "begin with `tokenpnl export gl --template`" in result.stderr
    assert not path.exists()


def test_the_template_of_the_account_map_makes_a_journal(home: Path) -> None:
    place = home / "config" / ACCOUNTS.name
    place.write_text(done(home, "export", "gl", "--template").stdout)
    try:
        lines = done(home, "export", "gl").stdout.splitlines()
        # $0.00018 is less than a cent: there is nothing that a ledger of cents could take.
        assert done(home, "export", "gl", "--cents").stdout.count("\n") == 1
    finally:
        place.unlink()
    assert lines[1].split(",")[3:9] == ["expense", "5100", "COGS", "openai", "0.000180000000", ""]
    assert lines[2].split(",")[3:9] == ["payable", "2150", "", "openai", "", "0.000180000000"]


def test_workbook_and_page_are_written_beside(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done(home, "export", "xlsx")
    done(home, "export", "pdf")
    assert openpyxl.load_workbook("tokenpnl.xlsx").sheetnames == ["Summary", "Units", "Lines", "Disclosure"]
    assert Path("tokenpnl.pdf").read_bytes().startswith(b"%PDF-")


def test_a_period_narrows_an_export(home: Path) -> None:
    assert done(home, "export", "csv", "--period", "2026-10", "-o", "-").stdout.count("\n") == 1


def test_lines_are_handed_out_with_every_digit(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "lines.parquet"
    done(home, "export", "parquet", "-o", str(path))
    assert pl.read_parquet(path)["cost_usd"].sum() == Decimal("0.00018")
    assert "0.000090000000" in done(home, "export", "csv").stdout


def test_allocation_says_who_would_pay(home: Path) -> None:
    (row,) = answer(home, "allocation", "show")
    assert (row["owner"], row["cost_usd"], row["methods"]) == ("Acme/Desk", "0.00018", "direct")
    assert "unallocated $0 (0%), target below 5.0%" in done(home, "allocation", "show").stderr


def test_allocation_by_day_is_in_order(home: Path) -> None:
    (row,) = answer(home, "allocation", "show", "--by", "day", "--by", "team")
    assert (row["period"], row["team"]) == ("2026-11-18T00:00:00Z", "Desk")


def test_two_grains_of_time_at_once_are_wrong_usage(home: Path) -> None:
    result = run(home, "allocation", "show", "--by", "day", "--by", "month")
    assert "would count everything twice" in str(result.exception)


def test_allocation_says_what_each_rule_caught(home: Path) -> None:
    rows = answer(home, "allocation", "show", "--rules")
    assert [(row["rule"], row["n_lines"]) for row in rows] == [("desk", 6), ("(no rule)", 0)]


def test_an_open_month_is_charged_to_nobody(home: Path) -> None:
    result = run(home, "allocation", "chargeback", "2026-11")
    assert "2026-11 is not closed" in str(result.exception)


def test_without_rules_the_way_to_begin_is_told(home: Path) -> None:
    place = home / "config" / ALLOCATION.name
    place.unlink()
    try:
        result = done(home, "allocation", "show")
    finally:
        place.write_text(RULES)
    assert "(unallocated)" in result.stdout
    assert "begin with `tokenpnl allocation template" in result.stderr


def test_the_template_of_allocation_holds() -> None:
    result = CliRunner().invoke(program, ["allocation", "template"], standalone_mode=False)
    assert len(ALLOCATION.parse(result.stdout).rules) == 4
