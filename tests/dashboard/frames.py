"""Hand-made books for the pages: frames that keep the table contract, and a book that answers from them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from tokenpnl import tables
from tokenpnl_analytics.frames import conform, empty
from tokenpnl_analytics.periods import Period
from tokenpnl_dashboard.exports.pack import Pack, pack_of
from tokenpnl_dashboard.questions.disclosure import Known, Summed, disclosure_of

START = datetime(2026, 9, 25, tzinfo=UTC)
NOW = datetime(2026, 11, 24, 8, 41, tzinfo=UTC)

WORKFLOWS = {
    "support_reply": ("gpt-5", "openai", "1.25", "10"),
    "contract_review": ("claude-sonnet-5", "anthropic", "3", "15"),
    "invoice_extraction": ("gemini-3.8-flash", "google", "0.30", "2.50"),
}
CUSTOMERS = ("acme", "globex", "initech", None)


@dataclass(frozen=True)
class FrameVersion:
    data_version: int
    newest_at: datetime | None
    batches_behind: int = 0


@dataclass
class FrameBook:
    """A book in process whose tables are frames."""

    frames: dict[str, pl.DataFrame]
    data_version: int = 1
    batches_behind: int = 0
    asked: list[str] = field(default_factory=list)

    def version(self) -> FrameVersion:
        newest = self.frames["runs"]["started_at"].max()
        return FrameVersion(self.data_version, newest if isinstance(newest, datetime) else None, self.batches_behind)

    def query(self, question: str, /, **params: Any) -> pl.DataFrame:
        self.asked.append(question)
        return getattr(self, f"_{question}")(**params)

    def _table(
        self, name: str, *, since: datetime | None = None, until: datetime | None = None, where: Any = None,
        columns: list[str] | None = None, order_by: Any = None, descending: bool = False,
        limit: int | None = None, offset: int = 0,
    ) -> pl.DataFrame:  # fmt: skip
        frame = _between(self.frames[name], since, until, where)
        if order_by:
            frame = frame.sort(order_by, descending=descending)
        frame = frame.slice(offset, limit)
        return frame.select(columns) if columns else frame

    def _count(self, name: str, **narrow: Any) -> pl.DataFrame:
        return pl.DataFrame({"rows": [self._table(name, **narrow).height]})

    def _line_item_sums(
        self, by: Sequence[str] = (), *, since: datetime | None = None, until: datetime | None = None, where: Any = None
    ) -> pl.DataFrame:
        lines = _between(self.frames["line_items"], since, until, where).with_columns(
            pl.col("started_at").dt.truncate(every).alias(name)
            for name, every in (("hour", "1h"), ("day", "1d"), ("week", "1w"), ("month", "1mo"))
        )
        sums = [
            pl.col("quantity").sum(),
            *(
                pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name)
                for name in (
                    "list_cost_usd",
                    "contracted_cost_usd",
                    "cost_usd",
                    "uncached_cost_usd",
                    "primary_cost_usd",
                    "standard_cost_usd",
                )
            ),
            pl.col("quantity").filter(pl.col("cost_usd").is_null()).sum().alias("unpriced_quantity"),
            pl.len().cast(pl.Int64).alias("n_lines"),
            (pl.col("cost_source") == "unpriced").sum().cast(pl.Int64).alias("n_unpriced_lines"),
            pl.col("cost_usd").filter(pl.col("primary_cost_usd").is_not_null()).sum().alias("fallback_cost_usd"),
            pl.col("contracted_cost_usd")
            .filter(pl.col("standard_cost_usd").is_not_null())
            .sum()
            .alias("tiered_cost_usd"),
        ]
        return lines.group_by(by).agg(sums).sort(by, nulls_last=True) if by else lines.select(sums)

    def _call_sums(
        self, by: Sequence[str] = (), *, since: datetime | None = None, until: datetime | None = None, where: Any = None
    ) -> pl.DataFrame:
        hour = pl.col("started_at").dt.truncate("1h").alias("hour")
        attempts = _between(self.frames["attempts"], since, until, where).with_columns(hour)
        counts = [
            pl.len().cast(pl.Int64).alias("n_attempts"),
            pl.col("superseded").not_().sum().cast(pl.Int64).alias("n_calls"),
        ]
        return attempts.group_by(by).agg(counts).sort(by, nulls_last=True) if by else attempts.select(counts)

    def _distinct(self, name: str, column: str, **narrow: Any) -> pl.DataFrame:
        return self._table(name, **narrow).select(pl.col(column).drop_nulls().unique().sort())

    def _spans_of_run(self, run_id: str) -> pl.DataFrame:
        return self.frames["spans"].filter(pl.col("run_id") == run_id)


def packed(lines: pl.DataFrame, runs: pl.DataFrame | None = None, **told: Any) -> Pack:
    """Return the report of line items and of a cohort, with what the two rest on."""
    summed = Summed(Period("all", None, None), lines=lines, runs=runs, unit="workflow")
    return pack_of(lines, runs, disclosure_of(Known(empty_book().query, NOW), summed), **told)


def empty_book() -> FrameBook:
    return FrameBook({table.name: empty(table) for table in tables.TABLES})


def book_of(n_runs: int, *, unpriced: bool = False, seed: int = 7) -> FrameBook:
    """Return a book of `n_runs` runs over sixty days; with `unpriced`, contract_review's model has no price."""
    chance = random.Random(seed)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in ("runs", "attempts", "calls", "line_items", "spans")}
    step = (NOW - START) / max(n_runs, 1)
    for number in range(n_runs):
        _run(rows, chance, number, START + step * (number + 1), unpriced=unpriced)
    frames = {table.name: empty(table) for table in tables.TABLES}
    for name, dicts in rows.items():
        table = next(table for table in tables.TABLES if table.name == name)
        if dicts:
            frames[name] = conform(pl.DataFrame(dicts, infer_schema_length=None), table)
    return FrameBook(frames)


