"""Line items of a close, made by hand: a test names only the columns that it speaks of."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from tokenpnl_analytics.closing.close import CLOSED_LINES

START = datetime(2026, 10, 5, 12, tzinfo=UTC)


def line(line_id: str, usd: str | None, **changes: Any) -> dict[str, Any]:
    """Return one line item of 1,000 output tokens; `usd` None: unpriced."""
    paid = None if usd is None else Decimal(usd)
    return {
        "tenant": "default", "line_id": line_id, "attempt_id": line_id.split("/", maxsplit=1)[0], "trace_id": "t1",
        "span_id": "s1", "run_id": "r1", "workflow": "desk", "environment": "production", "step": "answer",
        "provider": "openai", "model": "gpt-4o", "started_at": START, "charge_category": "Usage",
        "usage_kind": "output_text", "quantity": 1000, "list_cost_usd": paid, "contracted_cost_usd": paid,
        "cost_usd": paid, "cost_source": "unpriced" if paid is None else "computed", "price_version": "card 1",
        "cost_category": "productive", "category_rule": "the rest", "served_reason": "primary", "flags": "",
    } | changes  # fmt: skip


def lines_of(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return the rows as closed line items."""
    return pl.DataFrame(list(rows), schema=CLOSED_LINES, orient="row")
