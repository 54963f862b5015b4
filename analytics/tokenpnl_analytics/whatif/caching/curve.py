"""The exact miss-ratio curve of LRU: every capacity from one pass over the references."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from tokenpnl_analytics.whatif.caching.kernel import NOWHERE
from tokenpnl_analytics.whatif.caching.references import asked, frozen_sizes
from tokenpnl_analytics.whatif.caching.stack_kernel import stack_distances

MOST_ROWS = 200
"""Rows of a curve that is to be drawn."""
_SCHEMA = {
    "capacity": pl.Int64(),
    "n": pl.Int64(),
    "hits": pl.Int64(),
    "hit_share": pl.Float64(),
    "amount": pl.Int64(),
    "amount_hit": pl.Int64(),
    "amount_hit_share": pl.Float64(),
    "refused_because": pl.String(),
}


def distances(references: pl.DataFrame) -> pl.Series:
    """Return for each reference the smallest LRU cache in which it is a hit; NULL at an object's first reference.

    Args:
        references: `key, size`; sizes are frozen at each object's first appearance.
    """
    wanted, n_objects = asked(frozen_sizes(references))
    found = stack_distances(wanted.keys, wanted.sizes, n_objects)
    return pl.Series("distance", found).replace(NOWHERE, None)


def miss_ratio_curve(references: pl.DataFrame, capacities: Sequence[int] | None = None) -> pl.DataFrame:
    """Return what an LRU cache of each capacity would have hit, exactly, from an empty cache.

    More cache never costs hits, and every row equals a replay with frozen sizes. Below the largest object there is no
    such curve: a cache refuses what is larger than itself, so that caches of different sizes hold different things.

    Args:
        references: `key, size, amount, time_us`; with all sizes 1 capacities count objects.
        capacities: which to report; default: each one at which there are more hits than below, so the whole curve.

    Returns:
        `capacity`, `n` (references), `hits`, `hit_share`, `amount`, `amount_hit`, `amount_hit_share` (of tokens or
        bytes), `refused_because` (NULL; else below the largest object, and hits are NULL); by capacity.
    """
    largest = int(frozen_sizes(references)["size"].max() or 0)  # type: ignore[arg-type]  # an Int64 column's maximum
    steps = (
        references.select("amount", distances(references).alias("needs"))
        .drop_nulls("needs")
        .with_columns(pl.col("needs").clip(largest))
        .group_by("needs")
        .agg(pl.len().cast(pl.Int64).alias("hits"), pl.col("amount").sum().alias("amount_hit"))
        .sort("needs")
        .with_columns(pl.col("hits").cum_sum(), pl.col("amount_hit").cum_sum())
    )
    wanted = steps["needs"].to_numpy() if capacities is None else np.sort(np.array(capacities, np.int64))
    # The step that counts at a capacity is the last one that needs no more than it.
    place = np.searchsorted(steps["needs"].to_numpy(), wanted, side="right")
    totals = references["amount"].sum()
    small = pl.col("capacity") < largest
    why = f"smaller than the largest object ({largest:,}): replay it alone"
    return (
        pl.DataFrame({"capacity": wanted, "place": place}, schema={"capacity": pl.Int64, "place": pl.Int64})
        .join(steps.with_row_index("place", offset=1).cast({"place": pl.Int64}), on="place", how="left")
        .sort("capacity")
        .with_columns(pl.lit(references.height, pl.Int64).alias("n"), pl.lit(totals, pl.Int64).alias("amount"))
        .with_columns(pl.when(~small).then(pl.col("hits", "amount_hit").fill_null(0)).name.keep())
        .with_columns(
            (pl.col("hits") / pl.col("n")).alias("hit_share"),
            pl.when(pl.col("amount") > 0).then(pl.col("amount_hit") / pl.col("amount")).alias("amount_hit_share"),
            pl.when(small).then(pl.lit(why)).alias("refused_because"),
        )
        .select(pl.col(name).cast(kind) for name, kind in _SCHEMA.items())
    )


def capacity_curve(references: pl.DataFrame, *, by_amount: bool) -> pl.DataFrame:
    """Return what an LRU cache of each capacity would have missed, exactly, in at most `MOST_ROWS` capacities.

    Args:
        references: as for `miss_ratio_curve`.
        by_amount: the ratio is of amounts (tokens), else of references (answers).

    Returns:
        `capacity` (Int64, unit of the sizes; those at which there are more hits than below, spread over the curve and
        with its last one), `miss_ratio` (float64), `n` (references); by capacity. Empty where nothing comes again.
    """
    whole = miss_ratio_curve(references).filter(pl.col("refused_because").is_null())
    if whole.height > MOST_ROWS:
        places = np.unique(np.linspace(0, whole.height - 1, MOST_ROWS).round().astype(np.int64))
        whole = whole[places.tolist()]
    share = pl.col("amount_hit_share" if by_amount else "hit_share")
    return whole.select("capacity", (1 - share).alias("miss_ratio"), "n")
