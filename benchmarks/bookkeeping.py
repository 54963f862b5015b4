"""Bookkeeping: spans per CPU second of resolve, price and classify, and attempts priced per CPU second.

`python benchmarks/bookkeeping.py` runs with one Polars thread, as the bookkeeper does, and prints JSON and a table.
Every figure is the median of alternated rounds on the same synthetic frame: 10 spans a trace, one run each, with a
retried model call, a tool fee, HTTP children and an evaluation.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

os.environ["POLARS_MAX_THREADS"] = "1"  # before Polars is imported: it reads this once

import polars as pl

from tokenpnl.tables import OUTCOMES, SPANS
from tokenpnl_analytics.books import book, keep_books
from tokenpnl_analytics.classify import classify
from tokenpnl_analytics.frames import empty, schema_of
from tokenpnl_analytics.pricing.prices import charge
from tokenpnl_analytics.pricing.ratecard import default_rate_card
from tokenpnl_analytics.resolving.resolve import resolve

TRACES = 20_000
ROUNDS = 3
START = datetime(2026, 11, 1, tzinfo=UTC)
MODELS = (("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("google", "gemini-2.5-pro"))


def template() -> list[dict[str, Any]]:
    """Return the ten spans of one trace, ids and times still relative."""
    plain: dict[str, Any] = dict.fromkeys(SPANS.names)
    plain |= {
        "tenant": "default",
        "signal": "span",
        "status_code": "unset",
        "scope_name": "benchmark",
        "dialect": "genai",
        "operation": "other",
        "flags": "",
        "attributes_json": '{"http.request.method": "POST", "server.port": 443}',
        "events_json": "[]",
        "links_json": "[]",
        "resource_hash": "r",
        "received_at": START,
        "batch_no": 1,
        "cache_reported": True,
        "reasoning_reported": True,
        "service_name": "bench",
        "environment": "production",
    }
    model = {
        "operation": "inference",
        "operation_name": "chat",
        "parent_span_id": "draft",
        "input_tokens": 1_300,
        "cache_read_tokens": 1_024,
        "output_tokens": 210,
        "reasoning_tokens": 64,
        "finish_reason": "stop",
    }
    failed = {"status_code": "error", "error_type": "RateLimitError", "http_status": 429, "input_tokens": None}
    nothing = {"cache_read_tokens": None, "output_tokens": None, "reasoning_tokens": None, "finish_reason": None}
    step = {"operation": "agent", "parent_span_id": "run"}
    spans: list[dict[str, Any]] = [
        {"name": "run", "operation": "workflow", "workflow_name": "support_reply", "customer_id": "acme"},
        step | {"name": "draft", "step_name": "draft", "agent_name": "writer"},
        model | failed | nothing | {"name": "chat 1", "call_id": "c", "attempt_number": 1, "attempt_reason": "first"},
        model | {"name": "chat 2", "call_id": "c", "attempt_number": 2, "attempt_reason": "retry"},
        {"name": "POST", "operation": "http", "parent_span_id": "chat 2", "http_status": 200},
        model | {"name": "chat 3"},
        {"name": "search", "operation": "tool", "tool_name": "search", "parent_span_id": "draft"}
        | {"fee_usd": Decimal("0.004"), "arguments_hash": "a"},
        step | {"name": "judge", "operation": "evaluation", "step_name": "judge", "step_kind": "evaluation"},
        model | {"name": "chat 4", "parent_span_id": "judge"},
        {"name": "fetch", "operation": "retrieval", "parent_span_id": "draft"},
    ]
    return [plain | span | {"span_id": span["name"], "order": place} for place, span in enumerate(spans)]


def spans_of(n_traces: int) -> pl.DataFrame:
    """Return a frame of the table `spans` with that many traces of ten spans."""
    one = pl.DataFrame(template(), schema={**schema_of(SPANS), "order": pl.Int64}, orient="row")
    traces = pl.DataFrame({"trace": range(n_traces)}, schema={"trace": pl.Int64})
    names = {name: f"{place + 1:04x}" for place, name in enumerate(one["span_id"])}
    digits = pl.col("trace").cast(pl.String).str.zfill(12)
    begins = pl.col("trace") * 1_000_000 + pl.col("order") * 1_000
    is_model = pl.col("operation") == "inference"
    which = pl.col("trace") % len(MODELS)
    chosen = {
        column: which.replace_strict(dict(enumerate(names_of)), return_dtype=pl.String)
        for column, names_of in zip(("provider", "model"), zip(*MODELS, strict=True), strict=True)
    }
    return (
        traces.join(one, how="cross")
        .select(
            pl.lit(START).dt.cast_time_unit("ns").dt.offset_by(pl.format("{}us", begins)).alias("started_at"),
            pl.lit(START).dt.cast_time_unit("ns").dt.offset_by(pl.format("{}us", begins + 900)).alias("ended_at"),
            pl.format("{}{}", pl.lit("0" * 20), digits).alias("trace_id"),
            pl.format("{}{}", digits, pl.col("span_id").replace_strict(names)).alias("span_id"),
            pl.format("{}{}", digits, pl.col("parent_span_id").replace_strict(names)).alias("parent_span_id"),
            pl.when(is_model).then(chosen["provider"]).alias("provider"),
            pl.when(is_model).then(chosen["model"]).alias("request_model"),
            pl.when(is_model & pl.col("output_tokens").is_not_null()).then(chosen["model"]).alias("response_model"),
            pl.when(is_model).then(pl.format("resp-{}-{}", digits, "order")).alias("response_id"),
            pl.when(pl.col("call_id").is_not_null()).then(pl.format("call-{}", digits)).alias("call_id"),
            pl.format("{}-{}", digits, "order").alias("content_hash"),
            *(name for name in SPANS.names if name not in _SET_HERE),
        )
        .select(SPANS.names)
    )


_SET_HERE = {
    "started_at", "ended_at", "trace_id", "span_id", "parent_span_id", "provider", "request_model", "response_model",
    "response_id", "call_id", "content_hash",
}  # fmt: skip


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds that the work takes in this process."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def measure(n_traces: int) -> dict[str, float]:
    """Return rates per CPU second by step, medians of alternated rounds."""
    card, outcomes = default_rate_card(), empty(OUTCOMES)
    spans = spans_of(n_traces)
    resolution = resolve(spans)
    attempts, runs, fees = resolution.attempts, resolution.runs, resolution.fees
    steps: dict[str, tuple[int, Callable[[], object]]] = {
        "keep_books, spans": (spans.height, lambda: keep_books(spans, outcomes, card)),
        "resolve, spans": (spans.height, lambda: resolve(spans)),
        "price and classify, spans": (spans.height, lambda: book(resolution, outcomes, card)),
        "classify, attempts": (attempts.height, lambda: classify(attempts, runs)),
        "price, attempts to line items": (attempts.height, lambda: charge(attempts, fees, card)),
    }
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, (_, work) in steps.items():
            taken[name].append(cpu_seconds(work))
    return {name: n / statistics.median(taken[name]) for name, (n, _) in steps.items()}


def main() -> None:
    """Print the rates as JSON and as a table."""
    n_traces = int(sys.argv[1]) if len(sys.argv) > 1 else TRACES
    rates = {name: round(rate) for name, rate in measure(n_traces).items()}
    print(json.dumps({"benchmark": "bookkeeping", "spans": n_traces * 10, "per_cpu_second": rates}))
    print("\n| step | per CPU second |\n|---|---|")
    for name, rate in rates.items():
        print(f"| {name} | {rate:,} |")


if __name__ == "__main__":
    main()
