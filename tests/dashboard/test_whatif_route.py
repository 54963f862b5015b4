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


def test_rules_and_verifiers_are_judged_on_the_table(tmp_path: Path) -> None:
    file, rules = tmp_path / "tasks.csv", tmp_path / "rules.yaml"
    file.write_text(
        "task,model,success,cost_usd,intent,passed\n"
        "a,small,1,0.01,easy,1\na,large,1,0.10,easy,\nb,small,0,0.01,hard,0\nb,large,1,0.10,hard,\n"
    )
    rules.write_text("rules: [{model: large, intent: hard}]\notherwise: small\n")
    told = json.loads(route("--table", file, "--rules", rules, "--verifier", "1", "0", "--json").stdout)
    # a at small, b at large: both solved, for 0.11.
    assert (told["rules"]["success_low"], float(told["rules"]["usd_per_success"])) == (1.0, 0.055)
    # A perfect check pays small twice and large for b alone.
    assert (told["verified"]["label"], told["verified"]["usd_per_task"]) == ("ceiling", pytest.approx(0.06))
    measured = json.loads(route("--table", file, "--accepted", "passed", "--json").stdout)["verified"]
    assert (measured["label"], measured["success_share"]) == ("measured", 1.0)


def test_trials_of_one_task_are_no_independent_tries(tmp_path: Path) -> None:
    file = tmp_path / "trials.csv"
    lines = [f"{task},{trial},m,{int(task == 'easy')},0.01" for task in ("easy", "hard") for trial in (1, 2)]
    file.write_text("\n".join(["task,trial,model,success,cost_usd", *lines]))
    told = json.loads(route("--table", file, "--json").stdout)["trials"]
    # The hard task fails twice, whatever 1 - 0.5^2 says.
    assert (told[1]["k"], told[1]["any_share"], told[1]["independent_share"]) == (2, 0.5, 0.75)


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
