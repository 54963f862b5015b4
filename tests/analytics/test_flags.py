"""Flags: raised by conditions, tidied once."""

import polars as pl

from tokenpnl.model import Flag
from tokenpnl_analytics.flags import tidy, with_flags


def test_flags_are_sorted_unique_and_empty_when_nothing_is_raised() -> None:
    frame = pl.DataFrame({"flags": ["orphan", "", None], "bad": [True, False, None]})
    raised = with_flags(frame, {Flag.ORPHAN: pl.col("bad"), Flag.CACHE_UNKNOWN: pl.col("bad")})
    assert tidy(raised)["flags"].to_list() == ["cache_unknown,orphan", "", ""]


def test_a_frame_without_flags_gets_them() -> None:
    raised = with_flags(pl.DataFrame({"bad": [True]}), {Flag.UNPRICED: pl.col("bad")})
    assert tidy(raised)["flags"].to_list() == ["unpriced"]


def test_tidying_nothing_is_nothing() -> None:
    assert tidy(pl.DataFrame({"flags": []}, schema={"flags": pl.String})).is_empty()
