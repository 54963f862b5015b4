"""What capacity adds to a run: the GPU time that it used, and its share of what its pool left idle."""

import polars as pl

from tokenpnl.model import ChargeKind, CostCategory
from tokenpnl_analytics.frames import known_sum
from tokenpnl_analytics.shares import dollars, in_picodollars, split_exactly

_RUN = ["tenant", "run_id"]
_POOL_MONTH = ["pool", "month"]
_KINDS = (ChargeKind.GPU_TIME.value, ChargeKind.COMMITMENT.value)


def capacity_of_runs(capacity_lines: pl.DataFrame) -> pl.DataFrame:
    """Return what capacity costs each run that used some: its own time, and its share of the idle rest.

    The idle time and unused commitment of a pool are spread over the runs that the pool served in that month (UTC), by
    allocated seconds, so that they are spread over workflows by allocated seconds too. What a pool cost that served
    nobody in the month is spread on nobody: it stays idle capacity of the statement.

    Args:
        capacity_lines: the `line_items` of pools (`gpu_time`, `commitment`); of other lines nothing is taken.

    Returns:
        `tenant, run_id, allocated_usd` (NULL where no price is known), `capacity_usd`, sorted. The `capacity_usd` of a
        pool and month sum to its idle cost exactly.
    """
    lines = capacity_lines.filter(pl.col("pool").is_not_null() & pl.col("usage_kind").is_in(_KINDS)).with_columns(
        pl.col("started_at").dt.truncate("1mo").alias("month")
    )
    idle = pl.col("cost_category") == CostCategory.IDLE_CAPACITY.value
    used = (
        lines.filter(~idle & pl.col("run_id").is_not_null())
        .group_by(*_POOL_MONTH, *_RUN)
        .agg(known_sum(pl.col("cost_usd")).alias("allocated_usd"), pl.col("quantity").sum())
        .sort(*_POOL_MONTH, *_RUN)
    )
    wholes = lines.filter(idle).group_by(_POOL_MONTH).agg(in_picodollars(pl.col("cost_usd").sum()).alias("idle"))
    claims = used.join(wholes, on=_POOL_MONTH, how="left", maintain_order="left").with_columns(
        pl.col("idle").fill_null(0),
        pl.struct(_POOL_MONTH).rank("dense").cast(pl.Int64).alias("of"),
        pl.int_range(pl.len()).alias("ties"),
        # Where nothing was measured in a pool, each of its runs counts alike.
        pl.when(pl.col("quantity").sum().over(_POOL_MONTH) > 0)
        .then(pl.col("quantity").cast(pl.Float64))
        .otherwise(1.0)
        .alias("seconds"),
    )
    parts = split_exactly(claims, "idle", "seconds", of="of", ties="ties")
    return (
        claims.with_columns(parts.alias("part"))
        .group_by(_RUN)
        .agg(known_sum(pl.col("allocated_usd")), dollars("part").sum().alias("capacity_usd"))
        .sort(_RUN)
    )
