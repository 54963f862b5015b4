"""One store, one P&L: every surface gives the same totals, to the last digit."""

import csv
import io
import json
import shutil
import subprocess
import sys
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from streamlit.testing.v1 import AppTest
from tests.conftest import ROOT
from tests.dashboard.exports.sheets import Sheets

import tokenpnl_dashboard
from tokenpnl.model import CostCategory
from tokenpnl_analytics.closing.billed_ladder import LADDER, STEP_COLUMNS
from tokenpnl_analytics.planning.budget_rows import ROWS
from tokenpnl_analytics.pricing.trueups import ESTIMATED
from tokenpnl_dashboard import state, words
from tokenpnl_dashboard.book import ServedBook
from tokenpnl_dashboard.cli import tokenpnl as program
from tokenpnl_dashboard.shapes.statement_table import BILLED, BUDGET, INDENT, NO_INVOICE, TRUE_UP
from tokenpnl_ingest.home import Home

SAMPLES = ROOT / "sample_traces"
APP = str(Path(tokenpnl_dashboard.__file__).parent / "app.py")
HOSTILE = "=cmd|'/c calc'!A0"
ZONES = ("UTC", "Europe/Rome", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe")
MONTH = "2026-10"
VOLUME_TERMS = "rebates: [{name: volume, match: {provider: anthropic}, steps: [{above: 1, pct: 10}]}]\n"
TAX, CREDIT = Decimal("2.5"), Decimal("-1.25")
START_NS = 1_794_000_000_000_000_000
Money = dict[str, Decimal]


def span(number: int, *, parent: int | None = None, **attributes: str | int) -> dict[str, Any]:
    start = START_NS + number * 1_000_000_000
    return {
        "traceId": "ab" * 16,
        "spanId": f"{number:016x}",
        **({"parentSpanId": f"{parent:016x}"} if parent else {}),
        "name": f"span {number}",
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 500_000_000),
        "attributes": [
            {"key": key, "value": {"intValue": value} if isinstance(value, int) else {"stringValue": value}}
            for key, value in attributes.items()
        ],
    }


def by_hand(path: Path) -> Path:
    """Write one run of a hostile customer with a priced call, an unpriced call and a fee."""
    chat: dict[str, Any] = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.usage.input_tokens": 1234567,
        "gen_ai.usage.output_tokens": 89, "gen_ai.usage.cache_read.input_tokens": 1000001,
        "gen_ai.usage.reasoning.output_tokens": 7,
    }  # fmt: skip
    workflow = {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "desk",
        "tokenpnl.run.id": "by-hand",
    }
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "ocr", "tokenpnl.cost_usd": "0.000000000007"}
    spans = [
        span(1, **workflow, **{"tokenpnl.customer.id": HOSTILE, "deployment.environment.name": "production"}),
        span(2, parent=1, **chat, **{"gen_ai.request.model": "gpt-4o-mini"}),
        span(3, parent=1, **chat, **{"gen_ai.request.model": "nobody-sells-this"}),
        span(4, parent=1, **tool),
    ]
    document = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "lib"}, "spans": spans}]}]}
    path.write_text(json.dumps(document) + "\n")
    return path


