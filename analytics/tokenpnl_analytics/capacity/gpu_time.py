"""GPU time by request: which pool served it, and when it was at work there."""

from collections.abc import Iterator
from datetime import datetime

import polars as pl

from tokenpnl_analytics.capacity.supply import HOUR_NS, Tariff, nanoseconds
from tokenpnl_analytics.capacity.sweep import UNKNOWN_REPLICA
from tokenpnl_analytics.pricing.matching import SELF_HOSTED_DEPLOYMENTS, SELF_HOSTED_SERVERS
from tokenpnl_analytics.rules.capacity import Paid, Served
from tokenpnl_analytics.rules.gpus import USED, GpusFile, Pool, Replicas
from tokenpnl_analytics.rules.prices import fits

Span = tuple[int | None, int | None]
_COLUMN_OF = {"replica": "gpu_replica", "service": "service_name"}


def self_hosted() -> pl.Expr:
    """Return whether an attempt ran on somebody's own accelerator, so that its cost is time, not tokens."""
    return (
        pl.col("deployment").is_in(SELF_HOSTED_DEPLOYMENTS) | pl.col("provider").is_in(SELF_HOSTED_SERVERS)
    ).fill_null(value=False)


def matching(attempts: pl.DataFrame, match: Served) -> pl.Series:
    """Return whether each attempt fits the match; a value is compared once, however many attempts have it."""
    result = pl.repeat(value=True, n=attempts.height, dtype=pl.Boolean, eager=True)
    for field, pattern in match.given.items():
        column = attempts[_COLUMN_OF.get(field, field)]
        fitting = [value for value in column.unique().to_list() if fits(pattern, [value])]
        result &= column.is_in(fitting).fill_null(value=False)
    return result


def first_taker(attempts: pl.DataFrame, takers: tuple[Paid, ...]) -> pl.Series:
    """Return the place of the first pool or commitment whose match and time each attempt fits, NULL: none."""
    started = pl.col("started_at")
    takes = [
        pl.when(
            pl.lit(matching(attempts, taker.match)),
            pl.lit(value=True) if taker.since is None else started >= taker.since,
            pl.lit(value=True) if taker.until is None else started < taker.until,
        ).then(pl.lit(place, pl.Int64))
        for place, taker in enumerate(takers)
    ]
    return attempts.with_columns(pl.coalesce(*takes, pl.lit(None, pl.Int64)).alias("entry"))["entry"]


def at_work(attempts: pl.DataFrame, gpus: GpusFile) -> pl.DataFrame:
    """Return when each attempt was at work on which pool.

    The time is the inference time that the server reports, at the end of the span, else the whole span: a queue is no
    work. Attempts that ran on no pool, or whose end nobody knows, have no row.

    Returns:
        `row` (place in `attempts`), `entry` (place in the file's pools), `pool`, `begin_ns`, `end_ns`, `replica` (a
        number, -1: unknown), `gpu_us` (microseconds of accelerators that the emitter measured, NULL: it did not), in
        the order of `attempts`.
    """
    started = pl.col("started_at").dt.epoch("ns")
    took = (pl.col("inference_ms") * 1e6).round().cast(pl.Int64)
    ended = pl.coalesce(pl.col("ended_at").dt.epoch("ns"), started + took)
    # The code of a category is a number; which one decides nothing.
    replica = pl.col("gpu_replica").cast(pl.Categorical).to_physical().cast(pl.Int64).fill_null(UNKNOWN_REPLICA)
    times = attempts.select(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("row"),
        pl.when(self_hosted()).then(pl.lit(first_taker(attempts, gpus.pools))).alias("entry"),
        pl.max_horizontal(started, pl.when(took.is_not_null()).then(ended - took)).alias("begin_ns"),
        ended.alias("end_ns"),
        replica.alias("replica"),
        (pl.col("gpu_seconds") * 1e6).round().cast(pl.Int64).alias("gpu_us"),
    )
    names = {place: pool.name for place, pool in enumerate(gpus.pools)}
    named = pl.col("entry").replace_strict(names, return_dtype=pl.String).alias("pool")
    return times.filter(pl.col("entry").is_not_null() & (pl.col("end_ns") > pl.col("begin_ns"))).with_columns(named)


