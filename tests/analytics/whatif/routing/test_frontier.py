"""The frontier: on the public leaderboard exactly the eight models, neighbours that nobody can tell apart named."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from tokenpnl_analytics.whatif.routing.frontier import frontier, paired_difference, separation
from tokenpnl_analytics.whatif.routing.table import board_of, tasks_of


@pytest.fixture(scope="module")
def board(shared_data: Path) -> pl.DataFrame:
    text = (shared_data / "reference" / "aider" / "polyglot_leaderboard.yml").read_text()
    rows = [row for row in yaml.safe_load(text) if row.get("total_cost")]
    columns = {"model": "model", "n": "test_cases", "successes": "pass_num_2", "cost_usd": "total_cost"}
    return board_of(pl.DataFrame([{name: row[told] for name, told in columns.items()} for row in rows], strict=False))


def test_the_frontier_of_fifty_one_priced_models_is_the_published_one(board: pl.DataFrame) -> None:
    assert board.height == 51
    assert frontier(board)["model"].to_list() == [
        "gpt-4o-mini-2024-07-18",
        "DeepSeek Chat V3 (prev)",
        "Grok 3 Mini Beta (high)",
        "DeepSeek-V3.2-Exp (Chat)",
        "DeepSeek-V3.2-Exp (Reasoner)",
        "gpt-5 (low)",
        "gpt-5 (medium)",
        "gpt-5 (high)",
    ]


def test_109_and_111_of_225_solved_are_not_separable(board: pl.DataFrame) -> None:
    third = frontier(board).row(2, named=True)
    assert third["separable_from_previous"] is False
    assert third["difference"] == pytest.approx(2 / 225)
    assert frontier(board)["separable_from_previous"].to_list()[:4] == [None, True, False, True]


def test_a_pair_of_models_solves_more_than_the_dear_one_at_a_fourteenth(board: pl.DataFrame) -> None:
    costs = {row["cost_usd"]: row for row in board.iter_rows(named=True)}
    pair, dear = costs[Decimal("13.2933")], costs[Decimal("186.4958")]
    assert (round(pair["usd_per_success"], 4), round(dear["usd_per_success"], 4)) == (
        Decimal("0.0923"),
        Decimal("1.3417"),
    )
    assert pair["successes"] > dear["successes"]


def test_another_success_costs_the_difference_over_the_difference() -> None:
    board = board_of(pl.DataFrame({"model": ["a", "b"], "n": 10, "successes": [5, 7], "cost_usd": ["1.00", "1.50"]}))
    assert frontier(board)["usd_per_success_more"].to_list() == [None, Decimal("0.25")]


def test_of_equals_the_cheaper_one_stands_on_the_frontier() -> None:
    board = board_of(pl.DataFrame({"model": ["a", "b"], "n": 10, "successes": [5, 5], "cost_usd": ["1.5", "1.0"]}))
    assert frontier(board)["model"].to_list() == ["b"]


def test_shared_tasks_separate_what_two_intervals_cannot() -> None:
    # 40 tasks: both solve 20, b six more that a does not. Wilson intervals overlap, the paired difference excludes 0.
    rows = [(f"t{i}", m, int(i < (26 if m == "b" else 20)), "1") for i in range(40) for m in ("a", "b")]
    tasks = tasks_of(pl.DataFrame(rows, schema=["task", "model", "success", "cost_usd"], orient="row"))
    board = board_of(tasks)
    assert not separation(board, "a", "b").separable
    found = separation(board, "a", "b", tasks)
    assert found.separable
    assert found.difference == pytest.approx(6 / 40)


def test_a_paired_difference_has_students_interval() -> None:
    # Gaps 1, 0, 0, 0: mean 0.25, sd 0.5, t(3) = 3.182446, half = 3.182446 * 0.5 / 2.
    found = paired_difference(np.zeros(4), np.array([1.0, 0, 0, 0]))
    assert (found.low, found.high) == (pytest.approx(0.25 - 0.7956115), pytest.approx(0.25 + 0.7956115))
    assert not found.separable


def test_one_task_gives_no_interval() -> None:
    assert paired_difference(np.zeros(1), np.ones(1)).low is None
