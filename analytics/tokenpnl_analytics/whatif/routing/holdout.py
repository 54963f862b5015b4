"""A threshold is chosen on one half of the tasks and scored on the other, so that luck does not praise itself."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from tokenpnl_analytics.unit_cost.intervals import Interval, ratio_interval
from tokenpnl_analytics.whatif.resampling.halves import HALF, places
from tokenpnl_analytics.whatif.routing.curves import Kind, Strong, chosen_of, goes_strong, threshold_curve
from tokenpnl_analytics.whatif.routing.frontier import Separation, paired_difference
from tokenpnl_analytics.whatif.routing.table import usd_per_success

FEW_TASKS = 20


@dataclass(frozen=True)
class HeldOut:
    """A threshold and what it was worth on tasks that did not choose it.

    Attributes:
        threshold: chosen on the first half; None: no task goes to the strong model.
        n_chosen_on: tasks of the first half.
        n: tasks of the second half, on which everything below was measured.
        strong_share: share of tasks that went to the strong model.
        success_share: of the router.
        against_strong: its successes against those of the strong model alone, task by task.
        random_success_share: of asking the strong model as often at random.
        oracle_success_share: of asking it as often where it helps most.
        cost_usd: of the router.
        strong_cost_usd: of the strong model alone.
        usd_per_success: cost per success; None: no success.
        interval: of it.
        refused_because: why nothing was chosen; the rest is then the strong model alone, on all tasks.
    """

    threshold: float | None
    n_chosen_on: int
    n: int
    strong_share: float
    success_share: float
    against_strong: Separation
    random_success_share: float
    oracle_success_share: float
    cost_usd: Decimal
    strong_cost_usd: Decimal
    usd_per_success: Decimal | None
    interval: Interval
    refused_because: str | None = None


def in_first_half(tasks: pl.Series) -> pl.Series:
    """Return whether each task chooses (True) or scores (False): by the hash of its name."""
    return pl.Series("in_first_half", places(map(str, tasks), "held out") >= HALF, pl.Boolean)


def held_out(
    pairs: pl.DataFrame,
    score: str,
    *,
    chance: np.random.Generator,
    kind: Kind = Kind.ROUTE,
    strong: Strong = Strong.BELOW,
    margin: float = 0.02,
) -> HeldOut:
    """Return the cheapest threshold that loses at most the margin, and its worth on the other half of the tasks.

    Chosen on the first half: of all thresholds whose success share is at least the strong model's less the margin, the
    cheapest; of equals the one that asks the strong model least. There always is one, as "always strong" loses nothing.

    Args:
        pairs: result of `pairs_of` with the column `score`.
        score: the recorded score.
        chance: draws the bootstrap of the interval where tasks are few.
        kind: route or cascade.
        strong: on which side of the threshold the strong model is asked.
        margin: largest loss of success share against the strong model, 0.02 = two points.
    """
    first = in_first_half(pairs["task"])
    chooses, scores = pairs.filter(first), pairs.filter(~first)
    if min(chooses.height, scores.height) < FEW_TASKS:
        why = f"{chooses.height} and {scores.height} tasks in the two halves: fewer than {FEW_TASKS} choose nothing"
        return _scored(pairs, pl.lit(value=True), (None, chooses.height, why), chance, kind=Kind.ROUTE)
    curve = threshold_curve(chooses, score, kind=kind, strong=strong)
    # In a cascade "always strong" pays for both models, so the target is the strong model's own share.
    target = float(chooses["strong_success"].sum()) / chooses.height - margin
    best = curve.filter(pl.col("success_share") >= target - 1e-12).sort("cost_usd", "n_strong").row(0, named=True)
    threshold = best["threshold"]
    to_strong = goes_strong(pl.col(score).cast(pl.Float64, strict=False), threshold, strong)
    return _scored(scores, to_strong, (threshold, chooses.height, None), chance, kind=kind)


def _scored(
    scores: pl.DataFrame,
    to_strong: pl.Expr,
    chosen: tuple[float | None, int, str | None],
    chance: np.random.Generator,
    *,
    kind: Kind,
) -> HeldOut:
    made = chosen_of(scores, to_strong, kind)
    n, successes = made.height, float(made["success"].sum())
    gains = np.sort((scores["strong_success"] - scores["weak_success"]).to_numpy())[::-1]
    n_strong, weak = int(made["to_strong"].sum()), float(scores["weak_success"].sum())
    clusters = np.arange(n, dtype=np.int64)
    cost = made["cost_usd"].cast(pl.Float64).to_numpy()
    threshold, n_chosen_on, why = chosen
    return HeldOut(
        threshold=threshold,
        n_chosen_on=n_chosen_on,
        n=n,
        strong_share=n_strong / n,
        success_share=successes / n,
        against_strong=paired_difference(scores["strong_success"].to_numpy(), made["success"].to_numpy()),
        random_success_share=(weak + n_strong / n * float(gains.sum())) / n,
        oracle_success_share=(weak + float(gains[:n_strong].sum())) / n,
        cost_usd=made.select(pl.col("cost_usd").sum()).item(),
        strong_cost_usd=scores.select(pl.col("strong_usd").sum()).item(),
        usd_per_success=made.select(usd_per_success(pl.col("cost_usd").sum(), pl.col("success").sum())).item(),
        interval=ratio_interval(cost, made["success"].to_numpy(), clusters, chance=chance),
        refused_because=why,
    )
