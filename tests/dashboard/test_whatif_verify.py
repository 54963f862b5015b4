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


def test_three_dozen_customers_are_too_few_for_two_arms(home: Path):
    result = verified(home, BY_HASH.replace("UNIT", "customer"), "--json")
    told = json.loads(result.stdout)
    assert (told["verdict"], told["saving_usd"], result.return_value) == ("REFUSED", None, 1)
    assert all(reason.startswith("too few") for reason in told["reasons"])


def test_arms_are_told_with_runs_cost_and_successes(home: Path):
    told = json.loads(verified(home, BY_HASH.replace("UNIT", "customer"), "--json").stdout)
    arms = told["arms"].values()
    assert sum(arm["n_clusters"] for arm in arms) in (35, 36)
    assert all(arm["usd_per_success"] == pytest.approx(arm["cost_usd"] / arm["successes"]) for arm in arms)
    assert told["sample_ratio_p"] > 0.001
    assert told["concurrent_share"] > 0.8
    assert told["n_mixed"] == 0


def test_the_verdict_is_read_aloud_with_its_reasons(home: Path):
    printed = verified(home, BY_HASH.replace("UNIT", "customer"), "--aa").stdout
    assert printed.startswith("halves: REFUSED\n  too few: the control arm has ")
    for words in ("sample ratio p", "A/A: fewer than 60 clusters"):
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
