"""Pools and commitments: what was paid, what was allocated, and how busy the accelerators really were.

Two bases side by side. Allocation asks whether somebody held the capacity, usage whether it worked: high allocation
with low usage is a utilisation problem, the reverse a model problem.
"""

import polars as pl

from tokenpnl.model import CostCategory
from tokenpnl_analytics.capacity.gpu_time import first_taker, self_hosted
from tokenpnl_analytics.capacity.items import CAPACITY_KINDS
from tokenpnl_analytics.rules.commitments import CommitmentsFile
from tokenpnl_analytics.rules.gpus import GpusFile
from tokenpnl_ingest.metric_names import Measure, known

HIGH, LOW = 0.6, 0.4
_MILLION = 1_000_000
_SERVERS = {"vllm": "vllm", "sglang": "sglang", "tgi_": "tgi", "te_": "tei", "nv_": "triton", "trtllm": "tensorrt_llm"}


def pool_usage(
    lines: pl.DataFrame,
    attempts: pl.DataFrame,
    points: pl.DataFrame,
    gpus: GpusFile,
    commitments: CommitmentsFile,
) -> pl.DataFrame:
    """Return one row per GPU pool and commitment that was paid for, the dearest first.

    Args:
        lines: line items, those of capacity among them.
        attempts: table `attempts` of the same period.
        points: table `metrics` of the same period.
        gpus: pools; they say which replicas and models a data point speaks of.
        commitments: of those without a stated capacity utilisation is not known.

    Returns:
        `pool, usage_kind`, `paid_usd = allocated_usd + idle_usd`, `allocated_share` of the money (NULL for a commitment
        whose capacity nobody stated), `hours` (of accelerators or units),
        `attempts`, `tokens`, `usd_per_million_tokens` (at load), `floor_usd_per_million_tokens` (had nothing been
        idle), `tax_usd_per_million_tokens` (their difference), the measured means `gpu_use`, `cache_use` (0 to 1),
        `running`, `waiting` with `n_points`, `tokens_per_second` (while anything was at work), `reading`:
        utilisation (held, and little at work), model (at work, and little held), idle (neither), busy (both), NULL
        where use was not measured or is in between.
    """
    capacity = lines.filter(pl.col("pool").is_not_null(), pl.col("usage_kind").is_in(CAPACITY_KINDS))
    idle = pl.col("cost_category") == CostCategory.IDLE_CAPACITY.value
    paid = capacity.group_by("pool", "usage_kind").agg(
        pl.col("cost_usd").sum().alias("paid_usd"),
        pl.col("cost_usd").filter(~idle).sum().alias("allocated_usd"),
        pl.col("cost_usd").filter(idle).sum().alias("idle_usd"),
        (pl.col("quantity").sum() / 3.6e9).alias("hours"),
        (pl.col("quantity").filter(~idle).sum() / 1e6).alias("allocated_seconds"),
    )
    work = _work(capacity.filter(~idle), attempts)
    joined = paid.join(work, on="pool", how="left").join(measured(points, attempts, gpus), on="pool", how="left")
    unstated = [each.name for each in commitments.commitments if each.tokens_per_hour is None]
    share = (pl.col("allocated_usd").cast(pl.Float64) / pl.col("paid_usd").cast(pl.Float64)).fill_nan(None)
    share = pl.when(~pl.col("pool").is_in(unstated)).then(share)
    at_load, floor = _per_million("paid_usd"), _per_million("allocated_usd")
    return (
        joined.with_columns(share.alias("allocated_share"), pl.col("attempts", "tokens", "n_points").fill_null(0))
        .with_columns(
            at_load.alias("usd_per_million_tokens"),
            floor.alias("floor_usd_per_million_tokens"),
            (at_load - floor).alias("tax_usd_per_million_tokens"),
            pl.when(pl.col("allocated_seconds") > 0)
            .then(pl.col("tokens") / pl.col("allocated_seconds"))
            .alias("tokens_per_second"),
            _reading(),
        )
        .select(
            *("pool", "usage_kind", "paid_usd", "allocated_usd", "idle_usd", "allocated_share", "hours", "attempts"),
            *("tokens", "usd_per_million_tokens", "floor_usd_per_million_tokens", "tax_usd_per_million_tokens"),
            *("gpu_use", "cache_use", "running", "waiting", "n_points", "tokens_per_second", "reading"),
        )
        .sort("paid_usd", "pool", descending=[True, False])
    )


def _work(allocated: pl.DataFrame, attempts: pl.DataFrame) -> pl.DataFrame:
    """Return `pool, attempts, tokens` of the requests that capacity was allocated to."""
    served = allocated.select("tenant", "attempt_id", "pool").unique()
    return (
        served.join(attempts, on=["tenant", "attempt_id"])
        .group_by("pool")
        .agg(
            pl.len().cast(pl.Int64).alias("attempts"),
            pl.sum_horizontal("input_total_tokens", "output_total_tokens").sum().alias("tokens"),
        )
        .sort("pool")
    )


