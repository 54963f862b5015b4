"""`tokenpnl demo` brings rule files with its traces, and never touches one that is there."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.dashboard.test_cli import answer, chat, tokenpnl, written

from tokenpnl_dashboard.cli import tokenpnl as program

# gpt-4o-mini: 600 tokens in at $0.15 and 400 cached at $0.075, 100 out at $0.60 a million, twice: 2 x $0.00018.
LISTED = Decimal("0.00036")
CONTRACT = "rules: [{match: {provider: openai}, discount_pct: 25, source: MSA-1}]\n"


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    folder = tmp_path / "samples"
    (folder / "config").mkdir(parents=True)
    written(folder / "one.otlp.jsonl.gz", chat(2, parent=1), chat(3, parent=1))
    (folder / "config" / "contract.yaml").write_text(CONTRACT)
    (folder / "config" / "close.yaml").write_text("zone: UTC\n")
    return folder


def effective_usd(told: dict[str, Any]) -> Decimal:
    return sum((Decimal(row["effective_usd"]) for row in told["pnl"]), Decimal(0))


def test_the_rule_files_of_the_samples_hold_from_the_first_load_on(tmp_path: Path, samples: Path) -> None:
    done = tokenpnl("demo", "--samples", samples, "--home", tmp_path / "home", "--no-serve", "--json")
    assert effective_usd(json.loads(done.stdout)) == LISTED * Decimal("0.75")
    assert "close.yaml, contract.yaml" in done.stderr
    assert (tmp_path / "home" / "config" / "contract.yaml").read_text() == CONTRACT


def test_a_rule_file_that_is_there_is_never_overwritten(tmp_path: Path, samples: Path) -> None:
    own = tmp_path / "home" / "config" / "contract.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("# mine\n")
    told = answer("demo", "--samples", samples, "--home", tmp_path / "home", "--no-serve", "--json")
    assert own.read_text() == "# mine\n"
    assert (own.parent / "close.yaml").exists()
    assert effective_usd(told) == LISTED


def test_a_configuration_that_lies_elsewhere_is_left_alone(tmp_path: Path, samples: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    asked = ["demo", "--samples", str(samples), "--home", str(tmp_path / "home"), "--no-serve", "--json"]
    done = CliRunner().invoke(program, asked, env={"TOKENPNL_CONFIG": str(elsewhere)})
    assert effective_usd(json.loads(done.stdout)) == LISTED
    assert f"those of the samples stay in {samples}" in done.stderr
    assert not list(elsewhere.iterdir())
    assert not (tmp_path / "home" / "config").exists()
