"""Matching records of the same thing one to one, and grouping what is matched.

Two libraries that each report three identical calls describe three calls, not one: records are paired one to one,
the closest first, and a group never holds two records of one library unless the provider says that they are one.
"""

import numpy as np
import polars as pl

from tokenpnl_analytics.resolving.forest import Rows

_SIDES = ("left", "right")


def one_to_one(candidates: pl.DataFrame) -> pl.DataFrame:
    """Return the candidates that are each other's best choice, repeated until nobody is left to pair.

    Args:
        candidates: `left`, `right` (row numbers, left < right), `left_class`, `right_class` (who reports; a record
            has at most one partner per class) and `distance` (smaller is closer).

    Returns:
        The columns `left`, `right` of the pairs, sorted.
    """
    open_pairs = candidates.sort("distance", "left", "right").with_row_index("place")
    pairs = [open_pairs.select(_SIDES).clear()]
    while open_pairs.height:
        best_left = pl.col("place") == pl.col("place").min().over("left", "right_class")
        best_right = pl.col("place") == pl.col("place").min().over("right", "left_class")
        mutual = open_pairs.filter(best_left & best_right)
        pairs.append(mutual.select(_SIDES))
        open_pairs = open_pairs.join(mutual, on=["left", "right_class"], how="anti", maintain_order="left").join(
            mutual, on=["right", "left_class"], how="anti", maintain_order="left"
        )
    return pl.concat(pairs).sort(_SIDES)


def groups(size: int, pairs: pl.DataFrame) -> Rows:
    """Return for each of `size` rows the smallest row that it is connected to through `left`-`right` pairs."""
    label = np.arange(size)
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    while pairs.height:
        low = np.minimum(label[left], label[right])
        before = label.copy()
        np.minimum.at(label, label[left], low)
        np.minimum.at(label, label[right], low)
        label = label[label]
        if (label == before).all():
            break
    return label
