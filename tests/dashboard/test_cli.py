"""The command line as its users run it: a process of its own, its output, its exit code."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tokenpnl_dashboard.cli import VERBS
from tokenpnl_dashboard.cli import tokenpnl as program
from tokenpnl_dashboard.commands.ingest import load_files
from tokenpnl_ingest import limits
from tokenpnl_ingest.home import Home

PROGRAM = Path(sys.executable).with_name("tokenpnl")
START_NS = 1_795_000_000_000_000_000


def tokenpnl(*arguments: str | Path, stdin: str = "", home: Path | None = None) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TOKENPNL_"))}
    environment |= {"TOKENPNL_HOME": str(home)} if home else {}
    return subprocess.run(
        [PROGRAM, *arguments], input=stdin, capture_output=True, text=True, timeout=120, env=environment, check=False
    )


def answer(*arguments: str | Path, stdin: str = "", home: Path | None = None) -> Any:
    done = tokenpnl(*arguments, stdin=stdin, home=home)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def span(number: int, *, parent: int | None = None, **attributes: str | int) -> dict[str, Any]:
    start = START_NS + number * 1_000_000_000
    return {
        "traceId": "0" * 31 + "1",
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


def chat(number: int, *, parent: int, model: str = "gpt-4o-mini") -> dict[str, Any]:
    told = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": model}
    usage = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100}
    explicit = {
        "gen_ai.usage.cache_read.input_tokens": 400,
        "gen_ai.usage.cache_write.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 0,
    }
    return span(number, parent=parent, **told, **usage, **explicit)


WORKFLOW = {
    "gen_ai.operation.name": "invoke_workflow",
    "gen_ai.workflow.name": "desk",
    "tokenpnl.run.id": "r1",
    "tokenpnl.customer.id": "=cmd()",
    "deployment.environment.name": "production",
}


@pytest.fixture(autouse=True)
def _without_the_users_own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run with two calls: 600 + 400 cached in, 100 out, each $0.00018 by gpt-4o-mini's list price."""
    return written(tmp_path_factory.mktemp("capture") / "capture.otlp.jsonl", chat(2, parent=1), chat(3, parent=1))


def written(path: Path, *calls: dict[str, Any]) -> Path:
    spans = [span(1, **WORKFLOW), *calls]
    document = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "lib"}, "spans": spans}]}]}
    path.write_text(json.dumps(document) + "\n")
    return path


def ingested(home: Path, capture: Path) -> Path:
    done = tokenpnl("ingest", capture, home=home)
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, capture: Path) -> Path:
    """A store that no test changes."""
    return ingested(tmp_path_factory.mktemp("read") / "home", capture)


@pytest.fixture
def own_home(tmp_path: Path, capture: Path) -> Path:
    """A store for one test to change."""
    return ingested(tmp_path / "home", capture)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    done = CliRunner().invoke(program, [verb, "--help"], prog_name="tokenpnl")
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: tokenpnl {verb}")


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['tokenpnl', '--help']\n"
        "from tokenpnl_dashboard.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(sorted({'polars', 'streamlit', 'duckdb', 'genai_prices'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_unknown_verb_is_wrong_usage() -> None:
    done = tokenpnl("forecast")
    assert done.returncode == 2
    assert "No such command" in done.stderr


def test_audit_says_what_the_books_make_of_a_file(capture: Path) -> None:
    (result,) = answer("audit", capture, "--json")
    assert result["file"] == str(capture)
    counts = {name: result[name] for name in ("spans", "runs", "calls", "attempts", "usage_missing_calls")}
    assert counts == {"spans": 3, "runs": 1, "calls": 2, "attempts": 2, "usage_missing_calls": 0}
    known = {kind: tokens for kind, tokens in result["usage"].items() if tokens}
    assert known == {
        "input_total": 2000, "output_total": 200,
        "input_uncached": 1200, "input_cache_read": 800, "output_text": 200,
    }  # fmt: skip
    # 1,200 at $0.15, 800 at $0.075 and 200 at $0.60 a million.
    assert Decimal(result["cost_usd"]) == Decimal("0.00036")


def test_audit_of_what_is_no_telemetry_is_refused_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear sir")
    done = tokenpnl("audit", path)
    assert done.returncode == 3
    assert "letter.txt" in done.stderr
    assert "Traceback" not in done.stderr


