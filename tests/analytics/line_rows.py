"""Hand-made line items: a test names only the columns that it speaks of."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.frames import schema_of

START = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
_USUAL: dict[str, Any] = {
    "tenant": "default", "trace_id": "t1", "span_id": "s1", "run_id": "r1", "workflow": "support_reply",
    "environment": "production", "service_name": "bot", "step": "draft", "provider": "openai", "model": "gpt-4o",
    "started_at": START, "charge_category": "Usage", "usage_kind": "input_uncached", "quantity": 1000,
    "cost_source": "computed", "price_version": "card 1", "cost_category": "productive", "category_rule": "by hand",
    "served_reason": "primary", "flags": "",
}  # fmt: skip
_MONEY = ("list_cost_usd", "contracted_cost_usd", "cost_usd")


def usd(text: str) -> Decimal:
    return Decimal(text)


def lines_of(*rows: dict[str, Any], schema: pl.Schema | None = None) -> pl.DataFrame:
    """Return line items; money may be given as text, `usd` for all three costs at once, `price` per million."""
    filled = []
    for number, row in enumerate(rows, start=1):
        given = dict(row)
        if "price" in given:
            price = Decimal(given.pop("price"))
            given["list_unit_usd_per_million"] = price
            given.setdefault("usd", price * given.get("quantity", 1000) / 1_000_000)
        if "usd" in given:
            cost = given.pop("usd")
            given = dict.fromkeys(_MONEY, cost if cost is None else Decimal(cost)) | given
        money = {name: Decimal(given[name]) for name in _MONEY if given.get(name) is not None}
        filled.append(_USUAL | {"line_id": f"l{number}", "attempt_id": f"a{number}"} | given | money)
    return pl.DataFrame(filled, schema=schema or schema_of(LINE_ITEMS), orient="row")
