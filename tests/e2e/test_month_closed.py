"""A month of the samples from invoices to close: five hidden discrepancies are found, and closed figures stay."""

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from invoices import DRIFT, DRIFTED, Planted, invoices
from tokenpnl_dashboard.book import open_book
from tokenpnl_dashboard.cli import CHECK_FAILED, OK
from tokenpnl_dashboard.cli import tokenpnl as program
from tokenpnl_dashboard.questions.lines import line_items
from tokenpnl_ingest.home import CONFIG_VARIABLE, CONTROL_VARIABLE, Home

SAMPLE_TRACES = Path(__file__).parents[2] / "sample_traces"
MONTH = "2026-10"
OCTOBER, NOVEMBER, FOURTH = (datetime(2026, *day, tzinfo=UTC) for day in ((10, 1), (11, 1), (11, 4)))


@dataclass(frozen=True)
class Month:
    """A home with the samples, the invoices of October, and what is hidden in them."""

    home: Home
    files: list[Path]
    planted: list[Planted]

    def run(self, *arguments: str | Path) -> Result:
        texts = [str(argument) for argument in arguments]
        return CliRunner().invoke(program, [*texts, "--home", str(self.home.path)], standalone_mode=False)

    def answer(self, *arguments: str | Path, code: int = OK) -> Any:
        done = self.run(*arguments, "--json")
        assert done.return_value == code, done.output
        return json.loads(done.stdout)

    def reconciled(self, code: int, *options: str) -> dict[str, dict[str, Any]]:
        found = self.answer("reconcile", *self.files, "--month", MONTH, *options, code=code)
        return {result["provider"]: result for result in found["results"]}

    def lines(self, since: datetime = OCTOBER, until: datetime = NOVEMBER) -> pl.DataFrame:
        with open_book(self.home) as book:
            return line_items(book, since=since, until=until)


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    folder = tmp_path_factory.mktemp("month")
    home = Home.at(folder / "home")
    shutil.copytree(SAMPLE_TRACES / "config", home.config)
    captured = [SAMPLE_TRACES / f"{name}.otlp.jsonl.gz" for name in ("contract_review", "invoice_extraction")]
    bare = Month(home, [], [])
    assert bare.run("ingest", *captured).return_value == OK
    contents, planted = invoices(bare.lines(), MONTH)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return Month(home, [folder / name for name in contents], planted)


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (CONFIG_VARIABLE, CONTROL_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def findings(results: dict[str, dict[str, Any]]) -> set[tuple[Any, ...]]:
    return {
        (row["step"], provider, row["model"], Decimal(row["amount_usd"]), Decimal(row["size_usd"]))
        for provider, result in results.items()
        for row in result["findings"]
    }


def steps(result: dict[str, Any]) -> dict[str, Decimal]:
    return {row["step"]: Decimal(row["net_usd"]) for row in result["waterfall"]}


def closed_lines(month: Month) -> bytes:
    return (month.home.closed / MONTH / "line_items.parquet").read_bytes()


def test_five_hidden_discrepancies_are_named_and_sized_and_the_month_is_closed(month: Month) -> None:
    first = month.reconciled(CHECK_FAILED)
    expected = {(each.step, each.provider, each.model, each.amount_usd, each.size_usd) for each in month.planted}
    assert len(expected) == 5
    assert findings(first) == expected
    _named_by_day(month, first)

    _repriced(month)
    second = month.reconciled(CHECK_FAILED)
    assert findings(second) == {found for found in expected if found[0] != "price"}
    assert steps(second["anthropic"])["price"] == 0

    _closed(month)
    closed, before, after = closed_lines(month), month.lines(), month.lines(NOVEMBER, FOURTH)
    _prices_move(month)
    assert month.lines(NOVEMBER, FOURTH)["cost_usd"].sum() > after["cost_usd"].sum()
    assert month.lines().equals(before)
    assert closed_lines(month) == closed
    assert all(Decimal(row["difference_usd"]) == 0 for row in month.answer("close", "restated", MONTH))
    assert month.answer("close", "verify")["faults"] == []


def _named_by_day(month: Month, results: dict[str, dict[str, Any]]) -> None:
    for each in month.planted:
        if each.model is None:
            continue
        (found,) = [row for row in results[each.provider]["findings"] if row["step"] == each.step]
        assert (found["first_day"], found["last_day"]) == (f"{each.first_day}", f"{each.last_day}")
    for result in results.values():
        net = steps(result)
        assert net.pop("billed") == sum(net.values())
        assert Decimal(result["billed_usd"]) == sum(net.values())


def _repriced(month: Month) -> None:
    """Enter the price that the invoice shows, and book October again by it."""
    drift = next(each for each in month.planted if each.step == "price")
    contract = month.home.config / "contract.yaml"
    rule = (
        f"  - match: {{provider: anthropic, model: {DRIFTED}}}\n    from: {drift.first_day}\n    multiplier: {DRIFT}\n"
    )
    contract.write_text(contract.read_text() + rule)
    span = ("--from", "2026-10-01", "--until", "2026-11-01")
    dry = month.answer("prices", "reprice", *span)
    change = sum((Decimal(row["new_usd"]) - Decimal(row["old_usd"]) for row in dry), Decimal(0))
    assert change == drift.amount_usd
    cost = month.lines()["cost_usd"].sum()
    assert month.run("prices", "reprice", *span, "--apply", "--by", "ann").return_value == OK
    assert month.lines()["cost_usd"].sum() - cost == drift.amount_usd


def _closed(month: Month) -> None:
    refused = month.run("close", MONTH, "--preparer", "ann", "--approver", "bob")
    assert refused.return_value == CHECK_FAILED
    month.reconciled(OK, "--sign", "outage of the collector on one day; tax is posted by hand", "--by", "ann")
    signed = ("close", "sign", MONTH, "unreconciled", "--by", "ann", "--reason", "the others bill by the quarter")
    assert month.run(*signed).return_value == OK
    assert month.run("close", MONTH, "--soft", "--preparer", "ann").return_value == OK
    (closed,) = month.answer("close", MONTH, "--preparer", "ann", "--approver", "bob")
    assert (closed["state"], closed["approver"]) == ("closed", "bob")


def _prices_move(month: Month) -> None:
    """Double every price of Anthropic, and ask for it to hold in October and the first days of November."""
    contract = month.home.config / "contract.yaml"
    contract.write_text("version: 1\nrules:\n  - match: {provider: anthropic}\n    multiplier: 2\n")
    span = ("--from", "2026-10-01", "--until", "2026-11-04")
    assert month.run("prices", "reprice", *span, "--apply", "--by", "mallory").return_value == OK


def test_the_same_samples_give_the_same_invoices(month: Month) -> None:
    once, again = (invoices(month.lines(), MONTH, seed=3)[0] for _ in range(2))
    assert once == again
