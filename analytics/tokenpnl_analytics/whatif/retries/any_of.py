"""Several trials of the same task: how often any of k succeeds, and why independence says too much."""

from math import comb

import numpy as np
import polars as pl
from scipy import stats

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.unit_cost.intervals import CONFIDENCE


def any_of(trials: pl.DataFrame) -> pl.DataFrame:
    """Return how often at least one, and how often every one, of k trials of a task succeeds.

    Without bias for c successes in n trials of a task: any = 1 - C(n-c, k) / C(n, k) (Chen et al. 2021),
    all = C(c, k) / C(n, k) (pass^k; Yao et al. 2024), averaged over tasks.

    Args:
        trials: one row per trial: `task`, `succeeded` (Boolean); every task with as many trials.

    Returns:
        By k from 1: `k`, `any_share` (a ceiling: an oracle picks the right one), `any_low`, `any_high` (95%, t over
        tasks, cut at 0 and 1), `all_share`, `independent_share` (1 - (1 - p)^k: wrong wherever tasks differ in
        difficulty, shown to be seen), `n_tasks`, `standard_error` of `any_share` with the task as cluster.

    Raises:
        RefusedInputError: tasks have different numbers of trials, or there are fewer than two tasks.
    """
    tasks = trials.group_by("task").agg(
        pl.len().alias("n"), pl.col("succeeded").cast(pl.Int64).sum().alias("c")
    ).sort("task")  # fmt: skip
    counts = tasks["n"].unique().sort().to_list()
    if len(counts) != 1 or tasks.height < 2:
        raise RefusedInputError(
            f"expected two tasks or more with equally many trials, got {tasks.height} with {counts}; "
            "leave out what was tried less often"
        )
    n, successes = counts[0], tasks["c"].to_list()
    overall = sum(successes) / (n * len(successes))
    rows = []
    for k in range(1, n + 1):
        found = np.array([1 - comb(n - c, k) / comb(n, k) for c in successes])
        every = float(np.mean([comb(c, k) / comb(n, k) for c in successes]))
        error = float(found.std(ddof=1) / np.sqrt(len(found)))
        half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(found) - 1)) * error
        mean = float(found.mean())
        independent = 1 - (1 - overall) ** k
        rows.append((k, mean, max(0.0, mean - half), min(1.0, mean + half), every, independent, len(found), error))
    names = ["k", "any_share", "any_low", "any_high", "all_share", "independent_share", "n_tasks", "standard_error"]
    return pl.DataFrame(rows, schema=names, orient="row", schema_overrides={"k": pl.Int64, "n_tasks": pl.Int64})
