"""Telemetry that lies in memory, as the frames that the books are kept from; what a store would hold, without one."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from tokenpnl.schema import Table
from tokenpnl.tables import OUTCOMES, SPANS
from tokenpnl_analytics.frames import conform, empty
from tokenpnl_ingest.files import Request
from tokenpnl_ingest.otlp import Decoded, decode
from tokenpnl_ingest.rows import arrow_table


@dataclass(frozen=True)
class Capture:
    """Decoded telemetry: tables `spans` and `outcomes`, and how many records were refused, with the first reason."""

    spans: pl.DataFrame
    outcomes: pl.DataFrame
    refused: int
    refusal_message: str


def capture_of(requests: Iterable[Request]) -> Capture:
    """Return the telemetry of export requests as frames.

    Raises:
        RefusedInputError: when a request cannot be decoded at all.
    """
    decoded = [decode(request.signal, request.body, request.content_type) for request in requests]
    return Capture(
        _frame(SPANS, [one.spans for one in decoded]),
        _frame(OUTCOMES, [one.outcomes for one in decoded]),
        sum(one.refused for one in decoded),
        _first_message(decoded),
    )


def _frame(table: Table, batches: list[list[dict[str, object]]]) -> pl.DataFrame:
    rows = [row for batch in batches for row in batch]
    return conform(pl.DataFrame(arrow_table(table, rows, 0, 0)), table) if rows else empty(table)


def _first_message(decoded: list[Decoded]) -> str:
    return next((one.refusal_message for one in decoded if one.refusal_message), "")
