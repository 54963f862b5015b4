"""Credit and exchange differences in the journal and on the command line."""

import io
import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result
from tests.dashboard.test_cli import chat, ingested, written

from tokenpnl_analytics.rules.accounts import ACCOUNTS, TEMPLATE
from tokenpnl_analytics.rules.commitments import COMMITMENTS
from tokenpnl_dashboard.cli import OK
from tokenpnl_dashboard.cli import tokenpnl as program
from tokenpnl_ingest.control import ControlStore
from tokenpnl_ingest.control.records import Reconciled
from tokenpnl_ingest.home import Home

CREDIT = "prepaid:\n  - {name: start, provider: openai, amount: 100, bought_on: 2020-01-01}\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A call of $0.00018 by OpenAI, a credit of $100, and an invoice whose exchange difference is $3."""
    place = ingested(tmp_path / "home", written(tmp_path / "capture.otlp.jsonl", chat(2, parent=1)))
    (place / "config").mkdir(exist_ok=True)
    (place / "config" / COMMITMENTS.name).write_text(CREDIT)
    (place / "config" / ACCOUNTS.name).write_text(TEMPLATE)
    detail = {"waterfall": [{"step": "fx_residual", "net_usd": "3.000000000000", "gross_usd": "3"}]}
    result = Reconciled("2026-10", "openai", "(all)", True, Decimal(10), Decimal(7), Decimal(0), detail)
    with ControlStore.of(Home.at(place)) as control:
        control.record_reconciliation(result, actor="ann")
    return place


def done(home: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(program, [*arguments, "--home", str(home)], standalone_mode=False)
    assert (result.exception, result.return_value) == (None, OK), result.output
    return result


def test_credit_is_printed_with_what_is_left_of_it(home: Path) -> None:
    (row,) = json.loads(done(home, "capacity", "credit", "--json").stdout)["rows"]
    assert (row["name"], Decimal(row["used_usd"]), Decimal(row["balance_usd"])) == (
        "start", Decimal("0.00018"), Decimal("99.99982"),
    )  # fmt: skip


def test_the_journal_holds_credit_and_exchange_differences_and_balances(home: Path) -> None:
    text = done(home, "export", "gl").stdout
    entries = pl.read_csv(io.StringIO(text), infer_schema=False).with_columns(
        pl.col("debit_usd", "credit_usd").cast(pl.Decimal(38, 12))
    )
    assert entries["debit_usd"].sum() == entries["credit_usd"].sum()
    asset = entries.filter(pl.col("entry") == "prepaid")
    assert (asset["debit_usd"].sum(), asset["credit_usd"].sum()) == (Decimal(100), Decimal("0.00018"))
    assert entries.filter(pl.col("entry") == "fx_residual")["debit_usd"].to_list() == [Decimal(3)]
    # What usage costs is what it is without credit.
    assert entries.filter(pl.col("entry") == "expense")["debit_usd"].sum() == Decimal("0.00018")
