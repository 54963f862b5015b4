"""Hand-made rows of the derived tables: a test names only the columns that it speaks of."""

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from hypothesis import settings

from tokenpnl.schema import Table, Type
from tokenpnl.tables import ATTEMPTS, CALLS, DUPLICATES, FEES, OUTCOMES, RUNS
from tokenpnl_analytics.frames import schema_of
from tokenpnl_analytics.pricing.ratecard import RateCard, default_rate_card

# A law is about results; how long a busy machine takes for one example is not its subject.
settings.register_profile("laws", deadline=None)
settings.load_profile("laws")

START = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
_PLAIN = {
    Type.TEXT: "",
    Type.INT: 0,
    Type.BOOL: False,
    Type.FLOAT: 0.0,
    Type.MONEY: Decimal(0),
    Type.TIME: START,
}
_USUAL: dict[str, Any] = {
    "tenant": "default",
    "trace_id": "t1",
    "span_id": "s1",
    "run_id": "r1",
    "workflow": "support_reply",
    "step": "draft",
    "provider": "openai",
    "model": "gpt-4o",
    "operation": "inference",
    "status": "ok",
    "attempt_number": 1,
    "attempt_reason": "first",
    "attempt_source": "span",
    "served_reason": "primary",
    "n_attempts": 1,
    "batch_no": 1,
    "effective_at": START,
    "recorded_at": START,
}


def _table(table: Table, rows: list[dict[str, Any]], key: str) -> pl.DataFrame:
    filled = []
    for number, row in enumerate(rows, start=1):
        plain = {c.name: _USUAL.get(c.name, _PLAIN[c.type] if c.required else None) for c in table.columns}
        filled.append(plain | {key: f"{key}{number}"} | row)
    return pl.DataFrame(filled, schema=schema_of(table), orient="row")


def attempts_of(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return attempts of run r1 by gpt-4o of openai, each its own call, changed by the given columns."""
    frame = _table(ATTEMPTS, list(rows), "attempt_id")
    return frame.with_columns(
        pl.when(pl.col("call_key") == "").then("attempt_id").otherwise("call_key").alias("call_key")
    )


def calls_of(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return calls of run r1."""
    return _table(CALLS, list(rows), "call_key")


def fees_of(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return fees of run r1."""
    return _table(FEES, list(rows), "span_id")


def runs_of(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return runs r1, r2, ... of support_reply, each in a trace of its own unless said otherwise."""
    named = [{"run_id": f"r{n}", "trace_id": f"t{n}"} | row for n, row in enumerate(rows, start=1)]
    return _table(RUNS, named, "span_id")


def outcomes_of(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return statements about run r1."""
    return _table(OUTCOMES, [{"status": "success"} | row for row in rows], "outcome_id")


def duplicates_of(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return spans that do not carry the bill."""
    return _table(DUPLICATES, list(rows), "span_id")


@pytest.fixture(scope="session")
def rows() -> SimpleNamespace:
    """Return the makers of rows: `rows.attempts({...}, {...})`."""
    return SimpleNamespace(
        attempts=attempts_of,
        calls=calls_of,
        fees=fees_of,
        runs=runs_of,
        outcomes=outcomes_of,
        duplicates=duplicates_of,
        start=START,
    )


@pytest.fixture(scope="session")
def card() -> RateCard:
    """Return the installed rate card."""
    return default_rate_card()
