"""What GPU pools cost, by request and hour: shared by what was in flight, or metered where only use is billed."""

import numpy as np
import polars as pl

from tokenpnl_analytics.capacity.gpu_time import at_work, in_hours, tariffs
from tokenpnl_analytics.capacity.supply import buckets
from tokenpnl_analytics.capacity.sweep import Flight, sweep
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.gpus import USED, GpusFile
from tokenpnl_analytics.shares import in_picodollars, split_exactly

PARTS = pl.Schema(
    {"row": pl.Int64(), "pool": pl.String(), "at_ns": pl.Int64(), "pico": pl.Int128(), "quantity": pl.Int64()}
)
"""Parts of what capacity cost: the request's row (NULL: idle), the start of the hour, picodollars, microseconds."""
_MICROSECONDS_AN_HOUR = 3_600_000_000


def gpu_parts(attempts: pl.DataFrame, gpus: GpusFile, since_ns: int, until_ns: int) -> pl.DataFrame:
    """Return what the pools cost between two moments, by request and hour, idle time included: `PARTS`, sorted.

    Per pool and hour the parts sum to what was paid, and their microseconds to the time of all its accelerators.

    Args:
        attempts: sorted by tenant and id, which break ties; those that began before the period and were still at work
            in it belong to it.
        gpus: pools and prices.
        since_ns: UTC nanoseconds.
        until_ns: likewise, not included.
    """
    work = at_work(attempts, gpus)
    by_use = pl.col("pool").is_in([pool.name for pool in gpus.pools if pool.billing == USED])
    shared = work.filter(~by_use)
    paid = buckets(
        tariffs(gpus, in_hours(shared, since_ns, until_ns)), since_ns=since_ns, until_ns=until_ns
    ).with_row_index("bucket")
    parts = pl.concat([_shared(shared, paid, since_ns), _metered(work.filter(by_use), gpus, since_ns, until_ns)])
    return (
        parts.group_by("row", "pool", "at_ns")
        .agg(pl.col("pico").sum(), pl.col("quantity").sum())
        .sort("pool", "at_ns", "row", nulls_last=True)
    )


def _shared(work: pl.DataFrame, paid: pl.DataFrame, since_ns: int) -> pl.DataFrame:
    """Return the parts of pools that are paid whether used or not."""
    if paid.is_empty():
        return PARTS.to_frame()
    pieces = _cut(work, paid)
    lengths = (paid["until_ns"] - paid["from_ns"]).to_numpy()
    flight = Flight(*(pieces[name].to_numpy() for name in ("bucket", "replica", "begin_ns", "end_ns")))
    swept = sweep(flight, lengths, paid["units"].to_numpy())
    idle = pl.DataFrame({"bucket": np.arange(paid.height), "weight": swept.idle})
    claims = pl.concat(
        [
            pieces.select("row", "bucket", pl.Series("weight", swept.used)),
            idle.with_columns(row=pl.lit(None, pl.Int64)),
        ],
        how="diagonal",
    )
    nothing = pl.col("weight").sum().over("bucket") == 0
    claims = claims.with_columns(
        # Paid time without any replica, as in a gap of a reserved term, is idle.
        pl.when(nothing & pl.col("row").is_null()).then(1.0).otherwise("weight").alias("weight"),
        pl.col("row").fill_null(work.select(pl.col("row").max().fill_null(0) + 1).item()).alias("ties"),
    ).join(
        paid.select(
            pl.col("bucket").cast(pl.Int64),
            "pool",
            pl.max_horizontal("hour_ns", since_ns).alias("at_ns"),
            "paid",
            ((pl.col("until_ns") // 1_000 - pl.col("from_ns") // 1_000) * pl.col("units") * pl.col("unit_size")).alias(
                "us"
            ),
        ),
        on="bucket",
        maintain_order="left",
    )
    money = split_exactly(claims, "paid", "weight", of="bucket", ties="ties")
    time = split_exactly(claims, "us", "weight", of="bucket", ties="ties")
    parts = claims.select("row", "pool", "at_ns", money.alias("pico"), time.cast(pl.Int64).alias("quantity"))
    return parts.filter((pl.col("pico") > 0) | (pl.col("quantity") > 0))


def _cut(work: pl.DataFrame, paid: pl.DataFrame) -> pl.DataFrame:
    """Return the work cut at the buckets of its pool: `row, bucket, replica`, times from the bucket's start."""
    cut = [pl.DataFrame(schema=dict.fromkeys(("row", "bucket", "replica", "begin_ns", "end_ns"), pl.Int64))]
    for (pool,), mine in work.group_by("pool"):
        there = paid.filter(pl.col("pool") == pool)
        begins, ends = there["from_ns"].to_numpy(), there["until_ns"].to_numpy()
        first = np.searchsorted(ends, mine["begin_ns"].to_numpy(), side="right")
        last = np.searchsorted(begins, mine["end_ns"].to_numpy(), side="left")
        places = pl.int_ranges(pl.lit(pl.Series(first)), pl.lit(pl.Series(np.maximum(first, last))), dtype=pl.Int64)
        pieces = mine.with_columns(places.alias("place")).explode("place").drop_nulls("place")
        begin = pl.lit(there["from_ns"].gather(pieces["place"]))
        end = pl.lit(there["until_ns"].gather(pieces["place"]))
        cut.append(
            pieces.select(
                "row",
                there["bucket"].gather(pieces["place"]).cast(pl.Int64).alias("bucket"),
                "replica",
                (pl.max_horizontal("begin_ns", begin) - begin).alias("begin_ns"),
                (pl.min_horizontal("end_ns", end) - begin).alias("end_ns"),
            )
        )
    return pl.concat(cut)


def _metered(work: pl.DataFrame, gpus: GpusFile, since_ns: int, until_ns: int) -> pl.DataFrame:
    """Return the parts of pools that are billed by use: each request pays its own time and nothing is idle."""
    pieces = in_hours(work, since_ns, until_ns)
    if pieces.is_empty():
        return PARTS.to_frame()
    prices = {entry: gpus.usd_per_gpu_hour(pool) for entry, pool in enumerate(gpus.pools)}
    sizes = {entry: pool.gpus_per_replica for entry, pool in enumerate(gpus.pools)}
    lasted = pl.col("end_ns") - pl.col("begin_ns")
    whole_us = pl.coalesce("gpu_us", lasted * pl.col("entry").replace_strict(sizes, return_dtype=pl.Int64) // 1_000)
    until = [
        (whole_us * ((pl.col(moment) - pl.col("begin_ns")) / lasted)).floor().cast(pl.Int64)
        for moment in ("from_ns", "until_ns")
    ]
    # What is due until a moment is rounded, not what falls between two: the hours of a request sum to its cost.
    price = pl.col("entry").replace_strict(prices, return_dtype=MONEY)
    due = [(quantity * price / _MICROSECONDS_AN_HOUR).cast(MONEY) for quantity in until]
    return pieces.select(
        "row",
        "pool",
        pl.max_horizontal("hour_ns", since_ns).alias("at_ns"),
        in_picodollars(due[1] - due[0]).alias("pico"),
        (until[1] - until[0]).alias("quantity"),
    )
