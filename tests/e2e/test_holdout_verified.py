"""PASS, NOT YET and LOSS of `tokenpnl whatif verify`, from telemetry of two routes through a store to the verb."""

import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import tokenpnl
from tokenpnl import testing
from tokenpnl.testing import START_NS
from tokenpnl_dashboard.cli import tokenpnl as cli

HOUR_NS = 3_600_000_000_000
RUNS, CUSTOMERS = 600, 60
FILE = """
experiment:
  name: route
  workflow: mail
  started: 2026-01-01T00:00:00Z
  margin: 0.2
  assignment: {by: route, policy: "r:1"}
"""


def telemetry(file: Path, *, treated_model: str, treated_share: float) -> None:
    """Write runs of 60 customers, every other of them treated; 80% of the control's succeed, at once."""
    chance = random.Random(4)
    with testing.recording(step_ns=0) as recorded:
        for n in range(RUNS):
            treated = n % 2 == 1
            recorded.clock.now_ns = START_NS + n * HOUR_NS
            with tokenpnl.workflow("mail", customer=f"c{n % CUSTOMERS}") as run:
                with tokenpnl.llm_call("openai", treated_model if treated else "gpt-4o") as call:
                    call.usage(round(chance.lognormvariate(7, 0.5)), 200)
                    call.route("r:1", arm="treated" if treated else "control", propensity=0.5)
                won = chance.random() < (treated_share if treated else 0.8)
                run.outcome("success" if won else "failure", source="reviewer")
        testing.write_otlp_json(file, testing.otlp_json_lines(recorded.spans, recorded.logs))


def verified(home: Path, *, treated_model: str, treated_share: float) -> Result:
    telemetry(home / "told.otlp.jsonl", treated_model=treated_model, treated_share=treated_share)
    (home / "experiment.yaml").write_text(FILE)
    run = CliRunner().invoke
    run(cli, ["ingest", str(home / "told.otlp.jsonl"), "--home", str(home)], standalone_mode=False)
    asked = ["whatif", "verify", str(home / "experiment.yaml"), "--json", "--home", str(home)]
    return run(cli, asked, standalone_mode=False, catch_exceptions=False)


@pytest.mark.parametrize(
    ("model", "share", "word", "code"),
    [("gpt-4o-mini", 0.8, "PASS", 0), ("gpt-4o", 0.8, "NOT YET", 0), ("gpt-4o-mini", 0.3, "LOSS", 1)],
)
def test_the_verdict_follows_the_telemetry(tmp_path: Path, model: str, share: float, word: str, code: int):
    result = verified(tmp_path, treated_model=model, treated_share=share)
    told = json.loads(result.stdout)
    assert (told["verdict"], result.return_value) == (word, code)
    control, treated = (told["arms"][name] for name in ("control", "treated"))
    assert (control["n_runs"], treated["n_runs"]) == (300, 299)  # the newest run starts at the look, after its window
    assert told["saving_usd"]["value"] == pytest.approx(control["usd_per_run"] - treated["usd_per_run"])
