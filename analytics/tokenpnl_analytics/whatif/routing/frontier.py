"""The models worth looking at: nothing cheaper solves more. And those beside them that the tasks cannot tell apart."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from scipy import stats

from tokenpnl_analytics.unit_cost.intervals import CONFIDENCE, Floats

_FEW_PAIRS = 2


@dataclass(frozen=True)
class Separation:
    """Whether two models can be told apart by their successes.

    Attributes:
        separable: True: the interval does not hold "no difference".
        difference: of the success shares, second minus first.
        low: lower end of its 95% interval; None: only the two intervals were compared.
        high: upper end of it.
        n: tasks compared.
        method: in words.
    """

    separable: bool
    difference: float
    low: float | None
    high: float | None
    n: int
    method: str


def frontier(board: pl.DataFrame, tasks: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return the models that no cheaper (or equally dear) model equals or beats, from cheap to dear.

    Args:
        board: result of `board_of`.
        tasks: result of `tasks_of` where tasks are known: neighbours are then compared task by task.

    Returns:
        The columns of `board`; `separable_from_previous` (NULL for the first), `difference`, `difference_low`,
        `difference_high`, `n_compared`, `compared_by`; `usd_per_success_more` (Decimal: what each success more than
        the previous model's costs; NULL for the first).
    """
    climbing = board.sort("usd_per_task", "success_share", "model", descending=[False, True, False]).filter(
        pl.col("success_share") > pl.col("success_share").cum_max().shift(1).fill_null(-1.0)
    )
    names = climbing["model"].to_list()
    compared = [None, *(separation(board, a, b, tasks) for a, b in pairwise(names))]
    more_billionths = (pl.col("success_share").diff() * 1_000_000_000).round().cast(pl.Int64)
    return climbing.with_columns(
        pl.Series("separable_from_previous", [c and c.separable for c in compared], pl.Boolean),
        pl.Series("difference", [c and c.difference for c in compared], pl.Float64),
        pl.Series("difference_low", [c and c.low for c in compared], pl.Float64),
        pl.Series("difference_high", [c and c.high for c in compared], pl.Float64),
        pl.Series("n_compared", [c and c.n for c in compared], pl.Int64),
        pl.Series("compared_by", [c and c.method for c in compared], pl.String),
        pl.when(more_billionths > 0)
        .then(pl.col("usd_per_task").diff() * 1_000_000_000 / more_billionths)
        .alias("usd_per_success_more"),
    )


def separation(board: pl.DataFrame, first: str, second: str, tasks: pl.DataFrame | None = None) -> Separation:
    """Return whether the successes of two models differ by more than chance.

    On shared tasks by the paired difference, mean +- t(n-1) x standard error; else they count as separable only when
    their two Wilson intervals do not overlap, which is the stricter rule.

    Args:
        board: result of `board_of`.
        first: a model of it.
        second: another.
        tasks: result of `tasks_of`, where known.
    """
    if tasks is not None:
        wide = tasks.filter(pl.col("model") == first).join(
            tasks.filter(pl.col("model") == second), on="task", how="inner", suffix="_second"
        )
        if wide.height >= _FEW_PAIRS:
            return paired_difference(wide["success"].to_numpy(), wide["success_second"].to_numpy())
    one, other = (board.row(by_predicate=pl.col("model") == model, named=True) for model in (first, second))
    overlap = one["low"] <= other["high"] and other["low"] <= one["high"]
    difference = other["success_share"] - one["success_share"]
    n = min(one["n"], other["n"])
    return Separation(not overlap, difference, None, None, n, "Wilson intervals, overlap")


def paired_difference(first: Floats, second: Floats) -> Separation:
    """Return the mean difference (second minus first) of scores on the same tasks with its 95% interval."""
    gaps = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    n = len(gaps)
    mean = float(gaps.mean())
    if n < _FEW_PAIRS:
        return Separation(separable=False, difference=mean, low=None, high=None, n=n, method="one task: no interval")
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1) * gaps.std(ddof=1) / np.sqrt(n))
    low, high = mean - half, mean + half
    return Separation(not low <= 0 <= high, mean, low, high, n, "paired difference on the same tasks, t")
