"""Frames as files of tables: CSV that a spreadsheet cannot be tricked with, Parquet with exact types."""

import io

import polars as pl

from tokenpnl_dashboard.output import csv_text

_SECONDS, _FRACTIONS = "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%.fZ"


def csv_bytes(frame: pl.DataFrame, *, mark: bool = False) -> bytes:
    """Return the frame as CSV in UTF-8: ISO times in UTC, money with every digit, no thousands separators.

    Text that a spreadsheet would run as a formula is preceded by an apostrophe; Parquet keeps it as it is.

    Args:
        frame: what to write.
        mark: begin with a byte order mark, by which Excel knows UTF-8.
    """
    text = csv_text(frame.with_columns(_iso(name) for name in _times(frame)))
    return text.encode("utf-8-sig" if mark else "utf-8")


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """Return the frame as Parquet; money stays `Decimal(38, 12)`."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def _times(frame: pl.DataFrame) -> list[str]:
    return [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime)]


def _iso(name: str) -> pl.Expr:
    whole = pl.col(name).dt.nanosecond() == 0
    at = pl.col(name)
    return pl.when(whole).then(at.dt.strftime(_SECONDS)).otherwise(at.dt.strftime(_FRACTIONS)).alias(name)
