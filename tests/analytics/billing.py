"""Hand-made traces and invoices of one provider: a test names only what it speaks of."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from tokenpnl.schema import Type
from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.closing.invoices.form import INVOICE_LINES, invoice_lines
from tokenpnl_analytics.frames import schema_of

DAY = date(2026, 10, 7)
_PLAIN: dict[Type, Any] = {Type.TEXT: "", Type.INT: 0}
_TRACED: dict[str, Any] = {
    "provider": "openai", "model": "gpt-5.4", "usage_kind": "input_uncached", "charge_category": "Usage",
    "cost_source": "computed", "cost_category": "productive", "served_reason": "primary",
}  # fmt: skip
_BILLED: dict[str, Any] = {
    "provider": "openai", "day": DAY, "model": "gpt-5.4", "usage_kind": "input_uncached", "currency": "USD",
    "charge_category": "Usage", "commitment": False, "source": "hand", "row": "row 1",
}  # fmt: skip


def at(day: int = 7, hour: int = 12) -> datetime:
    """Return a moment of October 2026; day 0 is the last of September."""
    first = datetime(2026, 10, 1, hour, tzinfo=UTC)
    return first.fromordinal(first.toordinal() + day - 1).replace(hour=hour, tzinfo=UTC)


def traced(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return line items; `tokens` and `usd` say how much, `started_at` when."""
    filled = []
    for number, row in enumerate(rows):
        plain = {column.name: _PLAIN.get(column.type) if column.required else None for column in LINE_ITEMS.columns}
        amounts = {"quantity": row.get("tokens", 0), "cost_usd": _usd(row.get("usd")), "line_id": f"line {number}"}
        rest = {name: value for name, value in row.items() if name not in ("tokens", "usd")}
        filled.append({**plain, **_TRACED, "started_at": at(), **amounts, **rest})
    return pl.DataFrame(filled, schema=schema_of(LINE_ITEMS), orient="row")


def billed(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return lines of an invoice; `tokens` and `usd` say how much (usd absent: a usage report)."""
    filled = []
    for row in rows:
        amounts = {"quantity": row.get("tokens"), "cost": _usd(row.get("usd"))}
        rest = {name: value for name, value in row.items() if name not in ("tokens", "usd")}
        filled.append({**_BILLED, **amounts, **rest})
    schema = {name: dtype for name, dtype in INVOICE_LINES.items() if any(name in row for row in filled)}
    return invoice_lines(pl.DataFrame(filled, schema=schema, orient="row"))


def _usd(value: str | Decimal | None) -> Decimal | None:
    return None if value is None else Decimal(value)
