"""A tiny builder of rows of the table `spans`, for tests that need spans without an emitter."""

import hashlib
from typing import Any

import polars as pl

from tokenpnl.tables import SPANS
from tokenpnl_analytics.frames import schema_of

SECOND = 1_000_000_000
EPOCH = 1_790_000_000 * SECOND


def span(span_id: str, parent: str | None = None, *, at: float = 0, took: float = 1, **columns: Any) -> dict[str, Any]:
    """Return one row of `spans`; `at` and `took` are seconds, other keywords are columns."""
    row: dict[str, Any] = dict.fromkeys(SPANS.names)
    row |= {
        "tenant": "default",
        "trace_id": "t1",
        "span_id": span_id,
        "parent_span_id": parent,
        "signal": "span",
        "name": span_id,
        "started_at": EPOCH + int(at * SECOND),
        "ended_at": EPOCH + int((at + took) * SECOND),
        "status_code": "unset",
        "scope_name": "lib",
        "dialect": "genai",
        "operation": "other",
        "flags": "",
        "attributes_json": "{}",
        "events_json": "[]",
        "links_json": "[]",
        "resource_hash": "r",
        "received_at": EPOCH,
        "batch_no": 1,
    }
    row |= columns
    content = repr(sorted((key, value) for key, value in row.items() if key not in {"received_at", "batch_no"}))
    row["content_hash"] = row["content_hash"] or hashlib.sha256(content.encode()).hexdigest()
    return row


def chat(
    span_id: str, parent: str | None = None, *, usage: tuple[int, int] | None = (100, 10), **columns: Any
) -> dict[str, Any]:
    """Return a row of a model call; `usage` is input and output tokens."""
    told = {} if usage is None else {"input_tokens": usage[0], "output_tokens": usage[1]}
    facts = {
        "name": "chat gpt-5-mini",
        "operation": "inference",
        "provider": "openai",
        "request_model": "gpt-5-mini",
        "response_model": "gpt-5-mini",
        "finish_reason": "stop",
        "cache_reported": True,
        "reasoning_reported": True,
    }
    return span(span_id, parent, **(facts | told | columns))


def run(span_id: str = "run", parent: str | None = None, **columns: Any) -> dict[str, Any]:
    """Return a row of a workflow span."""
    return span(span_id, parent, **({"operation": "workflow", "workflow_name": "support_reply", "took": 100} | columns))


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return the rows as a frame of the table `spans`."""
    return pl.DataFrame(list(rows), schema=schema_of(SPANS), orient="row")
