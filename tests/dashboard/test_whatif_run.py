"""`tokenpnl whatif run`: a scenario file on the sample traces, told in plain words."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tokenpnl.errors import ConfigurationError, RefusedInputError
from tokenpnl_dashboard.cli import CHECK_FAILED, tokenpnl
from tokenpnl_dashboard.commands.ingest import load_files
from tokenpnl_ingest.home import Home

SAMPLES = Path(__file__).parents[2] / "sample_traces"
FILE = """name: Less
where: {workflow: invoice_extraction}
scenarios:
  - {family: swap, name: small model, where: {step: extract_fields}, to: {model: gpt-5.4-mini}}
  - {family: reprice, name: ten percent off, rules: [{match: {provider: openai}, discount_pct: 10}]}
"""
REFUSED = """name: Wait
where: {workflow: invoice_extraction}
scenarios: [{family: reprice, name: batch, where: {step: extract_fields}, service_tier: batch}]
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whatif")
    load_files(Home.at(folder), (SAMPLES / "invoice_extraction.otlp.jsonl.gz",))
    return folder


def run(home: Path, name: str, *options: str) -> Result:
    words = ["whatif", "run", name, "--home", str(home), *options]
    return CliRunner().invoke(tokenpnl, words, standalone_mode=False)


def written(home: Path, text: str) -> str:
    path = home / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_every_scenario_is_told_with_its_evidence_and_what_to_log(home: Path) -> None:
    found = run(home, written(home, FILE))
    assert found.exit_code == 0, found.output
    for words in ("Baseline: ", "small model: saves", "Evidence", "assumed", "Wrong if", "Log next", "To be sure"):
        assert words in found.stdout
    assert "combined: saves" in found.stdout
    assert "Week by week" in found.stdout


def test_json_holds_the_same_figures_exactly(home: Path) -> None:
    document: dict[str, Any] = json.loads(run(home, written(home, FILE), "--json").stdout)
    steps = [row["saving_usd"] for row in document["waterfall"]]
    assert sum(map(float, steps)) == pytest.approx(float(document["combined"]["saving_usd"]))
    assert document["order"] == ["cache", "context", "routing", "batch", "hosting"]
    assert document["results"][0]["success_evidence"] == "not_identifiable"
    assert document["baseline"]["priced_share"] == 1.0


def test_where_nothing_gives_a_figure_the_check_failed_and_the_reason_is_told(home: Path) -> None:
    found = run(home, written(home, REFUSED))
    assert found.return_value == CHECK_FAILED
    assert "may not wait" in found.stdout


def test_a_file_of_the_configuration_goes_by_its_name(home: Path) -> None:
    folder = home / "config" / "scenarios"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "less.yaml").write_text(FILE, encoding="utf-8")
    assert run(home, "less").exit_code == 0


def test_a_saved_scenario_goes_by_its_name(home: Path) -> None:
    saved = CliRunner().invoke(tokenpnl, ["whatif", "save", written(home, FILE), "--home", str(home)])
    assert saved.exit_code == 0, saved.output
    assert run(home, "Less").exit_code == 0


def test_an_unknown_name_lists_what_there_is(home: Path) -> None:
    found = run(home, "nowhere")
    assert isinstance(found.exception, ConfigurationError)
    assert "there is no scenario file 'nowhere'" in str(found.exception)


def test_a_window_without_calls_says_what_to_widen(home: Path) -> None:
    text = FILE.replace("where: {workflow: invoice_extraction}", "window: {from: 2020-01-01, until: 2020-02-01}", 1)
    found = run(home, written(home, text))
    assert isinstance(found.exception, RefusedInputError)
    assert "widen `window`" in str(found.exception)