@dataclass(frozen=True)
class Served:
    """A collector that holds the store, and what its read API says that each category cost."""

    home: Path
    lines: pl.DataFrame
    by_category: Money

    @property
    def total(self) -> Decimal:
        return sum(self.by_category.values(), Decimal(0))

    def run(self, *arguments: str) -> str:
        done = CliRunner().invoke(program, [*arguments, "--home", str(self.home)], standalone_mode=False)
        assert (done.exit_code, done.return_value) == (0, 0), done.output
        return done.stdout

    def ask(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("totals")
    home, verb = folder / "home", Path(sys.executable).with_name("tokenpnl")
    shutil.copytree(SAMPLES / "config", home / "config")
    with (home / "config" / "contract.yaml").open("a") as contract:
        contract.write(VOLUME_TERMS)
    samples = [SAMPLES / f"{name}.otlp.jsonl.gz" for name in ("catalogue_tagging", "contract_review")]
    files = [by_hand(folder / "by_hand.otlp.jsonl"), *samples]
    subprocess.run([verb, "ingest", *files, "--home", home], check=True, capture_output=True, timeout=120)
    ports = ["--http-port", "0", "--grpc-port", "0", "--no-dashboard", "--json"]
    with subprocess.Popen([verb, "serve", "--home", home, *ports], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            address = json.loads(process.stdout.readline())["otlp_http"]
            lines = asked(address, {"name": "table", "params": {"name": "line_items"}})
            yield Served(home, lines, sums(lines.select("cost_category", "cost_usd").rows()))
        finally:
            process.terminate()
            process.wait(30)


def invoice(rows: list[dict[str, str]], path: Path) -> Path:
    """Write what Anthropic bills: what was traced, with a tax and a credit that no trace holds."""
    own = [row for row in rows if row["ProviderName"] == "anthropic"]
    more = [
        dict.fromkeys(own[0], "")
        | {name: own[0][name] for name in ("ProviderName", "BillingCurrency", "ChargePeriodStart", "ChargePeriodEnd")}
        | {name: str(usd) for name in ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")}
        | {"ChargeCategory": charge, "ChargeDescription": charge}
        for charge, usd in (("Tax", TAX), ("Credit", CREDIT))
    ]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, own[0].keys())
        writer.writeheader()
        writer.writerows([*own, *more])
    return path


@pytest.fixture(scope="module")
def october(served: Served, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Decimal]:
    """The statement of October on the command line, once Anthropic's invoice was reconciled."""
    folder = tmp_path_factory.mktemp("invoice")
    served.run("export", "focus", "--period", MONTH, "-o", str(folder / "focus.csv"))
    paper = invoice(read_csv((folder / "focus.csv").read_text()), folder / "invoice.csv")
    served.run("reconcile", str(paper), "--month", MONTH)
    (row,) = served.ask("report", "pnl", "--period", MONTH)["rows"]
    return {name: Decimal(row[name]) for name in ("effective_usd", *LADDER, *ROWS, ESTIMATED)}


def asked(address: str, question: dict[str, Any]) -> pl.DataFrame:
    request = urllib.request.Request(f"{address}/api/query", json.dumps(question).encode())
    with urllib.request.urlopen(request, timeout=60) as answer:
        return pl.read_ipc_stream(answer.read())


def sums(rows: Any) -> Money:
    found: Money = defaultdict(Decimal)
    for category, usd in rows:
        found[category] += Decimal(usd or 0)
    return {category: usd for category, usd in found.items() if usd}


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_store_holds_what_can_go_wrong(served: Served) -> None:
    kinds = set(served.lines["usage_kind"])
    assert {"fee", "gpu_time", "input_cache_read", "output_reasoning"} <= kinds
    assert "unpriced" in set(served.lines["cost_source"])
    assert (served.lines["list_cost_usd"].sum() - served.lines["contracted_cost_usd"].sum()) > 0
    assert served.by_category["idle_capacity"] > 0
    assert HOSTILE in set(served.lines["customer_id"])


def test_sums_made_by_the_store_equal_its_lines(served: Served) -> None:
    book = ServedBook(Home.at(served.home))
    found = book.query("line_item_sums", by=["cost_category"])
    assert sums(found.select("cost_category", "cost_usd").rows()) == served.by_category


def test_the_statement_of_the_command_line(served: Served) -> None:
    (row,) = served.ask("report", "pnl")["rows"]
    assert sums((name.value, row[f"{name.value}_usd"]) for name in CostCategory) == served.by_category
    assert Decimal(row["effective_usd"]) == served.total


def test_the_summary_of_the_command_line(served: Served) -> None:
    found = served.ask("report", "summary")
    tokens, capacity = found["cost_by_category"], found["gpu_by_category"] or {}
    assert sums([*tokens.items(), *capacity.items()]) == served.by_category
    parts = ("cost_usd", "gpu_allocated_usd", "gpu_idle_usd")
    assert sum((Decimal(found[part] or 0) for part in parts), Decimal(0)) == served.total


def test_the_page_of_the_statement(served: Served) -> None:
    home = Home.at(served.home)
    state.serve(ServedBook(home), home)
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params["period"], app.query_params["by"] = "all", "provider"
    app = app.switch_page("views/pnl.py").run()
    assert not app.exception
    shown = app.dataframe[0].value
    row = dict(zip(shown["Line"].str.strip(), shown["Total"], strict=True))
    assert row["Effective cost"] == words.usd(served.total).removeprefix("$")
    for category, usd in served.by_category.items():
        assert row[words.category(category)] == words.usd(usd, like=served.total).removeprefix("$")


def test_what_the_page_reads_and_its_file_holds(served: Served) -> None:
    home = Home.at(served.home)
    state.serve(ServedBook(home), home)
    app = AppTest.from_function(_page_figures)
    app = app.run(timeout=60)
    assert not app.exception
    assert sums(json.loads(app.text[0].value).items()) == served.by_category


def _page_figures() -> None:
    import json

    import streamlit as st

    from tokenpnl_analytics.periods import Period
    from tokenpnl_dashboard import state
    from tokenpnl_dashboard.parts.filters import Choice
    from tokenpnl_dashboard.questions.pnl import statement_by

    state.begin()
    choice = Choice(Period("all", None, None), {})
    _, total = statement_by(choice, "provider", most=12)
    from tokenpnl.model import CostCategory

    row = total.row(0, named=True)
    st.text(json.dumps({name.value: str(row[f"{name.value}_usd"] or 0) for name in CostCategory}))


def test_the_focus_file(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "focus.csv"
    judged = served.ask("export", "focus", "--check", "-o", str(path))["rows"]
    assert {check["status"] for check in judged} == {"checked"}
    rows = read_csv(path.read_text())
    assert sums((row["x_CostCategory"], row["EffectiveCost"]) for row in rows) == served.by_category
    (pnl,) = served.ask("report", "pnl")["rows"]
    for cost, rung in (("ListCost", "list_usd"), ("ContractedCost", "contracted_usd")):
        assert sum(Decimal(row[cost]) for row in rows) == Decimal(pnl[rung])
    assert f"'{HOSTILE}" in {row["x_Customer"] for row in rows}


def test_the_workbook(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "pnl.xlsx"
    served.run("export", "xlsx", "-o", str(path))
    sheets = Sheets(path.read_bytes())
    assert Decimal(sheets.exact("Effective cost")) == sheets.calculated("Effective cost") == served.total
    for category, usd in served.by_category.items():
        title = words.category(category)
        assert Decimal(sheets.exact(title)) == sheets.calculated(title) == usd
    (pnl,) = served.ask("report", "pnl")["rows"]
    for title, rung in (("List cost", "list_usd"), ("Contracted cost", "contracted_usd")):
        assert sheets.calculated(title) == Decimal(pnl[rung])


def test_the_lines_as_parquet_and_csv(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "lines.parquet"
    served.run("export", "parquet", "-o", str(path))
    assert sums(pl.read_parquet(path).select("cost_category", "cost_usd").rows()) == served.by_category
    rows = read_csv(served.run("export", "csv", "-o", "-"))
    assert sums((row["cost_category"], row["cost_usd"]) for row in rows) == served.by_category


def test_the_journal(served: Served) -> None:
    rows = read_csv(served.run("export", "gl", "-o", "-"))
    net = {entry: Decimal(0) for entry in ("expense", "payable")}
    for row in rows:
        net[row["entry"]] += Decimal(row["debit_usd"] or 0) - Decimal(row["credit_usd"] or 0)
    assert net == {"expense": served.total, "payable": -served.total}


def test_the_allocation(served: Served) -> None:
    rows = served.ask("allocation", "show")["rows"]
    assert sum((Decimal(row["cost_usd"]) for row in rows), Decimal(0)) == served.total


@pytest.mark.parametrize("zone", ZONES)
def test_days_add_up_to_the_whole_in_every_zone(served: Served, zone: str) -> None:
    days = served.ask("report", "pnl", "--by", "day", "--zone", zone)["rows"]
    assert len(days) > 40
    assert sum((Decimal(day["effective_usd"] or 0) for day in days), Decimal(0)) == served.total
    owned: Money = defaultdict(Decimal)
    for row in served.ask("allocation", "show", "--by", "day", "--by", "owner", "--zone", zone)["rows"]:
        owned[row["owner"] or ""] += Decimal(row["cost_usd"])
    whole = {row["owner"] or "": Decimal(row["cost_usd"]) for row in served.ask("allocation", "show")["rows"]}
    assert dict(owned) == whole


def test_effective_cost_and_the_steps_of_invoices_are_the_bill(served: Served, october: dict[str, Decimal]) -> None:
    traced = october["effective_usd"] - october["not_invoiced_usd"]
    assert traced == october["traced_usd"] > 0
    assert traced + sum(october[name] for name in STEP_COLUMNS.values()) == october["billed_usd"]
    assert (october["invoice_fees_and_tax_usd"], october["invoice_credits_usd"]) == (TAX, CREDIT)
    at = pl.col("started_at")
    of_month = served.lines.filter(at.dt.strftime("%Y-%m") == MONTH, pl.col("provider") == "anthropic")
    assert of_month["cost_usd"].sum() == traced


@pytest.mark.parametrize("by", ["month", "provider"])
def test_rows_of_invoices_budgets_and_volume_terms_are_those_of_the_whole(
    served: Served, october: dict[str, Decimal], by: str
) -> None:
    rows = served.ask("report", "pnl", "--period", MONTH, "--by", by)["rows"]
    read = read_csv(served.run("report", "pnl", "--period", MONTH, "--by", by, "--csv"))
    for name in ("traced_usd", *STEP_COLUMNS.values(), "billed_usd", ESTIMATED):
        assert sum(Decimal(row[name]) for row in rows if row[name] is not None) == october[name]
        assert sum(Decimal(row[name]) for row in read if row[name]) == october[name]


def test_the_budget_of_everything_stands_on_the_statement_of_everything(october: dict[str, Decimal]) -> None:
    assert (october["budget_usd"], october["budget_spent_usd"]) == (Decimal(190), october["effective_usd"])
    assert october["budget_variance_usd"] == Decimal(190) - october["effective_usd"]


def test_volume_terms_of_an_open_month_are_estimated_beside_effective_cost(
    served: Served, october: dict[str, Decimal]
) -> None:
    # A tenth of what Anthropic costs beyond one dollar comes back; no line is rated again.
    assert october[ESTIMATED] == -((october["traced_usd"] - 1) / 10).quantize(Decimal("1e-12"))
    assert "true_up" not in set(served.lines["usage_kind"])


def test_a_month_without_an_invoice_reads_no_invoice(served: Served, october: dict[str, Decimal]) -> None:
    assert october["billed_usd"] > 0
    (row,) = served.ask("report", "pnl", "--period", "2026-11")["rows"]
    assert {row[name] for name in LADDER} == {None}
    table = served.run("report", "pnl", "--period", "2026-11")
    (told,) = [line for line in table.splitlines() if "billed_usd" in line]
    assert NO_INVOICE in told


def test_the_bill_in_the_workbook_and_in_the_focus_file(
    served: Served, october: dict[str, Decimal], tmp_path: Path
) -> None:
    served.run("export", "xlsx", "--period", MONTH, "-o", str(tmp_path / "pnl.xlsx"))
    sheets = Sheets((tmp_path / "pnl.xlsx").read_bytes())
    for name, title in (*BILLED, *BUDGET):
        assert sheets.calculated(title.strip(INDENT)) == pytest.approx(october[name], abs=Decimal("1e-9"))
        assert Decimal(sheets.exact(title.strip(INDENT))) == october[name]
    served.run("export", "focus", "--period", MONTH, "-o", str(tmp_path / "focus.csv"))
    rows = read_csv((tmp_path / "focus.csv").read_text())
    effective = sum(Decimal(row["EffectiveCost"]) for row in rows)
    steps = sum(october[name] for name in STEP_COLUMNS.values())
    assert effective - october["not_invoiced_usd"] + steps == october["billed_usd"]


def test_the_bill_on_the_page(served: Served, october: dict[str, Decimal]) -> None:
    home = Home.at(served.home)
    state.serve(ServedBook(home), home)
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params["period"], app.query_params["by"] = MONTH, "workflow"
    app = app.switch_page("views/pnl.py").run()
    assert not app.exception
    shown = app.dataframe[0].value
    row = dict(zip(shown["Line"].str.strip(), shown["Total"], strict=True))
    for name, title in (*BILLED[1:], *BUDGET, *TRUE_UP):
        assert row[title.strip(INDENT)] == words.usd(october[name], like=october["effective_usd"]).replace("$", "")
