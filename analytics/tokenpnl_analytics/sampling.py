"""Totals of sampled traces: what all traces would add up to, estimated from those that were kept. Float64."""

from collections.abc import Sequence

import polars as pl
from scipy import stats

from tokenpnl.model import Flag
from tokenpnl_analytics.unit_cost.intervals import CONFIDENCE

METHOD = "Horvitz-Thompson, traces kept independently"
_UNKNOWN = "sampled at an unknown rate"
_Z = float(stats.norm.ppf(0.5 + CONFIDENCE / 2))


def estimated_totals(runs: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return what runs cost and how many there were, those that were not kept included.

    Each kept run stands for w = adjusted count runs: the total is sum(w c), its variance sum(w (w - 1) c^2) (Horvitz
    and Thompson 1952, for traces kept independently of each other). Such totals never enter close or chargeback.

    Args:
        runs: table `runs`; a run without adjusted count was not sampled and stands for itself.
        by: columns of `runs`; without any, one row for all.

    Returns:
        The dimensions, `n` (runs kept), `n_sampled` (of them sampled at less than all), `n_runs_estimate`, `estimate`,
        `low`, `high` (USD, 95%; the known costs alone), `method`, `refused_because` (then no figure), sorted.
    """
    weight, cost = pl.col("adjusted_count").fill_null(1.0), pl.col("cost_usd").cast(pl.Float64).fill_null(0.0)
    unknown = pl.col("flags").str.contains(Flag.SAMPLING_UNKNOWN.value).any()
    keys = list(by) or ["whole"]
    framed = runs if by else runs.with_columns(pl.lit(value=True).alias("whole"))
    sums = framed.group_by(keys).agg(
        pl.len().cast(pl.Int64).alias("n"),
        (weight > 1).sum().cast(pl.Int64).alias("n_sampled"),
        weight.sum().alias("n_runs_estimate"),
        (weight * cost).sum().alias("estimate"),
        (weight * (weight - 1) * cost**2).sum().sqrt().alias("spread"),
        pl.when(unknown).then(pl.lit(_UNKNOWN)).alias("refused_because"),
    )
    known = pl.col("refused_because").is_null()
    figures = ("n_runs_estimate", "estimate", "low", "high")
    found = sums.with_columns(
        (pl.col("estimate") - _Z * pl.col("spread")).clip(0).alias("low"),
        (pl.col("estimate") + _Z * pl.col("spread")).alias("high"),
        pl.lit(METHOD).alias("method"),
    ).with_columns(pl.when(known).then(pl.col(name)).alias(name) for name in figures)
    columns = (*by, "n", "n_sampled", *figures, "method", "refused_because")
    return found.sort(keys, nulls_last=True).select(columns)
