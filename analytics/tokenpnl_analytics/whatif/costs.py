"""What each attempt cost before and after: the one comparison that savings, waterfalls and intervals are sums of."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import polars as pl

from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.replay import Replayed, repriced

_ATTEMPT = ["tenant", "attempt_id"]
_ZERO = pl.lit(0, MONEY)
_OWN = ("run_id", "trace_id", "cluster", "evaluation")

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def compared(baseline: Baseline, arms: Sequence[Replayed]) -> pl.DataFrame:
    """Return one row per attempt with its cost before and in each arm.

    Args:
        baseline: the frozen traffic.
        arms: what scenarios, or steps of a composition, made of it.

    Returns:
        `tenant, attempt_id, run_id, trace_id, cluster, evaluation`, `before_usd`, `after_0_usd`, `after_1_usd`, ...
        (Decimal; what an arm adds to an attempt is inside), `known`: whether it has a price before and in every arm,
        so that savings are differences of like with like. Sorted by tenant and attempt.
    """
    rows = baseline.attempts.select(*_ATTEMPT, *_OWN, pl.col("cost_usd").alias("before_usd"))
    for number, arm in enumerate(arms):
        after = repriced(arm.attempts, baseline.card, arm.cards)
        name = f"after_{number}_usd"
        cost = pl.when(pl.col("cost_usd").is_not_null().all()).then(pl.col("cost_usd").sum())
        of_arm = after.group_by(_ATTEMPT).agg(cost.alias(name), pl.col(*_OWN).first())
        rows = rows.join(of_arm, on=_ATTEMPT, how="full", coalesce=True, suffix="_added")
        here = pl.col("before_usd").is_null() & pl.col("trace_id").is_null()
        # An attempt that only the arm has cost nothing before it.
        rows = rows.with_columns(
            *(pl.coalesce(own, f"{own}_added").alias(own) for own in _OWN),
            *(
                pl.when(here).then(_ZERO).otherwise(old).alias(old)
                for old in ("before_usd", *(f"after_{earlier}_usd" for earlier in range(number)))
            ),
            pl.when(pl.col("trace_id_added").is_null()).then(_ZERO).otherwise(name).alias(name),
        ).drop(f"{own}_added" for own in _OWN)
    costs = [name for name in rows.columns if name.endswith("_usd")]
    known = pl.all_horizontal(pl.col(name).is_not_null() for name in costs)
    return rows.with_columns(known.alias("known")).sort(_ATTEMPT)


def cost_usd(rows: pl.DataFrame) -> Decimal:
    """Return the sum of `cost_usd` that is known, exact."""
    total: Decimal = rows.select(pl.col("cost_usd").sum()).item()
    return total


def saving_usd(costs: pl.DataFrame, arm: int = 0) -> Decimal:
    """Return cost before minus cost in an arm over the attempts known everywhere; exact, negative is a loss."""
    known = costs.filter("known")
    saving: Decimal = known.select(pl.col("before_usd").sum() - pl.col(f"after_{arm}_usd").sum()).item()
    return saving


def by_run(costs: pl.DataFrame, n_arms: int) -> tuple[Floats, Codes]:
    """Return the cost of each run before and in each arm, `(1 + arms, runs)` in USD, and its cluster, numbered from 0.

    A run is what attempts name; those that name none count by their trace. Attempts that are not known everywhere are
    left out. Float64: it feeds intervals, not sums.
    """
    names = ["before_usd", *(f"after_{arm}_usd" for arm in range(n_arms))]
    unit = pl.coalesce(pl.lit("run=") + pl.col("run_id"), pl.lit("trace=") + pl.col("trace_id"))
    runs = (
        costs.filter("known")
        .group_by("tenant", unit.alias("unit"))
        .agg(pl.col(names).sum(), pl.col("cluster").min())
        .sort("tenant", "unit")
    )
    codes = runs["cluster"].rank("dense").cast(pl.Int64).to_numpy() - 1
    return runs.select(pl.col(names).cast(pl.Float64)).to_numpy().T, codes.astype(np.int64)


def saving_of_runs(costs: pl.DataFrame, runs: pl.DataFrame, arm: int = 0) -> pl.Series:
    """Return what each run of a cohort saves in an arm, Decimal, in the order of the runs; 0 where nothing changed.

    Offline evaluation stays outside, as it is outside the cost per success.
    """
    inside = costs.filter(
        pl.col("known") & ~pl.col("evaluation").eq_missing("offline") & pl.col("run_id").is_not_null()
    )
    saved = inside.group_by("tenant", "run_id").agg(
        (pl.col("before_usd").sum() - pl.col(f"after_{arm}_usd").sum()).alias("saved_usd")
    )
    return (
        runs.select("tenant", "run_id")
        .join(saved, on=["tenant", "run_id"], how="left", maintain_order="left")["saved_usd"]
        .fill_null(Decimal(0))
    )
