"""What a cache is asked for: references in order, from a trace or from recorded calls.

A frame of *references* has one row each, in the order in which they came: `key` (what is asked for; text or integer),
`size` (Int64, what it occupies, in the unit of the capacity), `amount` (Int64, what a hit saves: tokens or bytes) and
`time_us` (Int64, microseconds, never falling). A frame of *requests* has one row per prompt: `time_us`,
`input_tokens` (Int64), `blocks` (list of chained fingerprints: equal blocks mean equal prompts up to there) and
`block_tokens` (Int64, tokens of a full block; the last may hold fewer).
"""

import numpy as np
import polars as pl

from tokenpnl_analytics.whatif.caching.kernel import Asked

LAST_IN_PROMPT = pl.col("place") == pl.col("blocks_in_prompt") - 1


def asked(references: pl.DataFrame) -> tuple[Asked, int]:
    """Return references as arrays for the kernels, keys numbered from 0, and how many objects there are.

    Args:
        references: `key, size, time_us`; see the module.
    """
    keys = numbered(references["key"])
    n_objects = int(keys.max()) + 1 if len(keys) else 0
    return Asked(keys, _integers(references["size"]), _integers(references["time_us"])), n_objects


def numbered(keys: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the keys as numbers from 0 without gaps."""
    return _integers(keys.rank("dense").cast(pl.Int64) - 1)


def _integers(column: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    # Numba compiles anew for arrays that may not be written to; Polars lends such.
    return np.array(column.cast(pl.Int64).to_numpy(), dtype=np.int64)


def frozen_sizes(references: pl.DataFrame) -> pl.DataFrame:
    """Return the references with each object's size at its first appearance.

    Without that, "the cache of every size at once" has no meaning: an object that grows while it is held would be of
    two sizes in one stack. Replay of one cache can also be done with sizes as they come.
    """
    return references.with_columns(pl.col("size").first().over("key"))


def changed_sizes(references: pl.DataFrame) -> int:
    """Return how many references ask for an object at another size than its first."""
    return int((references["size"] != frozen_sizes(references)["size"]).sum())


def block_references(requests: pl.DataFrame) -> pl.DataFrame:
    """Return the blocks of prompts as references, from the beginning of each prompt to its end.

    Args:
        requests: `time_us, input_tokens, blocks, block_tokens`.

    Returns:
        `request` (Int64, row of its prompt), `place` (Int64, in the prompt), `key` (block), `size` (a block occupies
        all its tokens), `amount` (tokens that it holds of this prompt), `time_us`. A prompt without blocks has no row.
    """
    told = pl.col("place") * pl.col("block_tokens")
    rows = requests.with_columns(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("request"),
        pl.col("blocks").list.len().cast(pl.Int64).alias("blocks_in_prompt"),
    )
    return (
        rows.filter(pl.col("blocks_in_prompt") > 0)
        .with_columns(pl.int_ranges("blocks_in_prompt", dtype=pl.Int64).alias("place"))
        .explode("blocks", "place", empty_as_null=True)
        .select(
            "request",
            "place",
            pl.col("blocks").alias("key"),
            pl.col("block_tokens").alias("size"),
            pl.when(LAST_IN_PROMPT)
            .then((pl.col("input_tokens") - told).clip(0))
            .otherwise("block_tokens")
            .cast(pl.Int64)
            .alias("amount"),
            "time_us",
        )
    )