def _run(
    rows: dict[str, list[dict[str, Any]]], chance: random.Random, number: int, at: datetime, *, unpriced: bool
) -> None:
    workflow = chance.choices(list(WORKFLOWS), (6, 2, 4))[0]
    model, provider, price_in, price_out = WORKFLOWS[workflow]
    priced = not (unpriced and workflow == "contract_review")
    status = chance.choices(("success", "failure", "abandoned", None), (82, 9, 4, 5))[0]
    run_id = f"{number:032x}"
    owner = {
        "tenant": "default", "workflow": workflow, "customer_id": chance.choice(CUSTOMERS), "feature": None,
        "environment": "production", "release": "1.4.0" if number % 2 else "1.3.2", "service_name": "bot",
    }  # fmt: skip
    n_calls = {"support_reply": 2, "contract_review": 5, "invoice_extraction": 1}[workflow]
    clock, cost, lost, n_attempts = at, Decimal(0), Decimal(0), 0
    root = f"{number:015x}0"
    spans = [(root, None, workflow, at, None)]
    for call in range(n_calls):
        tries = 2 if chance.random() < 0.08 else 1
        for attempt in range(tries):
            n_attempts += 1
            span_id = f"{number:010x}{call:03x}{attempt + 1:03x}"
            seconds = chance.lognormvariate(0.4, 0.6)
            failed = attempt < tries - 1
            category = _category(status, failed=failed, chance=chance, call=call)
            tokens_in, tokens_out = chance.randint(800, 30_000), chance.randint(40, 1_500)
            attempt_id = f"{run_id}:{span_id}"
            rows["attempts"].append(
                owner
                | {
                    "attempt_id": attempt_id, "call_key": f"{run_id}:{call}", "trace_id": run_id, "span_id": span_id,
                    "run_id": run_id, "step": ("plan", "answer", "check")[call % 3], "operation": "inference",
                    "provider": provider, "model": model, "request_model": model, "deployment": "managed_api",
                    "started_at": clock, "ended_at": clock + timedelta(seconds=seconds), "latency_ms": seconds * 1000,
                    "attempt_number": attempt + 1, "attempt_reason": "first" if attempt == 0 else "retry",
                    "attempt_source": "recorded", "served_reason": "primary", "billed": True,
                    "status": "timeout" if category == "timeout" else "error" if failed else "ok",
                    "error_type": "TimeoutError" if category == "timeout" else None, "superseded": failed,
                    "gave_up": False, "looped": False, "rejected": False, "usage_missing": False,
                    "input_total_tokens": tokens_in, "output_total_tokens": tokens_out,
                    "input_uncached_tokens": tokens_in // 2, "input_cache_read_tokens": tokens_in - tokens_in // 2,
                    "output_text_tokens": tokens_out, "dialect": "tokenpnl", "flags": "",
                }
            )  # fmt: skip
            kinds = (
                ("input_uncached", tokens_in // 2, price_in, price_in),
                ("input_cache_read", tokens_in - tokens_in // 2, str(Decimal(price_in) / 10), price_in),
                ("output_text", tokens_out, price_out, price_out),
            )
            for kind, quantity, price, uncached in kinds:
                paid = Decimal(price) * quantity / 1_000_000 if priced else None
                rows["line_items"].append(
                    owner
                    | {
                        "line_id": f"{attempt_id}/{kind}", "attempt_id": attempt_id, "call_key": f"{run_id}:{call}",
                        "trace_id": run_id, "span_id": span_id, "run_id": run_id,
                        "step": ("plan", "answer", "check")[call % 3], "provider": provider, "model": model,
                        "deployment": "managed_api", "started_at": clock, "charge_category": "Usage",
                        "usage_kind": kind, "quantity": quantity, "list_cost_usd": paid,
                        "contracted_cost_usd": paid, "cost_usd": paid,
                        "list_unit_usd_per_million": Decimal(price) if priced else None,
                        "uncached_cost_usd": Decimal(uncached) * quantity / 1_000_000 if priced else None,
                        "cost_source": "computed" if priced else "unpriced", "price_version": "genai-prices 0.2.3",
                        "cost_category": category, "category_rule": "made by hand", "served_reason": "primary",
                        "flags": "",
                    }
                )  # fmt: skip
                if paid is not None:
                    cost += paid
                    lost += paid if category in ("timeout", "retry", "failed_run", "abandoned_run", "loop") else 0
            spans.append((span_id, root, f"chat {model}", clock, clock + timedelta(seconds=seconds)))
            clock += timedelta(seconds=seconds + 0.05)
        rows["calls"].append(
            owner
            | {
                "call_key": f"{run_id}:{call}", "trace_id": run_id, "span_id": spans[-1][0], "run_id": run_id,
                "step": "answer", "provider": provider, "model": model, "started_at": at, "ended_at": clock,
                "n_attempts": tries, "failed": False, "cached": False, "flags": "",
            }
        )  # fmt: skip
    rows["runs"].append(
        owner
        | {
            "run_id": run_id, "trace_id": run_id, "span_id": root, "workflow_derived": False, "started_at": at,
            "ended_at": clock, "latency_ms": (clock - at).total_seconds() * 1000, "failed": status == "failure",
            "n_spans": len(spans), "n_calls": n_calls, "n_attempts": n_attempts, "n_usage_missing": 0,
            "n_unpriced": 0 if priced else n_attempts, "outcome": status, "outcome_source": status and "reviewer",
            "value_usd": Decimal("1.50") if status == "success" else None,
            "outcome_at": status and at + timedelta(hours=3), "outcome_recorded_at": status and at + timedelta(hours=3),
            "cost_usd": cost if priced else None, "without_result_usd": lost if priced else None,
            "inline_evaluation_usd": Decimal(0), "offline_evaluation_usd": Decimal(0), "models": model, "flags": "",
        }
    )  # fmt: skip
    rows["spans"].extend(_spans(owner, run_id, spans, clock))


def _category(status: str | None, *, failed: bool, chance: random.Random, call: int) -> str:
    if failed:
        return chance.choice(("timeout", "retry", "schema_violation"))
    if call == 4:
        return "evaluation"
    by_status = {"failure": "failed_run", "abandoned": "abandoned_run", None: "pending"}
    if status in by_status:
        return by_status[status]
    return chance.choices(("productive", "fallback", "loop", "escalation"), (90, 4, 3, 3))[0]


def _spans(owner: dict[str, Any], run_id: str, spans: list[tuple[Any, ...]], end: datetime) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in owner.items() if key != "workflow"}
        | {
            "trace_id": run_id, "span_id": span_id, "parent_span_id": parent, "signal": "span", "name": name,
            "started_at": started, "ended_at": ended or end, "status_code": "unset", "dialect": "tokenpnl",
            "operation": "workflow" if parent is None else "inference", "run_id": run_id, "flags": "",
            "attributes_json": '{"http.response.status_code": 200}', "events_json": "[]", "links_json": "[]",
            "resource_hash": "r", "content_hash": span_id, "received_at": end, "batch_no": 1,
        }
        for span_id, parent, name, started, ended in spans
    ]  # fmt: skip


def _between(frame: pl.DataFrame, since: datetime | None, until: datetime | None, where: Any) -> pl.DataFrame:
    at = pl.col("started_at" if "started_at" in frame.columns else "effective_at")
    if since is not None:
        frame = frame.filter(at >= since)
    if until is not None:
        frame = frame.filter(at < until)
    for column, values in (where or {}).items():
        frame = frame.filter(pl.col(column).is_in(values, nulls_equal=True))
    return frame
