"""A real store with some of October in it, for the tests of closing; each call costs $0.021 at list price."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tokenpnl_analytics.rules.accounts import TEMPLATE
from tokenpnl_dashboard.book import open_book
from tokenpnl_dashboard.closing.months import Closing
from tokenpnl_dashboard.commands.ingest import load_files
from tokenpnl_ingest.control import ControlStore
from tokenpnl_ingest.home import Home

OCTOBER_5 = datetime(2026, 10, 5, 12, tzinfo=UTC)
NOVEMBER_5 = datetime(2026, 11, 5, 12, tzinfo=UTC)
DECEMBER_3 = datetime(2026, 12, 3, tzinfo=UTC)
USAGE = {"gen_ai.usage.input_tokens": 100_000, "gen_ai.usage.output_tokens": 10_000,
         "gen_ai.usage.cache_read.input_tokens": 0, "gen_ai.usage.cache_write.input_tokens": 0,
         "gen_ai.usage.reasoning.output_tokens": 0}  # fmt: skip


def _span(trace: int, number: int, at: datetime, **attributes: str | int) -> dict[str, Any]:
    start = int(at.timestamp()) * 1_000_000_000 + number * 1_000_000_000
    return {
        "traceId": f"{trace:032x}",
        "spanId": f"{trace:08x}{number:08x}",
        **({"parentSpanId": f"{trace:08x}{1:08x}"} if number > 1 else {}),
        "name": f"span {number}",
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 500_000_000),
        "attributes": [
            {"key": key, "value": {"intValue": value} if isinstance(value, int) else {"stringValue": value}}
            for key, value in attributes.items()
        ],
    }


def run(trace: int, at: datetime, *calls: int, model: str = "gpt-4o-mini") -> list[dict[str, Any]]:
    """Return the spans of run `run-<trace>`: its root, and the calls with these numbers, from 2."""
    root = {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "desk",
        "tokenpnl.run.id": f"run-{trace}",
        "deployment.environment.name": "production",
    }
    chat = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": model}
    return [_span(trace, 1, at, **root), *(_span(trace, number, at, **chat, **USAGE) for number in calls)]


def load(home: Home, *spans: dict[str, Any]) -> None:
    """Put spans into the store, and keep its books."""
    file = home.path / "capture.otlp.jsonl"
    document = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "lib"}, "spans": list(spans)}]}]}
    file.write_text(json.dumps(document) + "\n")
    load_files(home, (file,))


def furnished(folder: Path) -> Home:
    """Return a home with an account map, two runs in October and one in November."""
    home = Home.at(folder)
    home.config.mkdir(parents=True)
    (home.config / "accounts.yaml").write_text(TEMPLATE)
    load(home, *run(1, OCTOBER_5, 2, 3), *run(2, OCTOBER_5, 2), *run(3, NOVEMBER_5, 2))
    return home


@contextmanager
def closing_of(home: Home) -> Iterator[Closing]:
    """Give the months of a home."""
    with ControlStore.of(home) as control, open_book(home) as book:
        yield Closing(home, book, control)


def close(closing: Closing, month: str = "2026-10", *, now: datetime = DECEMBER_3) -> None:
    """Close a month without invoices, signed for."""
    closing.control.sign_off(month, "unreconciled", "no invoices in this test", actor="ann")
    closing.soft_close(month, preparer="ann", now=now)
    closing.close(month, preparer="ann", approver="bob", now=now)
