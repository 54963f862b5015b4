"""The table that a routing question starts from: what each model did with each task, or its line on a leaderboard."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum

import polars as pl

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.unit_cost.risk import wilson_interval


class Grain(StrEnum):
    """What one row of a routing table speaks of."""

    TASK = "task"  # one task answered by one model
    BOARD = "board"  # one model on all tasks, as on a leaderboard


def grain_of(table: pl.DataFrame) -> Grain:
    """Return what a row of the table speaks of: a task where the column `task` is there, else a model."""
    return Grain.TASK if "task" in table.columns else Grain.BOARD


def tasks_of(table: pl.DataFrame) -> pl.DataFrame:
    """Return the table of tasks in its own types.

    Args:
        table: one row per task and model: `task`, `model`, `success` (0 or 1, or a score from 0 to 1), `cost_usd`
            (text, Decimal or number); any further columns are what a router may look at.

    Returns:
        `task`, `model` (text), `success` (float64), `cost_usd` (Decimal), the further columns as they came; sorted by
        task and model. A row without success or cost is left out: nobody knows what it did.

    Raises:
        RefusedInputError: a column is absent, a success is no share, a cost is no amount, or a pair occurs twice.
    """
    _need(table, ("task", "model", "success", "cost_usd"))
    typed = table.with_columns(
        pl.col("task", "model").cast(pl.String),
        pl.col("success").cast(pl.Float64, strict=False),
        _amounts(table["cost_usd"]),
    ).drop_nulls(["task", "model", "success", "cost_usd"])
    _check_share(typed["success"])
    twice = typed.filter(pl.struct("task", "model").is_duplicated())
    if twice.height:
        task, model = twice.select("task", "model").row(0)
        raise RefusedInputError(
            f"expected one row per task and model, task {task!r} of model {model!r} comes more than once; name each "
            "trial a task of its own"
        )
    return typed.sort("task", "model")


def board_of(table: pl.DataFrame) -> pl.DataFrame:
    """Return one row per model with its successes and cost over all its tasks.

    Args:
        table: a table of tasks (see `tasks_of`), or a leaderboard: `model`, `n` tasks, `successes`, `cost_usd` of all.

    Returns:
        `model`, `n`, `successes` (float64), `success_share`, `low`, `high` (Wilson; of scores that are neither 0 nor 1
        taken as that many successes), `cost_usd`, `usd_per_task`, `usd_per_success` (Decimal; NULL: no success), by
        falling success share, then by cost and name.

    Raises:
        RefusedInputError: as for `tasks_of`; or more successes than tasks.
    """
    if grain_of(table) is Grain.TASK:
        rows = (
            tasks_of(table).group_by("model").agg(pl.len().cast(pl.Int64).alias("n"), _sum("success"), _sum("cost_usd"))
        )
        rows = rows.rename({"success": "successes"})
    else:
        rows = _leaderboard(table)
    shares = [wilson_interval(successes, n) for successes, n in rows.select("successes", "n").iter_rows()]
    return rows.select(
        "model",
        "n",
        "successes",
        (pl.col("successes") / pl.col("n")).alias("success_share"),
        pl.Series("low", [low for low, _ in shares], pl.Float64),
        pl.Series("high", [high for _, high in shares], pl.Float64),
        "cost_usd",
        (pl.col("cost_usd") / pl.col("n")).alias("usd_per_task"),
        usd_per_success(pl.col("cost_usd"), pl.col("successes")).alias("usd_per_success"),
    ).sort("success_share", "cost_usd", "model", descending=[True, False, False])


def usd_per_success(cost_usd: pl.Expr, successes: pl.Expr) -> pl.Expr:
    """Return cost over successes as Decimal; NULL where nothing succeeded. Scores count in millionths."""
    # A Decimal divided by a float would become one.
    millionths = (successes * 1_000_000).round().cast(pl.Int64)
    return pl.when(millionths > 0).then(cost_usd * 1_000_000 / millionths).cast(MONEY)


def pairs_of(tasks: pl.DataFrame, weak: str, strong: str, seen: Sequence[str] = ()) -> pl.DataFrame:
    """Return the tasks that both models answered, a row each.

    Args:
        tasks: result of `tasks_of`.
        weak: the cheaper model.
        strong: the dearer one.
        seen: columns that a router looks at, taken from the weak model's row.

    Returns:
        `task`, `weak_success`, `weak_usd`, `strong_success`, `strong_usd` and the columns of `seen`; sorted by task.

    Raises:
        RefusedInputError: a model or column is unknown, or no task was answered by both.
    """
    _need(tasks, tuple(seen))
    for model in (weak, strong):
        if model not in set(tasks["model"]):
            known = ", ".join(tasks["model"].unique().sort())
            raise RefusedInputError(f"expected a model of the table, got {model!r}; it has {known}")
    sides = [
        tasks.filter(pl.col("model") == model).select(
            "task", pl.col("success").alias(f"{side}_success"), pl.col("cost_usd").alias(f"{side}_usd"), *looked_at
        )
        for side, model, looked_at in (("weak", weak, list(seen)), ("strong", strong, []))
    ]
    both = sides[0].join(sides[1], on="task", how="inner")
    if both.is_empty():
        raise RefusedInputError(f"expected tasks that both {weak!r} and {strong!r} answered, found none")
    return both.select("task", "weak_success", "weak_usd", "strong_success", "strong_usd", *seen).sort("task")


def _leaderboard(table: pl.DataFrame) -> pl.DataFrame:
    _need(table, ("model", "n", "successes", "cost_usd"))
    typed = table.select(
        pl.col("model").cast(pl.String),
        pl.col("n").cast(pl.Int64, strict=False),
        pl.col("successes").cast(pl.Float64, strict=False),
        _amounts(table["cost_usd"]),
    ).drop_nulls()
    wrong = typed.filter((pl.col("n") < 1) | ~pl.col("successes").is_between(0, pl.col("n")))
    if wrong.height:
        model, n, successes = wrong.row(0)[:3]
        raise RefusedInputError(f"expected 0 to n successes of at least one task, {model!r} has {successes} of {n}")
    if typed["model"].is_duplicated().any():
        model = typed.filter(pl.col("model").is_duplicated())["model"][0]
        raise RefusedInputError(f"expected one row per model, {model!r} comes more than once; add a column task")
    return typed


def _need(table: pl.DataFrame, columns: tuple[str, ...]) -> None:
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise RefusedInputError(
            f"expected the columns {', '.join(columns)}, {', '.join(missing)} missing among {', '.join(table.columns)}"
        )


def _amounts(costs: pl.Series) -> pl.Series:
    """Return amounts as Decimal; a number is taken at its shortest text, so that 0.1 means 0.1."""
    return pl.Series("cost_usd", [_amount(cost) for cost in costs], MONEY)


def _amount(cost: object) -> Decimal | None:
    if cost is None or cost == "":
        return None
    try:
        amount = Decimal(str(cost))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise RefusedInputError(f"expected a cost in USD of 0 or more, got {cost!r}")
    return amount.quantize(Decimal("1E-12"))


def _check_share(shares: pl.Series) -> None:
    wrong = shares.filter(~shares.is_between(0, 1))
    if wrong.len():
        raise RefusedInputError(f"expected success as 0, 1 or a score between them, got {wrong[0]}")


def _sum(column: str) -> pl.Expr:
    return pl.col(column).sum()
