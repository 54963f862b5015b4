"""One hash for the content of a frame, whatever the order of its rows and of its batches."""

import hashlib
from collections.abc import Iterator

import numpy as np
import polars as pl

from tokenpnl_analytics.frames import MONEY

_ROWS_AT_ONCE = 50_000


def digest(frame: pl.DataFrame) -> str:
    """Return the SHA-256 of the frame's columns and rows, as hex.

    A value is spelled as its length in bytes, a colon and its text; NULL is `-`. Money has 12 decimals, times are
    nanoseconds since 1970, floats are their 64 bits, Booleans `true` and `false`. The columns are spelled name and
    type, in order; every row is hashed alone, the hashes are sorted and hashed together: equal rows count as often as
    they stand there, and their order does not count.
    """
    head = "".join(_spelled_text(f"{name}:{dtype}") for name, dtype in frame.schema.items())
    hashes = sorted(hashlib.sha256(row.encode()).digest() for row in _spelled_rows(frame))
    whole = hashlib.sha256(head.encode())
    for each in hashes:
        whole.update(each)
    return whole.hexdigest()


def _spelled_rows(frame: pl.DataFrame) -> Iterator[str]:
    if not frame.columns:
        return
    for part in frame.iter_slices(_ROWS_AT_ONCE):
        texts = part.select(_text(part[name]) for name in part.columns)
        yield from texts.select(pl.concat_str(_spelled(name) for name in texts.columns)).to_series()


def _text(values: pl.Series) -> pl.Series:
    """Return the values as text, each in its one spelling.

    Raises:
        ValueError: a type that has no spelling here.
    """
    dtype = values.dtype
    if dtype.is_integer() or dtype in (pl.String, pl.Boolean, MONEY, pl.Date):
        return values.cast(pl.String)
    if isinstance(dtype, pl.Datetime):
        return values.dt.epoch("ns").cast(pl.String)
    if dtype == pl.Float64:
        bits = values.fill_null(0.0).to_numpy().astype(np.float64).view(np.uint64)
        known = pl.select(pl.when(values.is_not_null()).then(pl.Series(bits))).to_series()
        return known.cast(pl.String).alias(values.name)
    raise ValueError(f"column {values.name!r} is {dtype}; text, numbers, Booleans, money and times can be hashed")


def _spelled(name: str) -> pl.Expr:
    text = pl.col(name)
    return pl.when(text.is_null()).then(pl.lit("-")).otherwise(pl.format("{}:{}", text.str.len_bytes(), text))


def _spelled_text(text: str) -> str:
    return f"{len(text.encode())}:{text}"
