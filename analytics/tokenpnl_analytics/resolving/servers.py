"""What an inference server tells about a call that its client bills: time at work, time in queue, which replica."""

import polars as pl

from tokenpnl_analytics.resolving.forest import Forest
from tokenpnl_ingest.dialects.servers import NAME

_TIMES = ("queue_ms", "inference_ms")
_PLACES = ("deployment", "provider", "gpu_type", "gpu_count", "gpu_replica")


def with_servers(trees: Forest, records: pl.DataFrame, units: pl.DataFrame) -> pl.DataFrame:
    """Return the calls with what their servers tell.

    A server's span that repeats the usage is merged into the call already; stages and requests without usage stand
    below it. Where it ran is the server's word; times add up over the stages where the call itself reports none.

    Args:
        trees: the spans.
        records: result of `duplicates.members`.
        units: one row per call, result of `merged`.
    """
    server = pl.col("dialect") == NAME
    if not trees.spans.select(server.any()).item():
        return units
    mine = records.filter(server).select("unit", "row", *_PLACES)
    member = trees.mask(pl.col("row").is_in(records["row"].implode()))
    stage = trees.mask(server & (pl.col("signal") == "span")) & ~member
    rows = stage.nonzero()[0]
    owner = pl.DataFrame({"owner": trees.above(member)[rows]}).with_columns(pl.col("owner").cast(pl.Int64))
    below = pl.concat([trees.at(rows, "row", "request_model", *_TIMES, *_PLACES), owner], how="horizontal")
    of = records.select(pl.col("row").cast(pl.Int64).alias("owner"), "unit")
    stages = below.join(of, on="owner", maintain_order="left").sort("unit", "row")
    told = (
        pl.concat([mine.sort("unit", "row"), stages.select("unit", "row", *_PLACES)])
        .group_by("unit", maintain_order=True)
        .agg(pl.col(_PLACES).drop_nulls().first())
    )
    times = stages.group_by("unit").agg(
        *(pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name) for name in _TIMES),
        pl.col("request_model").drop_nulls().first(),
    )
    said = told.join(times, on="unit", how="left")
    joined = units.join(said, on="unit", how="left", suffix="_server", maintain_order="left")
    return joined.with_columns(
        *(pl.coalesce(f"{name}_server", name).alias(name) for name in _PLACES),
        *(pl.coalesce(name, f"{name}_server").alias(name) for name in (*_TIMES, "request_model")),
    ).select(units.columns)
