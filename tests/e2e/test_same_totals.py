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
from tokenpnl_dashboard import state, words
from tokenpnl_dashboard.book import ServedBook
from tokenpnl_dashboard.cli import tokenpnl as program
from tokenpnl_ingest.home import Home

SAMPLES = ROOT / "sample_traces"
APP = str(Path(tokenpnl_dashboard.__file__).parent / "app.py")
HOSTILE = "=cmd|'/c calc'!A0"
ZONES = ("UTC", "Europe/Rome", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe")
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
    judged = served.ask("export", "focus", "--check", "-o", str(path))
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
