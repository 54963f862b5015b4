"""An agent's run without an emitter: model calls at a known price, tools between them."""

from typing import Any

import polars as pl
from tests.analytics.spans import chat, frame, run, span

from tokenpnl.tables import OUTCOMES
from tokenpnl_analytics.books import keep_books
from tokenpnl_analytics.contracts.breaches import Checked, Facts, check
from tokenpnl_analytics.frames import empty
from tokenpnl_analytics.pricing.ratecard import default_rate_card
from tokenpnl_analytics.rules.agents import AGENTS

Row = dict[str, Any]


def agent(span_id: str = "agent", parent: str | None = "run", **columns: Any) -> Row:
    return span(span_id, parent, **({"operation": "agent", "agent_name": "buyer", "took": 50} | columns))


def tool(span_id: str, parent: str = "agent", **columns: Any) -> Row:
    return span(span_id, parent, **({"operation": "tool", "tool_name": "search"} | columns))


def asked(span_id: str, parent: str = "agent", **columns: Any) -> Row:
    """Return a call of 1,000 tokens in and 100 out: at 0.25 and 2.00 USD a million it costs 0.00045 USD."""
    return chat(span_id, parent, usage=(1000, 100), **columns)


def facts(*rows: Row) -> Facts:
    spans = frame(*rows)
    books = keep_books(spans, empty(OUTCOMES), default_rate_card())
    return Facts(spans, books.calls, books.attempts, books.runs, books.line_items)


def checked(contract: str, *rows: Row) -> Checked:
    return check(facts(run(), agent(), *rows), AGENTS.parse(f"agents: [{{agent: buyer, {contract}}}]").agents)


def told(found: Checked, *columns: str) -> list[tuple[Any, ...]]:
    return found.breaches.select(columns).rows()


def cost_usd(lines: pl.DataFrame, column: str = "over_limit_usd") -> Any:
    return lines[column].sum()
