"""A collector and a bookkeeper without threads of its own, and OTLP/JSON spans to feed them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from tokenpnl_analytics.ledger import Bookkeeper, Policy, Standing
from tokenpnl_analytics.pricing.ratecard import default_rate_card
from tokenpnl_ingest.collector import Collector
from tokenpnl_ingest.home import Home
from tokenpnl_ingest.otlp import Signal

START_NS = 1_795_000_000_000_000_000
SECOND_NS = 1_000_000_000
Span = dict[str, Any]


def span(trace: int, number: int, *, parent: int | None = None, scope: str = "lib", **attributes: str | int) -> Span:
    """Return one OTLP/JSON span of a trace, a second after the span before it."""
    start = START_NS + (trace * 100 + number) * SECOND_NS
    return {
        "scope": scope,
        "traceId": f"{trace:032x}",
        "spanId": f"{trace * 1000 + number:016x}",
        **({"parentSpanId": f"{trace * 1000 + parent:016x}"} if parent is not None else {}),
        "name": str(attributes.get("name", "chat")),
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + SECOND_NS // 2),
        "attributes": [
            {"key": key, "value": {"intValue": value} if isinstance(value, int) else {"stringValue": value}}
            for key, value in attributes.items()
        ],
    }


def call(trace: int, number: int, **more: Any) -> Span:
    usage = {"gen_ai.usage.input_tokens": 1000 + number, "gen_ai.usage.output_tokens": 100 + trace}
    asked = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.provider.name": "openai"}
    return span(trace, number, **{**asked, **usage, **more})


def run(trace: int, run_id: str, **more: str) -> Span:
    own = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "desk", "tokenpnl.run.id": run_id}
    named = own | more
    return span(trace, 0, **named)


def traces(spans: Sequence[Span]) -> bytes:
    groups = [
        {"scope": {"name": one["scope"]}, "spans": [{key: one[key] for key in one if key != "scope"}]} for one in spans
    ]
    return json.dumps({"resourceSpans": [{"resource": {}, "scopeSpans": groups}]}).encode()


def outcome(run_id: str, status: str, at: str) -> bytes:
    told = {"tokenpnl.run.id": run_id, "tokenpnl.outcome.status": status, "tokenpnl.outcome.at": at}
    record = {
        "timeUnixNano": str(START_NS),
        "eventName": "tokenpnl.outcome",
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in told.items()],
    }
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()


class Desk:
    """A collector and a bookkeeper without threads of its own: it books when asked."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.keeper = Bookkeeper(collector.store, Standing(Policy(default_rate_card())))

    def take(self, spans: Sequence[Span]) -> None:
        self._take(Signal.TRACES, traces(spans))

    def tell(self, run_id: str, status: str, at: str = "2026-11-20T00:00:00Z") -> None:
        self._take(Signal.LOGS, outcome(run_id, status, at))

    def _take(self, signal: Signal, body: bytes) -> None:
        assert self.collector.submit(signal, body, "application/json").result(30).refused == 0
        assert self.collector.drain(30)
        self.keeper.catch_up()

    def table(self, name: str) -> pl.DataFrame:
        frame = pl.DataFrame(self.collector.store.query("table", name=name))
        return frame.drop("outcome_recorded_at", strict=False).sort(frame.columns[1:3])


@contextmanager
def desk_at(path: Path) -> Iterator[Desk]:
    with Collector(Home.at(path)) as collector:
        yield Desk(collector)