def in_hours(work: pl.DataFrame, since_ns: int, until_ns: int) -> pl.DataFrame:
    """Return the work cut at the hours of the period, with `hour_ns`, `from_ns` and `until_ns` of each piece."""
    inside = work.with_columns(
        pl.max_horizontal("begin_ns", since_ns).alias("from_ns"),
        pl.min_horizontal("end_ns", until_ns).alias("until_ns"),
    ).filter(pl.col("from_ns") < pl.col("until_ns"))
    first, last = pl.col("from_ns") // HOUR_NS, (pl.col("until_ns") - 1) // HOUR_NS
    hours = inside.with_columns(pl.int_ranges(first, last + 1, dtype=pl.Int64).alias("hour_ns")).explode("hour_ns")
    hour = pl.col("hour_ns")
    return hours.with_columns(hour * HOUR_NS).with_columns(
        pl.max_horizontal("from_ns", hour).alias("from_ns"),
        pl.min_horizontal("until_ns", hour + HOUR_NS).alias("until_ns"),
    )


def tariffs(gpus: GpusFile, pieces: pl.DataFrame) -> Iterator[Tariff]:
    """Yield what the replicas of the pools cost, and when they are there; pools that are billed by use have none.

    Args:
        gpus: the pools.
        pieces: result of `in_hours`, from which pools without a stated number take theirs.
    """
    for pool in gpus.pools:
        held = (_ns(pool.since), _ns(pool.until))
        term = (held[0], held[1]) if held[0] is not None and held[1] is not None and pool.upfront else None
        for begin, end, count in _counts(pool, held, pieces):
            yield Tariff(
                pool=pool.name,
                from_ns=begin,
                until_ns=end,
                units=count,
                usd_per_hour=gpus.usd_per_gpu_hour(pool) * pool.gpus_per_replica,
                unit_size=pool.gpus_per_replica,
                upfront_usd=pool.in_usd(pool.upfront),
                term_ns=term,
            )


def _counts(pool: Pool, held: Span, pieces: pl.DataFrame) -> Iterator[tuple[int | None, int | None, int]]:
    if pool.billing == USED:
        return
    if isinstance(pool.replicas, int):
        yield (*held, pool.replicas)
    elif isinstance(pool.replicas, tuple):
        yield from _scheduled(pool.replicas, held, gapless=bool(pool.upfront))
    else:
        mine = pieces.filter(pl.col("pool") == pool.name)
        up = mine.group_by("hour_ns").agg(pl.col("replica").n_unique().cast(pl.Int64)).sort("hour_ns")
        for hour, count in up.iter_rows():
            yield (*_both((hour, hour + HOUR_NS), held), count)


def _scheduled(
    replicas: tuple[Replicas, ...], held: Span, *, gapless: bool
) -> Iterator[tuple[int | None, int | None, int]]:
    """Yield the stated numbers; where the pool is paid all the time, also the stretches without a replica."""
    begin = held[0]
    for stretch in sorted(replicas, key=lambda each: _ns(each.since) or 0):
        first, last = _both((_ns(stretch.since), _ns(stretch.until)), held)
        if gapless and begin is not None and first is not None and begin < first:
            yield begin, first, 0
        yield first, last, stretch.count
        begin = last
    if gapless and begin is not None and held[1] is not None and begin < held[1]:
        yield begin, held[1], 0


def _both(one: Span, other: Span) -> Span:
    begins = [begin for begin, _ in (one, other) if begin is not None]
    ends = [end for _, end in (one, other) if end is not None]
    return max(begins, default=None), min(ends, default=None)


def _ns(moment: datetime | None) -> int | None:
    return None if moment is None else nanoseconds(moment)
