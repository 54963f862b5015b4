"""Flags of a row: a sorted, comma separated text that expressions can extend."""

from collections.abc import Mapping

import polars as pl

from tokenpnl.model import Flag


def with_flags(frame: pl.DataFrame, flags: Mapping[Flag, pl.Expr]) -> pl.DataFrame:
    """Return the frame with more flags raised; `tidy` sorts them in the end.

    Args:
        frame: any frame, with or without `flags`.
        flags: flag -> the condition under which it is raised; NULL counts as false.
    """
    old = pl.col("flags").fill_null("") if "flags" in frame.columns else pl.lit("")
    raised = [pl.when(condition).then(pl.lit(f",{flag.value}")) for flag, condition in flags.items()]
    return frame.with_columns(flags=pl.concat_str([old, *raised], ignore_nulls=True))


def tidy(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with `flags` sorted, comma separated, without repetition, empty when nothing is raised.

    There are few distinct combinations, so each is sorted once.
    """
    known = frame["flags"].unique()
    clean = known.str.split(",").list.eval(pl.element().filter(pl.element() != "").unique().sort()).list.join(",")
    return frame.with_columns(pl.col("flags").replace_strict(known, clean, return_dtype=pl.String))
