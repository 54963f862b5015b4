"""The routing table in its own types, and one row per model of it."""

from decimal import Decimal

import polars as pl
import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.whatif.routing.table import Grain, board_of, grain_of, pairs_of, tasks_of

TASKS = pl.DataFrame(
    {
        "task": ["a", "a", "b", "b", "c"],
        "model": ["small", "large", "small", "large", "small"],
        "success": [1, 1, 0, 1, 1],
        "cost_usd": [0.1, 0.3, 0.1, 0.3, 0.1],
    }
)
BOARD = pl.DataFrame({"model": ["x", "y"], "n": [10, 10], "successes": [5, 0], "cost_usd": ["1.5", "2"]})


def test_a_table_with_tasks_is_told_from_a_leaderboard() -> None:
    assert (grain_of(TASKS), grain_of(BOARD)) == (Grain.TASK, Grain.BOARD)


def test_a_float_cost_is_taken_at_its_shortest_text() -> None:
    assert tasks_of(TASKS)["cost_usd"].to_list() == [Decimal(c) for c in ("0.3", "0.1", "0.3", "0.1", "0.1")]


def test_a_board_sums_cost_and_successes_of_each_model() -> None:
    small = board_of(TASKS).row(by_predicate=pl.col("model") == "small", named=True)
    assert (small["n"], small["successes"], small["cost_usd"]) == (3, 2.0, Decimal("0.3"))
    assert small["usd_per_success"] == Decimal("0.15")
    assert small["usd_per_task"] == Decimal("0.1")


def test_a_model_without_success_has_no_cost_per_success() -> None:
    assert board_of(BOARD)["usd_per_success"].to_list() == [Decimal("0.3"), None]


def test_the_interval_of_a_success_share_is_wilsons() -> None:
    # Five of ten: (0.5 + z2/20 +- z sqrt(0.25/10 + z2/400)) / (1 + z2/10), z = 1.959964.
    assert board_of(BOARD).row(0, named=True)["low"] == pytest.approx(0.236593, abs=1e-6)


def test_pairs_hold_the_tasks_that_both_answered() -> None:
    pairs = pairs_of(tasks_of(TASKS), "small", "large")
    assert pairs["task"].to_list() == ["a", "b"]
    assert pairs["weak_success"].to_list() == [1.0, 0.0]
    assert pairs["strong_usd"].to_list() == [Decimal("0.3")] * 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (pl.lit(2).alias("success"), "0, 1 or a score"),
        (pl.lit(-1).alias("cost_usd"), "0 or more"),
        (pl.lit("a").alias("task"), "more than once"),
        (pl.lit("much").alias("cost_usd"), "cost in USD"),
    ],
    ids=["success", "negative", "twice", "words"],
)
def test_a_table_that_makes_no_sense_is_refused(change: pl.Expr, words: str) -> None:
    with pytest.raises(RefusedInputError, match=words):
        tasks_of(TASKS.with_columns(change))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(RefusedInputError, match="cost_usd missing"):
        board_of(BOARD.drop("cost_usd"))


@pytest.mark.parametrize(
    ("board", "words"),
    [
        (BOARD.with_columns(successes=11), "0 to n successes"),
        (BOARD.with_columns(model=pl.lit("x")), "more than once"),
    ],
    ids=["successes", "twice"],
)
def test_a_leaderboard_that_makes_no_sense_is_refused(board: pl.DataFrame, words: str) -> None:
    with pytest.raises(RefusedInputError, match=words):
        board_of(board)


def test_an_unknown_model_and_models_without_common_tasks_are_refused() -> None:
    tasks = tasks_of(TASKS)
    with pytest.raises(RefusedInputError, match="it has large, small"):
        pairs_of(tasks, "small", "huge")
    apart = tasks.filter((pl.col("model") == "large") | (pl.col("task") == "c"))
    with pytest.raises(RefusedInputError, match="found none"):
        pairs_of(apart, "small", "large")
