"""The panel of one span: who, when, how it ended, its lines of the bill, and what else the emitter said."""

import json
from typing import Any

import polars as pl
import streamlit as st

from tokenpnl_dashboard import words
from tokenpnl_dashboard.parts import cards

FACTS = {
    "Operation": "operation",
    "Provider": "provider",
    "Model asked for": "request_model",
    "Model that served": "response_model",
    "Service tier": "service_tier",
    "Region": "region",
    "Step": "step_name",
    "Agent": "agent_name",
    "Tool": "tool_name",
    "Finish reason": "finish_reason",
    "Error": "error_type",
    "HTTP status": "http_status",
    "Response id": "response_id",
    "Emitter": "dialect",
    "Library": "scope_name",
    "Span id": "span_id",
    "Trace id": "trace_id",
}


def draw_span(span: dict[str, Any], attempts: pl.DataFrame, lines: pl.DataFrame) -> None:
    """Draw the panel of a span.

    Args:
        span: one row of `spans`.
        attempts: the attempts that this span carries.
        lines: line items of the run.
    """
    cards.heading(f"Span: {words.markdown(span['name'])}")
    own = lines.filter(pl.col("span_id") == span["span_id"])
    if own.is_empty():
        st.markdown("This span has no cost of its own.")
    else:
        cards.table(_bill(own), alt="Its lines of the bill: tokens by kind, price, cost")
        st.caption(_why(own))
    cards.table(_facts(span, attempts), alt=f"Facts of the span {span['name']}")
    attributes = json.loads(span["attributes_json"])
    if attributes:
        with st.expander(f"{words.counted(len(attributes), 'more attribute')}, as the emitter sent them"):
            st.json(attributes)


def _facts(span: dict[str, Any], attempts: pl.DataFrame) -> pl.DataFrame:
    facts = {label: str(span[column]) for label, column in FACTS.items() if span.get(column) is not None}
    facts = {"Start": words.moment(span["started_at"])} | facts
    for flag in ("cache_unknown", "reasoning_unknown", "usage_inferred", "usage_missing"):
        if attempts.height and any(flag in flags for flags in attempts["flags"]):
            facts["Note"] = f"{facts['Note']}, {words.title(flag)}" if "Note" in facts else words.title(flag)
    return pl.DataFrame({"Fact": list(facts), "Value": list(facts.values())})


def _bill(own: pl.DataFrame) -> pl.DataFrame:
    rows = own.sort("usage_kind").to_dicts()
    return pl.DataFrame(
        {
            "Usage": [words.title(row["usage_kind"]) for row in rows],
            "Quantity": [words.count(row["quantity"]) for row in rows],
            "List per million": [words.usd(row["list_unit_usd_per_million"]) for row in rows],
            "Cost": [words.usd(row["cost_usd"]) for row in rows],
        }
    )


def _why(own: pl.DataFrame) -> str:
    row = own.to_dicts()[0]
    version = f" Price: {row['price_version']}." if row["price_version"] else " No price is known."
    category = words.category(row["cost_category"])
    return words.markdown(f"{category}: {row['category_rule']}.{version}")
