"""Flags of a row: a sorted, comma separated text that expressions can extend."""

from collections.abc import Mapping

import polars as pl

from tokenpnl.model import Flag


def with_flags(frame: pl.DataFrame, flags: Mapping[Flag, pl.Expr]) -> pl.DataFrame:
    """Return the frame with more flags raised.

    Args:
        frame: any frame, with or without `flags`.
        flags: flag -> the condition under which it is raised; NULL counts as false.

    Returns:
        The frame with `flags`: sorted, comma separated, without repetition, empty when there is nothing to say.
    """
    old = pl.col("flags").fill_null("") if "flags" in frame.columns else pl.lit("")
    raised = [pl.when(condition).then(pl.lit(flag.value)) for flag, condition in flags.items()]
    joined = pl.concat_str([old, *raised], separator=",", ignore_nulls=True)
    return tidy(frame.with_columns(flags=joined))


def tidy(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with `flags` sorted and without repetition.

    There are few distinct combinations, so each is sorted once.
    """
    known = frame.select(pl.col("flags").unique())
    clean = known.with_columns(
        _flags=pl.col("flags").str.split(",").list.filter(pl.element() != "").list.unique().list.sort().list.join(",")
    )
    return frame.join(clean, on="flags", how="left", maintain_order="left").with_columns(flags="_flags").drop("_flags")
