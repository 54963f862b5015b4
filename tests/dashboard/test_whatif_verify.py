"""`tokenpnl whatif verify` on a home of the sample traces, whose customers nobody treated differently."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tokenpnl_dashboard.cli import tokenpnl

SAMPLES = Path(__file__).parents[2] / "sample_traces"
FILE = """
experiment:
  name: halves
  workflow: support_reply
  started: 2026-10-01T00:00:00Z
  margin: 0.2
  assignment: ASSIGNMENT
"""
BY_HASH = "{by: hash, unit: UNIT, salt: one, treated_share: 0.5}"


def verified(home: Path, assignment: str, *words: str) -> Result:
    file = home / "experiment.yaml"
    file.write_text(FILE.replace("ASSIGNMENT", assignment))
    asked = ["whatif", "verify", str(file), *words, "--home", str(home)]
    return CliRunner().invoke(tokenpnl, asked, standalone_mode=False, catch_exceptions=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("home")
    load = ["ingest", str(SAMPLES / "support_reply.otlp.jsonl.gz"), "--home", str(place)]
    CliRunner().invoke(tokenpnl, load, standalone_mode=False, catch_exceptions=False)
    return place


def test_conversations_that_nobody_treated_differently_do_not_pass(home: Path):
    result = verified(home, BY_HASH.replace("UNIT", "conversation"), "--json", "--aa")
    told = json.loads(result.stdout)
    assert told["verdict"] == "NOT YET"
    assert result.return_value == 0
    low, high = told["saving_usd"]["any_look"]
    assert low < 0 < high
    assert told["sample_ratio_p"] > 0.001
    assert told["aa"]["always_share"] <= 0.025


def test_every_settled_run_is_in_an_arm_or_counted(home: Path):
    told = json.loads(verified(home, BY_HASH.replace("UNIT", "conversation"), "--json").stdout)
    arms = told["arms"]
    assert arms["control"]["n_runs"] + arms["treated"]["n_runs"] + told["n_unassigned_runs"] > 0
    assert told["n_mixed"] == 0


def test_the_verdict_is_read_aloud_with_its_reasons(home: Path):
    printed = verified(home, BY_HASH.replace("UNIT", "conversation"), "--aa").stdout
    assert printed.startswith("halves: NOT YET\n  saving per run ")
    for words in ("at every look", "sample ratio p", "runs per arm", "A/A: of 400 random splits"):
        assert words in printed


def test_arms_that_no_run_names_are_refused(home: Path):
    result = verified(home, "{by: route}")
    assert result.stdout.startswith("halves: REFUSED\n  too few")
    assert result.return_value == 1


def test_without_a_holdout_nothing_is_verified(home: Path):
    result = verified(home, "{by: date, untouched: [elsewhere]}")
    assert result.stdout.startswith("halves: OBSERVED, not verified")
    assert "are needed" in result.stdout
    assert result.return_value == 1
