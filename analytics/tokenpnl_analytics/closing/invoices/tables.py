"""Tabular files, CSV or Parquet: columns as text, rows numbered: one reading serves both, and money stays exact."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from tokenpnl.errors import RefusedInputError

PARQUET = b"PAR1"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Tabular:
    """A file with named columns, read only as far as it is asked for.

    Attributes:
        rows: every column as it lies in the file.
        columns: their names.
        parquet: whether it is Parquet; else CSV.
    """

    rows: pl.LazyFrame
    columns: tuple[str, ...]
    parquet: bool

    def text(self, wanted: Sequence[str]) -> pl.LazyFrame:
        """Return the wanted columns as text, absent ones null, and `row`, the number of the row in words.

        A double of Parquet becomes its shortest decimal, the number that was written before it was made binary.
        """
        # In a CSV the head is row 1; Parquet has no head.
        first = 1 if self.parquet else 2
        named = pl.format("row {}", "row").alias("row")
        return self.rows.with_row_index("row", offset=first).select(named, *map(self._column, wanted))

    def doubles(self, names: Sequence[str]) -> list[str]:
        """Return which of the columns hold binary floats."""
        schema = self.rows.collect_schema()
        return [name for name in names if name in self.columns and schema[name].is_float()]

    def _column(self, name: str) -> pl.Expr:
        if name not in self.columns:
            return pl.lit(None, pl.String).alias(name)
        text = pl.col(name).cast(pl.String).str.strip_chars()
        return pl.when(text != "").then(text).alias(name)


def tabular(content: bytes, *, name: str) -> Tabular:
    """Return the file as rows with names; CSV may be separated by comma, semicolon or tab.

    Raises:
        RefusedInputError: it is neither Parquet nor a table of text in UTF-8, or a row has more fields than the head.
    """
    parquet = content.startswith(PARQUET)
    try:
        rows = pl.scan_parquet(io.BytesIO(content)) if parquet else _csv(content.removeprefix(_BOM))
        columns = tuple(rows.collect_schema().names())
        if not parquet:
            # Columns that nobody asks for are skipped, and with them a row of more fields than the head, whose fields
            # would be another row's. Reading all of them finds it.
            rows.select(pl.all().null_count()).collect()
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        kind = "Parquet" if parquet else "CSV in UTF-8"
        raise RefusedInputError(f"{name} cannot be read as {kind}: {str(error).splitlines()[0]}") from None
    return Tabular(rows, columns, parquet)


def collected(rows: pl.LazyFrame, *, name: str) -> pl.DataFrame:
    """Return the rows; a file that is broken further down is refused like one that is broken at its head.

    Raises:
        RefusedInputError: the rows cannot be read.
    """
    try:
        return rows.collect()
    except pl.exceptions.PolarsError as error:
        raise RefusedInputError(f"{name} cannot be read to its end: {str(error).splitlines()[0]}") from None


def each(frame: pl.DataFrame, column: str, reading: Callable[[str], object], dtype: pl.DataType) -> pl.Expr:
    """Return the reading of each value of a column of text, null for null; every distinct value is read once."""
    values = frame[column].drop_nulls().unique(maintain_order=True).to_list()
    read = pl.Series([reading(value) for value in values], dtype=dtype)
    return pl.col(column).replace_strict(pl.Series(values, dtype=pl.String), read, default=None, return_dtype=dtype)


def utc_moment(column: str) -> pl.Expr:
    """Return the UTC moment of ISO times as text, null where there is none; a time without an offset is UTC."""
    at = pl.col(column).str.replace(" ", "T")
    moved = at.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_zone="UTC", time_unit="us", strict=False)
    plain = at.str.strip_suffix("Z")
    told = [
        plain.str.to_datetime(form, time_unit="us", strict=False).dt.replace_time_zone("UTC")
        for form in ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")
    ]
    return pl.coalesce(moved, *told, utc_day(column).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))


def utc_day(column: str) -> pl.Expr:
    """Return the UTC day of ISO times as text, null where there is none; a time without an offset is UTC."""
    at = pl.col(column)
    moved = at.str.replace(" ", "T").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_zone="UTC", strict=False)
    told = at.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    return pl.when(at.str.contains(r"T?\d\d:\d\d.*[-+]\d\d(:?\d\d)?$")).then(moved.dt.date()).otherwise(told)


def _csv(content: bytes) -> pl.LazyFrame:
    head = content.split(b"\n", 1)[0].decode()
    separator = max(",;\t", key=head.count)
    return pl.scan_csv(io.BytesIO(content), infer_schema=False, separator=separator)