def test_ingest_twice_changes_no_total(own_home: Path, capture: Path) -> None:
    before = answer("report", "summary", home=own_home)
    assert answer("ingest", capture, "--json", home=own_home)["refused"] == 0
    after = answer("report", "summary", home=own_home)
    assert after.pop("replayed_span_records") == 3
    before.pop("replayed_span_records")
    assert after == before


def test_the_statement_adds_up_in_every_format(home: Path) -> None:
    (whole,) = answer("report", "pnl", "--json", home=home)["rows"]
    assert Decimal(whole["effective_usd"]) == Decimal(whole["pending_usd"]) == Decimal("0.00036")
    assert "0.00036" in tokenpnl("report", "pnl", "--md", home=home).stdout
    header, line = tokenpnl("report", "pnl", "--csv", "--by", "model", home=home).stdout.splitlines()
    assert header.split(",")[0] == "model"
    assert line.split(",")[0] == "gpt-4o-mini"


def test_a_figure_is_followed_to_its_spans(home: Path) -> None:
    lines = answer("report", "lines", "--where", "category=pending", "--json", home=home)["rows"]
    assert sum(Decimal(line["cost_usd"]) for line in lines) == Decimal("0.00036")
    assert {(line["run_id"], line["span_id"][-1]) for line in lines} == {("r1", "2"), ("r1", "3")}
    shown = tokenpnl("report", "lines", "--where", "run=r1", home=home).stdout
    assert "of $0.00036 in all" in shown
    assert "Not checked: invoices" in shown


def test_a_unit_cost_is_of_whole_runs_and_not_narrowed_to_lines(home: Path) -> None:
    done = tokenpnl("report", "units", "--where", "category=retry", home=home)
    assert done.returncode == 2
    assert "whole runs" in done.stderr


def test_csv_text_that_a_spreadsheet_would_run_is_inert(home: Path) -> None:
    done = tokenpnl("report", "pnl", "--csv", "--by", "customer", home=home)
    assert done.stdout.splitlines()[1].startswith("'=cmd()")


def test_a_period_without_runs_is_empty_not_an_error(home: Path) -> None:
    assert answer("report", "summary", "--period", "2020-01", home=home)["n_runs"] == 0


def test_a_period_that_is_none_is_wrong_usage(home: Path) -> None:
    done = tokenpnl("report", "pnl", "--period", "soon", home=home)
    assert done.returncode == 2
    assert "2026-10" in done.stderr


def test_a_day_has_no_unit_cost(home: Path) -> None:
    done = tokenpnl("report", "units", "--by", "day", home=home)
    assert done.returncode == 2
    assert "not by day" in done.stderr


def test_an_outcome_makes_a_unit_cost(own_home: Path) -> None:
    told = ("--value", "3.10", "--at", "2026-11-19T12:00:00Z", "--json")
    assert answer("outcome", "r1", "success", *told, home=own_home)["accepted"] == 1
    summary = answer("report", "summary", home=own_home)
    assert summary["outcomes"] == {"success": 1, "failure": 0, "abandoned": 0, "none": 0}
    assert Decimal(summary["cost_per_success"]["desk"]) == Decimal("0.00036")
    assert summary["outcome_value_usd"] == "3.1"
    # One success of one model's two calls: the model contributes all of its cost.
    (slice_of,) = answer("report", "units", "--by", "model", "--json", home=own_home)["rows"]
    assert (slice_of["workflow"], slice_of["model"], slice_of["successes"]) == ("desk", "gpt-4o-mini", 1)
    assert Decimal(slice_of["usd_per_success"]) == Decimal("0.00036")


def test_an_outcome_without_a_run_is_wrong_usage(home: Path) -> None:
    done = tokenpnl("outcome", "success", home=home)
    assert done.returncode == 2
    assert "name the run" in done.stderr


def test_a_value_that_is_no_amount_is_refused(home: Path) -> None:
    done = tokenpnl("outcome", "r1", "success", "--value", "much", home=home)
    assert done.returncode == 3
    assert "value_usd" in done.stderr


def test_price_of_one_usage() -> None:
    priced = answer("price", "--model", "gpt-4o-mini", "--provider", "openai", "--input-uncached", "1000000", "--json")
    assert priced["cost_usd"] == "0.15"
    assert priced["price_version"].startswith("genai-prices")