def measured(points: pl.DataFrame, attempts: pl.DataFrame, gpus: GpusFile) -> pl.DataFrame:
    """Return the mean of what was measured in each pool: `pool, gpu_use, cache_use, running, waiting, n_points`.

    A replica's mean is taken first, so that one that reports more often does not count more; requests are summed over
    replicas. A data point belongs to the pool of the requests that its replica served, else to the first pool that its
    replica, model and server match, else to the only pool there is.
    """
    gauges = (Measure.GPU_USE, Measure.CACHE_USE, Measure.RUNNING, Measure.WAITING)
    names = {name: known(name) for name in points["name"].unique()}
    told = {name: found for name, found in names.items() if found is not None and found.measure in gauges}
    names_of = [gauge.value for gauge in gauges]
    schema = pl.Schema({"pool": pl.String(), **dict.fromkeys(names_of, pl.Float64()), "n_points": pl.Int64()})
    mine = points.filter(pl.col("name").is_in(list(told)), pl.col("value").is_not_null())
    if mine.is_empty():
        return schema.to_frame()
    located = mine.with_columns(
        pl.Series("pool", _pools_of(mine, attempts, gpus)),
        pl.col("name")
        .replace_strict({n: k.measure.value for n, k in told.items()}, return_dtype=pl.String)
        .alias("measure"),
        (pl.col("value") * pl.col("name").replace_strict({n: k.factor for n, k in told.items()})).alias("value"),
    ).filter(pl.col("pool").is_not_null())
    by_replica = located.group_by("pool", "measure", "gpu_replica", "resource_hash").agg(
        pl.col("value").mean(), pl.len()
    )
    counted = pl.col("measure").is_in([Measure.RUNNING.value, Measure.WAITING.value]).first()
    by_pool = by_replica.group_by("pool", "measure").agg(
        pl.when(counted).then(pl.col("value").sum()).otherwise(pl.col("value").mean()), pl.col("len").sum()
    )
    wide = by_pool.group_by("pool").agg(
        *(pl.col("value").filter(pl.col("measure") == name.value).first().alias(name.value) for name in gauges),
        pl.col("len").sum().cast(pl.Int64).alias("n_points"),
    )
    return wide.select(pl.col(name).cast(dtype) for name, dtype in schema.items()).sort("pool")


def _pools_of(points: pl.DataFrame, attempts: pl.DataFrame, gpus: GpusFile) -> pl.Series:
    names = dict(enumerate(pool.name for pool in gpus.pools))
    own = attempts.filter(self_hosted(), pl.col("gpu_replica").is_not_null())
    served = own.select("gpu_replica", pl.Series("entry", first_taker(own, gpus.pools)))
    of_replica = served.drop_nulls().unique("gpu_replica", keep="first", maintain_order=True)
    server = pl.lit(None, pl.String)
    for prefix, name in _SERVERS.items():
        server = pl.when(pl.col("name").str.to_lowercase().str.starts_with(prefix)).then(pl.lit(name)).otherwise(server)
    absent = ("deployment", "region", "service_tier", "service_name", "gpu_type", "environment")
    like_attempts = points.select(
        server.alias("provider"),
        "model",
        "gpu_replica",
        "tenant",
        pl.col("measured_at").alias("started_at"),
        *(pl.lit(None, pl.String).alias(name) for name in absent),
    )
    matched = first_taker(like_attempts, gpus.pools)
    only = pl.lit(0 if len(gpus.pools) == 1 else None, pl.Int64)
    found = points.select("gpu_replica", pl.Series("matched", matched)).join(
        of_replica, on="gpu_replica", how="left", maintain_order="left"
    )
    return found.select(
        pl.coalesce("entry", "matched", only).replace_strict(names, default=None, return_dtype=pl.String).alias("pool")
    )["pool"]


def _per_million(money: str) -> pl.Expr:
    return pl.col(money) * _MILLION / pl.when(pl.col("tokens") > 0).then("tokens")


def _reading() -> pl.Expr:
    held, at_work = pl.col("allocated_share"), pl.col("gpu_use")
    return (
        pl.when((held >= HIGH) & (at_work < LOW))
        .then(pl.lit("utilisation"))
        .when((held < LOW) & (at_work >= HIGH))
        .then(pl.lit("model"))
        .when((held < LOW) & (at_work < LOW))
        .then(pl.lit("idle"))
        .when((held >= HIGH) & (at_work >= HIGH))
        .then(pl.lit("busy"))
        .alias("reading")
    )
