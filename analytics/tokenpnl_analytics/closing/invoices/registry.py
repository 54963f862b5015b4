"""Which format a file is in, told by its content and never by its name."""

import json
import zlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

import polars as pl

from tokenpnl.errors import RefusedInputError, TooLargeError
from tokenpnl_analytics.closing.invoices import (
    anthropic_cost,
    anthropic_usage,
    aws_cur,
    focus,
    openai_costs,
    openai_usage,
)
from tokenpnl_analytics.closing.invoices.form import Invoice
from tokenpnl_analytics.closing.invoices.tables import Tabular, tabular


class JsonFormat(Protocol):
    """A module that reads one report of JSON pages."""

    SOURCE: str

    def recognises(self, document: object) -> bool:
        """Return whether the document is of this report."""

    def read(self, document: object, *, name: str) -> Invoice:
        """Return it in the normal form."""


class TableFormat(Protocol):
    """A module that reads one kind of table."""

    SOURCE: str

    def recognises(self, table: Tabular) -> bool:
        """Return whether the table is of this kind."""

    def read(self, table: Tabular, *, name: str) -> Invoice:
        """Return it in the normal form."""


JSON_FORMATS: tuple[JsonFormat, ...] = (openai_costs, openai_usage, anthropic_usage, anthropic_cost)
TABLE_FORMATS: tuple[TableFormat, ...] = (aws_cur, focus)
MOST_BYTES = 4 << 30  # after decompression
_GZIP = b"\x1f\x8b"
_KEY = ["provider", "account", "day", "model", "usage_kind", "quantity", "cost", "charge_category", "description"]


def read_invoice(content: bytes, *, name: str) -> Invoice:
    """Return a file in the normal form.

    Args:
        content: JSON pages, CSV or Parquet, plain or gzip.
        name: what to call the file in errors.

    Raises:
        RefusedInputError: no format knows the content, or the one that does finds faults in it.
        TooLargeError: it is larger than `MOST_BYTES` when decompressed.
    """
    content = _decompressed(content, name)
    if content.lstrip()[:1] in (b"{", b"["):
        document = _json(content, name)
        for form in JSON_FORMATS:
            if form.recognises(document):
                return form.read(document, name=name)
        raise RefusedInputError(f"{name} is JSON of no report that is known; known are {_known(JSON_FORMATS)}")
    table = tabular(content, name=name)
    for kind in TABLE_FORMATS:
        if kind.recognises(table):
            return kind.read(table, name=name)
    seen = ", ".join(table.columns[:5])
    raise RefusedInputError(f"{name} has the columns {seen} ...; known tables are {_known(TABLE_FORMATS)}")


def together(invoices: Sequence[Invoice]) -> pl.DataFrame:
    """Return the lines of several files as one frame.

    Raises:
        RefusedInputError: a line with a cost stands in two files, or a provider is billed by two formats: its charges
            would count twice.
    """
    numbered = [invoice.lines.with_columns(pl.lit(n).alias("file")) for n, invoice in enumerate(invoices)]
    lines = pl.concat(numbered)
    billed = lines.filter(pl.col("cost").is_not_null())
    sources = billed.group_by("provider").agg(pl.col("source").unique().sort()).filter(pl.col("source").list.len() > 1)
    for provider, names in sources.sort("provider").iter_rows():
        raise RefusedInputError(f"{provider} is billed by {' and by '.join(names)}; give one of them, not both")
    twice = lines.group_by(_KEY, maintain_order=True).agg(pl.col("file").n_unique(), pl.col("row").first())
    for day, provider, row in twice.filter(pl.col("file") > 1).select("day", "provider", "row").iter_rows():
        raise RefusedInputError(f"two files hold the same line of {provider} on {day} ({row}); give each day once")
    return lines.drop("file")


def _decompressed(content: bytes, name: str) -> bytes:
    if not content.startswith(_GZIP):
        return content
    parts, rest = [b""], content
    # Several members in a row are one file, as AWS writes them.
    while rest:
        stream = zlib.decompressobj(wbits=31)
        try:
            parts.append(stream.decompress(rest, MOST_BYTES - sum(map(len, parts))))
        except zlib.error as error:
            raise RefusedInputError(f"{name} begins as gzip and is none: {error}") from None
        if stream.unconsumed_tail:
            raise TooLargeError(f"{name} is larger than {MOST_BYTES >> 30} GiB when decompressed; give it in parts")
        if not stream.eof:
            raise RefusedInputError(f"{name} is gzip that ends too early; fetch it again")
        rest = stream.unused_data
    return b"".join(parts)


def _json(content: bytes, name: str) -> object:
    """Return the document; several documents, one a line, are a list of pages."""
    try:
        return json.loads(content, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        lines = content.split(b"\n")
        try:
            pages = [json.loads(line, parse_float=Decimal) for line in lines if line.strip()]
        except (ValueError, RecursionError):
            raise RefusedInputError(f"{name} is neither a JSON document nor one a line: {error}") from None
        return pages


def _known(formats: Sequence[JsonFormat | TableFormat]) -> str:
    return ", ".join(form.SOURCE for form in formats)
