"""`tokenpnl whatif route`: a table in, the models worth asking and a held-out threshold out."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tokenpnl_dashboard.cli import tokenpnl as program


def route(*arguments: str | Path) -> Result:
    return CliRunner().invoke(program, ["whatif", "route", *map(str, arguments)])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """400 tasks, of which a third is hard for the small model, whose confidence tells so."""
    chance = np.random.default_rng(5)
    lines = ["task,model,success,cost_usd,confidence"]
    for task in range(400):
        hard = chance.random() < 0.35
        confidence = f"{0.3 if hard else 0.8:.1f}"
        lines.append(f"t{task},small,{int(chance.random() < (0.05 if hard else 0.95))},0.01,{confidence}")
        lines.append(f"t{task},large,{int(chance.random() < 0.9)},0.10,{confidence}")
    file = tmp_path / "tasks.csv"
    file.write_text("\n".join(lines))
    return file


def test_a_public_leaderboard_is_read_as_it_is(shared_data: Path) -> None:
    done = route("--table", shared_data / "reference" / "aider" / "polyglot_leaderboard.yml", "--json")
    told = json.loads(done.stdout)
    assert (told["n_models"], len(told["frontier"])) == (51, 8)
    assert any("Grok 3 Mini" in said and "not separable" in said for said in told["sentences"])


def test_a_score_gives_a_threshold_that_was_scored_on_other_tasks(table: Path) -> None:
    router = json.loads(route("--table", table, "--score", "confidence", "--json").stdout)["router"]
    held = router["held_out"]
    assert (router["weak"], router["strong"]) == ("small", "large")
    assert held["n"] + held["n_chosen_on"] == 400
    assert held["random_success_share"] < held["success_share"] <= held["oracle_success_share"]
    assert router["metrics"]["apgr"] > 0.5


def test_words_say_what_a_coin_and_an_oracle_would_do(table: Path) -> None:
    done = route("--table", table, "--score", "confidence", "--cascade")
    assert done.exit_code == 0
    assert "A coin that asks it as often" in done.stdout


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.csv", "x,y\n1,2\n"), ("b.yaml", "a: 1\n"), ("c.yaml", "- {model: a, cost_usd: much, n: 1, successes: 1}\n")],
    ids=["columns", "shape", "amount"],
)
def test_a_file_that_is_no_table_is_a_mistake_of_usage(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    done = route("--table", tmp_path / name)
    assert done.exit_code == 2
    assert "expected" in done.stderr or "needs" in done.stderr
