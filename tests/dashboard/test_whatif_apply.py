"""`tokenpnl whatif apply`: files for a gateway or a program, and what they cannot say."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.dashboard.test_whatif_page import FILE, SAMPLES

from tokenpnl_analytics.rules.policy import POLICY
from tokenpnl_dashboard.cli import tokenpnl
from tokenpnl_dashboard.commands.ingest import load_files
from tokenpnl_ingest.home import Home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    place = Home.at(tmp_path_factory.mktemp("apply"))
    load_files(place, (SAMPLES / "mail_triage.otlp.jsonl.gz",))
    (place.config / "scenarios").mkdir(parents=True)
    (place.config / "scenarios" / "mails.yaml").write_text(FILE, encoding="utf-8")
    return place


def applied(home: Home, *options: str) -> Result:
    words = ["whatif", "apply", "mails", "--home", str(home.path), *options]
    return CliRunner().invoke(tokenpnl, words, standalone_mode=False, catch_exceptions=False)


def test_apply_writes_a_policy_that_is_read_back(home: Home, tmp_path: Path) -> None:
    out = tmp_path / "policy.yaml"
    assert applied(home, "-o", str(out)).exit_code == 0
    [step] = POLICY.parse(out.read_text(encoding="utf-8")).steps
    assert (step.step, step.max_attempts, len(step.routes)) == ("answer_mail", 2, 2)


def test_apply_says_what_a_router_cannot_do(home: Home) -> None:
    found = applied(home, "--target", "litellm")
    assert "model: deepseek/deepseek-v4-flash" in found.stdout
    assert "routes by rules are the program's" in found.stderr


def test_the_difference_is_what_a_reviewer_reads(home: Home) -> None:
    assert "+  max_attempts: 2" in applied(home, "--diff").stdout
