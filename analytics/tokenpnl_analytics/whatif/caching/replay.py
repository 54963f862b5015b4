"""Replay: what one cache of a given policy, capacity and lifetime would have hit."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from tokenpnl_analytics.rules.scenario_families import Eviction
from tokenpnl_analytics.whatif.caching.adaptive_kernels import arc_hits, s3fifo_hits
from tokenpnl_analytics.whatif.caching.kernel import Asked, Flags, Life
from tokenpnl_analytics.whatif.caching.queue_kernels import fifo_hits, lfu_hits, lru_hits, sieve_hits
from tokenpnl_analytics.whatif.caching.references import asked

_FOR_EVER = 2**61
_MICROSECONDS = 1_000_000
_KERNELS: Mapping[Eviction, Callable[[Asked, int, int, Life], Flags]] = {
    Eviction.LRU: lru_hits,
    Eviction.FIFO: fifo_hits,
    Eviction.LFU: lfu_hits,
    Eviction.SIEVE: sieve_hits,
    Eviction.S3_FIFO: s3fifo_hits,
    Eviction.ARC: arc_hits,
}


@dataclass(frozen=True)
class Cache:
    """A cache to replay.

    Attributes:
        eviction: which entry makes room.
        capacity: in the unit of the references' sizes, or in objects; None: everything fits.
        in_objects: the capacity counts objects, whatever their sizes.
        ttl_s: seconds that an entry is served, this age included; None: for ever.
        refreshed: a hit begins a new life, as provider caches do; else the life counts from the writing.
    """

    eviction: Eviction = Eviction.LRU
    capacity: int | None = None
    in_objects: bool = False
    ttl_s: float | None = None
    refreshed: bool = False


def hits(references: pl.DataFrame, cache: Cache) -> pl.Series:
    """Return for each reference whether the cache held it (Boolean `hit`), beginning with an empty cache.

    Sizes are read as they come: an object keeps, while it is held, the size at which it was written. An object larger
    than the cache is never held.

    Args:
        references: `key, size, time_us`.
        cache: what to replay.
    """
    wanted, n_objects = asked(references)
    if cache.in_objects:
        wanted = wanted._replace(sizes=np.ones(len(wanted.keys), np.int64))
    capacity = _FOR_EVER if cache.capacity is None else cache.capacity
    ttl = _FOR_EVER if cache.ttl_s is None else round(cache.ttl_s * _MICROSECONDS)
    found = _KERNELS[cache.eviction](wanted, n_objects, capacity, Life(ttl, cache.refreshed))
    return pl.Series("hit", found)


def replay(references: pl.DataFrame, caches: Iterable[Cache]) -> pl.DataFrame:
    """Return what each cache would have hit, one row per cache in their order.

    Args:
        references: `key, size, amount, time_us`.
        caches: what to replay, each from an empty cache.

    Returns:
        `eviction, capacity, in_objects, ttl_s, refreshed`, `n` (references), `hits`, `misses`, `hit_share`, `amount`,
        `amount_hit`, `amount_hit_share`; shares are float64, NULL of nothing.
    """
    rows = []
    for cache in caches:
        found = references.select(
            pl.lit(cache.eviction.value).alias("eviction"),
            pl.lit(cache.capacity, pl.Int64).alias("capacity"),
            pl.lit(cache.in_objects).alias("in_objects"),
            pl.lit(cache.ttl_s, pl.Float64).alias("ttl_s"),
            pl.lit(cache.refreshed).alias("refreshed"),
            *counted(hits(references, cache)),
        )
        rows.append(found.head(1))
    return pl.concat(rows) if rows else pl.DataFrame()


def counted(hit: pl.Series) -> tuple[pl.Expr, ...]:
    """Return the sums that every replay shows, as expressions over the references."""
    n, n_hits = len(hit), int(hit.sum())
    amount, amount_hit = pl.col("amount").sum(), pl.col("amount").filter(hit).sum()
    return (
        pl.lit(n, pl.Int64).alias("n"),
        pl.lit(n_hits, pl.Int64).alias("hits"),
        pl.lit(n - n_hits, pl.Int64).alias("misses"),
        pl.lit(n_hits / n if n else None, pl.Float64).alias("hit_share"),
        amount.alias("amount"),
        amount_hit.alias("amount_hit"),
        pl.when(amount > 0).then(amount_hit / amount).alias("amount_hit_share"),
    )
