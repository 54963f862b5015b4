"""`tokenpnl demo` brings rule files with its traces, and never touches one that is there."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.dashboard.test_cli import chat, written

from tokenpnl_dashboard.cli import tokenpnl as program

# gpt-4o-mini: 600 tokens in at $0.15 and 400 cached at $0.075, 100 out at $0.60 a million, twice: 2 x $0.00018.
LISTED = Decimal("0.00036")
CONTRACT = "rules: [{match: {provider: openai}, discount_pct: 25, source: MSA-1}]\n"
# The runs of `test_cli` are of this day.
POOL = "pools: [{name: spare, usd_per_hour: 2, replicas: 1, from: 2026-11-18, to: 2026-11-18}]\n"


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    folder = tmp_path / "samples"
    (folder / "config").mkdir(parents=True)
    written(folder / "one.otlp.jsonl.gz", chat(2, parent=1), chat(3, parent=1))
    (folder / "config" / "contract.yaml").write_text(CONTRACT)
    (folder / "config" / "close.yaml").write_text("zone: UTC\n")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def demo(samples: Path, home: Path, config: Path | None = None) -> Result:
    arguments = ["demo", "--samples", str(samples), "--home", str(home), "--no-serve", "--json"]
    done = CliRunner().invoke(program, arguments, env={"TOKENPNL_CONFIG": str(config) if config else None})
    assert done.exit_code == 0, done.stderr
    return done


def total_usd(done: Result, line: str = "effective_usd") -> Decimal:
    return sum((Decimal(row[line]) for row in json.loads(done.stdout)["pnl"]), Decimal(0))


def test_the_rule_files_of_the_samples_hold_from_the_first_load_on(home: Path, samples: Path) -> None:
    done = demo(samples, home)
    assert total_usd(done) == LISTED * Decimal("0.75")
    assert "close.yaml, contract.yaml" in done.stderr
    assert (home / "config" / "contract.yaml").read_text() == CONTRACT


def test_a_rule_file_that_is_there_is_never_overwritten(home: Path, samples: Path) -> None:
    own = home / "config" / "contract.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("# mine\n")
    assert total_usd(demo(samples, home)) == LISTED
    assert own.read_text() == "# mine\n"
    assert (own.parent / "close.yaml").exists()


def test_a_configuration_that_lies_elsewhere_is_left_alone(tmp_path: Path, home: Path, samples: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = demo(samples, home, config=elsewhere)
    assert total_usd(done) == LISTED
    assert f"those of the samples stay in {samples}" in done.stderr
    assert not list(elsewhere.iterdir())
    assert not (home / "config").exists()


def test_capacity_that_stood_idle_is_no_usage_without_a_run(home: Path, samples: Path) -> None:
    (samples / "config" / "gpus.yaml").write_text(POOL)
    assert total_usd(demo(samples, home), "idle_capacity_usd") > 0
    found = CliRunner().invoke(program, ["doctor", "--json", "--home", str(home)], env={"TOKENPNL_CONFIG": None})
    assert "unattributed" not in {finding["check"] for finding in json.loads(found.stdout)}
