"""Outcomes from a file, into the store itself or through the collector that holds it; and what counts as a success."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.dashboard.test_cli import WORKFLOW, chat, span

from tokenpnl_dashboard.book import open_book
from tokenpnl_dashboard.cli import tokenpnl
from tokenpnl_dashboard.processes.collect import bookkeeping
from tokenpnl_ingest.collector import Collector
from tokenpnl_ingest.home import Home
from tokenpnl_ingest.otlp import Signal
from tokenpnl_ingest.serve import CollectorPorts, serving

FILE = """business_id,status,value_usd,at
ticket-7,success,3.10,2026-11-24T09:00:00Z
ticket-7,won,,2026-11-24
unknown,failure,,2026-11-24
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A store with one run of the workflow desk, about ticket-7."""
    path = tmp_path / "home"
    spans = [span(1, **WORKFLOW, **{"tokenpnl.business.id": "ticket-7"}), chat(2, parent=1)]
    document = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "lib"}, "spans": spans}]}]}
    with Collector(Home.at(path)) as collector, bookkeeping(collector.store):
        collector.submit(Signal.TRACES, json.dumps(document).encode(), "application/json").result(30)
        collector.drain()
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "outcomes.csv"
    path.write_text(FILE)
    return path


def call(*arguments: str | Path, home: Path) -> Result:
    return CliRunner().invoke(
        tokenpnl, [str(part) for part in arguments], env={"TOKENPNL_HOME": str(home)}, standalone_mode=False
    )


def stored(home: Path, table: str) -> list[dict[str, Any]]:
    with open_book(Home.at(home)) as book:
        return book.query("table", name=table).to_dicts()


def test_good_rows_are_loaded_and_bad_ones_named_with_their_line(home: Path, file: Path) -> None:
    done = call("outcomes", "import", file, home=home)
    assert done.return_value == 1
    assert f"{file}:3: status: Input should be" in done.stderr
    assert done.stdout.startswith("loaded 2 of 3 outcomes")
    (run,) = stored(home, "runs")
    assert (run["business_id"], run["outcome"], str(run["value_usd"])) == ("ticket-7", "success", "3.100000000000")
    assert run["outcome_source"] == "import"


def test_a_strict_import_loads_all_or_nothing(home: Path, file: Path) -> None:
    done = call("outcomes", "import", "--strict", "--json", file, home=home)
    assert done.return_value == 1
    assert json.loads(done.stdout)["accepted"] == 0
    assert stored(home, "outcomes") == []


def test_an_import_done_twice_is_the_same_as_once(home: Path, file: Path) -> None:
    for _ in range(2):
        assert json.loads(call("outcomes", "import", "--json", file, home=home).stdout)["accepted"] == 2
    assert len(stored(home, "outcomes")) == 2


def test_a_running_collector_takes_the_file(home: Path, file: Path) -> None:
    with serving(Home.at(home), CollectorPorts(0, 0)) as (collector, _):
        assert call("outcomes", "import", file, home=home).return_value == 1
        assert collector.drain(30)
        assert collector.store.query("count", name="outcomes")["rows"][0].as_py() == 2


def test_one_outcome_may_be_told_by_business_id(home: Path) -> None:
    done = call("outcome", "failure", "--business-id", "ticket-7", "--at", "2026-11-25T00:00:00Z", home=home)
    assert done.return_value == 0
    assert stored(home, "runs")[0]["outcome"] == "failure"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("outcome", "r1", "won"), "STATUS is one of success, failure, abandoned"),
        (("outcome", "r1", "r2", "success"), "expected RUN_ID and STATUS"),
    ],
)
def test_words_that_are_no_run_and_status_are_wrong_usage(home: Path, arguments: tuple[str, ...], reason: str) -> None:
    assert reason in str(call(*arguments, home=home).exception)


@pytest.mark.parametrize(("option", "value"), [("--zone", "Mars/Olympus"), ("--at", "soon")])
def test_an_option_that_is_no_time_is_wrong_usage(home: Path, file: Path, option: str, value: str) -> None:
    assert value in str(call("outcomes", "import", option, value, file, home=home).exception)


def test_the_rules_say_which_workflows_have_a_definition(home: Path) -> None:
    (home / "config").mkdir()
    entry = "{{workflow: {name}, owner: support, success: solved, window: 7d}}"
    told = ", ".join(entry.format(name=name) for name in ("d*", "sales_*"))
    assert json.loads(call("outcomes", "rules", "--json", home=home).stdout) == [
        {"workflow": "desk", "owner": None, "definition": "no success definition", "version": None, "since": None,
         "window_hours": None, "seen": True}
    ]  # fmt: skip
    (home / "config" / "outcomes.yaml").write_text(f"workflows: [{told}]")
    found = json.loads(call("outcomes", "rules", "--json", home=home).stdout)
    assert [(row["workflow"], row["definition"], row["seen"]) for row in found] == [
        ("desk", "solved", True), ("sales_*", "solved", False),
    ]  # fmt: skip


def test_the_report_settles_by_the_stated_window_and_shows_the_controls(home: Path, file: Path) -> None:
    (home / "config").mkdir()
    entry = "{workflow: 'd*', owner: support, success: solved, window: 2d}"
    (home / "config" / "outcomes.yaml").write_text(f"workflows: [{entry}]")
    call("outcomes", "import", file, home=home)
    (row,) = json.loads(call("report", "units", "--as-of", "2026-11-30", "--json", home=home).stdout)["rows"]
    assert (row["window_days"], row["settled_usd"], row["n_settled"]) == (2.0, row["to_date_usd"], 1)
    assert (row["import_share"], row["n_business_ids"], row["runs_per_business_id"]) == (1.0, 1, 1.0)
    assert (row["definition"], row["owner"], row["changed_on"]) == ("solved", "support", None)
    # One settled success: no interval, so nothing that it is at least.
    assert (row["at_least_usd"], row["fieller_high"]) == (None, None)
    summary = json.loads(call("report", "summary", "--as-of", "2026-11-30", home=home).stdout)
    assert summary["unit_cost"]["desk"]["settled"] == row["settled_usd"]
    assert summary["unit_cost"]["desk"]["window_days"] == 2.0


def test_contributions_by_hour_add_up_to_the_figure_to_date(home: Path, file: Path) -> None:
    call("outcomes", "import", file, home=home)
    asked = ("report", "units", "--as-of", "2026-11-30", "--json")
    (whole,) = json.loads(call(*asked, home=home).stdout)["rows"]
    parts = json.loads(call(*asked, "--by", "hour", home=home).stdout)["rows"]
    assert sum(Decimal(part["usd_per_success"]) for part in parts) == Decimal(whole["to_date_usd"])
    assert "2026-11" in call("report", "units", "--as-of", "2026-11-30", "--by", "hour", home=home).stdout