def test_a_price_is_that_of_the_homes_contract_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "contract.yaml").write_text(
        'rules: [{match: {model: gpt-4o-mini}, prices: {output_text: 0.3}, source: "contract 7"}]', encoding="utf-8"
    )
    usage = ("price", "--model", "gpt-4o-mini", "--provider", "openai", "--output-text", "1000000")
    done = tokenpnl(*usage, "--home", tmp_path)
    assert f"cost $0.3, by the price files in {tmp_path}/config: " in done.stdout
    assert answer(*usage, "--json", home=tmp_path)["cost_usd"] == "0.3"


def test_a_price_makes_no_home_and_misses_one_that_was_named(tmp_path: Path) -> None:
    usage = ("price", "--model", "gpt-4o-mini", "--provider", "openai", "--output-text", "1000000")
    absent = tmp_path / "absent"
    assert "cost $0.6, by the published list: " in tokenpnl(*usage, home=absent).stdout
    assert not absent.exists()
    named = tokenpnl(*usage, "--home", absent)
    assert named.returncode == 2
    assert f"there is no home at {absent}" in named.stderr


def test_price_of_lines_gives_one_result_a_line() -> None:
    usage = {
        "provider": "openai",
        "model": "gpt-4o-mini",
        "at": "2026-11-01T00:00:00Z",
        "usage": {"output_text": 1000000},
    }
    done = tokenpnl("price", stdin=json.dumps(usage) + "\n" + json.dumps(usage | {"model": "nobody-9"}) + "\n")
    costs = [json.loads(line)["cost_usd"] for line in done.stdout.splitlines()]
    assert costs == ["0.6", None]
    assert done.returncode == 1


def test_a_line_that_is_no_usage_is_refused_in_a_sentence() -> None:
    done = tokenpnl("price", stdin="5\n")
    assert done.returncode == 3
    assert "usage 1 needs to be a map" in done.stderr
    assert "Traceback" not in done.stderr


def test_requests_larger_than_the_collectors_room_are_loaded_one_by_one(
    tmp_path: Path, capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PENDING_BYTES", 100)
    loaded = load_files(Home.at(tmp_path), (capture, capture, capture))
    assert (loaded["requests"], loaded["refused"]) == (3, 0)


def test_a_model_without_a_price_is_said_with_what_to_do() -> None:
    done = tokenpnl("price", "--model", "nobody-9", "--provider", "openai", "--output-text", "5")
    assert done.returncode == 1
    assert "nobody-9" in done.stderr


def test_doctor_finds_nothing_untrusted_in_good_books(home: Path) -> None:
    findings = {finding["check"]: finding for finding in answer("doctor", "--json", home=home)}
    assert findings["priced share"]["status"] == "ok"
    assert findings["outcomes"]["status"] == "note"


def test_doctor_names_the_model_that_has_no_price(tmp_path: Path) -> None:
    home = ingested(tmp_path / "home", written(tmp_path / "odd.json", chat(2, parent=1, model="nobody-9")))
    done = tokenpnl("doctor", home=home)
    assert done.returncode == 3
    assert "openai/nobody-9" in done.stdout


def test_a_demo_prints_its_reports_for_programs_too(tmp_path: Path, capture: Path) -> None:
    samples = tmp_path / "samples"
    samples.mkdir()
    (samples / "one.otlp.jsonl.gz").write_bytes(capture.read_bytes())
    told = answer("demo", "--samples", samples, "--home", tmp_path / "home", "--no-serve", "--json")
    assert (told["synthetic"], told["files"], told["refused"]) == (True, 1, 0)
    assert sum(Decimal(row["effective_usd"]) for row in told["pnl"]) == Decimal("0.00036")


def test_a_demo_without_samples_says_how_to_make_them(tmp_path: Path) -> None:
    done = tokenpnl("demo", "--samples", tmp_path, "--home", tmp_path / "home", "--no-serve")
    assert done.returncode == 2
    assert "sample_traces/make.py" in done.stderr


def test_serving_beyond_loopback_is_refused_with_the_reason(tmp_path: Path) -> None:
    done = tokenpnl("serve", "--host", "0.0.0.0", "--home", tmp_path)
    assert done.returncode == 2
    assert "without API keys" in done.stderr
