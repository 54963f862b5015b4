"""The lifetime curve: what a cache that never fills would hit if entries lived so long."""

from collections.abc import Sequence

import polars as pl

from tokenpnl_analytics.whatif.caching.replay import Cache, counted, hits

LIFETIMES_S = (60.0, 300.0, 600.0, 1800.0, 3600.0, 21_600.0, 86_400.0, 604_800.0)
"""A minute to a week; among them every lifetime that a provider sells."""


def reuse_seconds(references: pl.DataFrame) -> pl.Series:
    """Return the seconds since the last reference to the same object (float64); NULL at the first."""
    return references.select(
        ((pl.col("time_us") - pl.col("time_us").shift().over("key")) / 1_000_000).alias("reuse_s")
    ).to_series()


def ttl_curve(references: pl.DataFrame, ttls_s: Sequence[float], *, refreshed: bool) -> pl.DataFrame:
    """Return what a cache without a limit of size would have hit with each lifetime, exactly, from an empty cache.

    Args:
        references: `key, amount, time_us`.
        ttls_s: lifetimes in seconds; an entry of exactly that age is still served.
        refreshed: a hit begins a new life: then a reference is a hit if its reuse time is no longer than the lifetime.
            Else life counts from the writing, which is what an answer's freshness needs.

    Returns:
        `ttl_s, refreshed`, `n`, `hits`, `misses`, `hit_share`, `amount`, `amount_hit`, `amount_hit_share`; by `ttl_s`.
    """
    reuse = reuse_seconds(references) if refreshed else None
    sized = references if "size" in references.columns else references.with_columns(pl.lit(0, pl.Int64).alias("size"))
    rows = []
    for ttl_s in sorted(ttls_s):
        held = hits(sized, Cache(ttl_s=ttl_s)) if reuse is None else (reuse <= ttl_s).fill_null(value=False)
        head = (pl.lit(float(ttl_s)).alias("ttl_s"), pl.lit(refreshed).alias("refreshed"))
        rows.append(references.select(*head, *counted(held)).head(1))
    return pl.concat(rows)
