"""What-if: the frozen baseline of a book, and a scenario file replayed on it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from tokenpnl.schema import Table
from tokenpnl.tables import ATTEMPTS, LINE_ITEMS, OUTCOMES, RUNS, SPANS
from tokenpnl_analytics.frames import conform, schema_of
from tokenpnl_analytics.rules.outcomes import OUTCOMES as DEFINITIONS
from tokenpnl_analytics.unit_cost.outcome_rules import windows_of
from tokenpnl_analytics.unit_cost.outcomes import known_at
from tokenpnl_analytics.unit_cost.units import PRODUCTION, cohort
from tokenpnl_analytics.whatif.baseline import Baseline, frozen
from tokenpnl_analytics.whatif.details import SPAN_COLUMNS, call_details
from tokenpnl_dashboard.book import Book
from tokenpnl_dashboard.questions.lines import run_capacity
from tokenpnl_dashboard.rules.configuration import Configuration
from tokenpnl_dashboard.rules.pricing import card_of_home
from tokenpnl_ingest.home import Home

Window = tuple[datetime, datetime]
Where = Mapping[str, list[str | None]]
_COST = ("tenant", "attempt_id", "usage_kind", "pool", "cost_source", "cost_usd")
_MODEL_CALLS = ("inference", "embedding", "rerank")


def baseline_of(book: Book, home: Home, window: Window, where: Where | None = None) -> Baseline:
    """Return the frozen baseline of a window: attempts with their cost, what spans say of them, runs, prices in force.

    Args:
        book: asked for attempts, line items (capacity among them), spans and runs that started in the window.
        home: its prices and success definitions.
        window: since and until, aware; outcomes are read as known at `until` or later, the newest there are.
        where: accepted values by column of `runs`; production runs only unless `environment` is among them.
    """
    where = dict(where or {})
    definitions = Configuration.of(home).read(DEFINITIONS)
    as_of = book.version().newest_at or window[1]
    runs = conform(_rows(book, RUNS, RUNS.names, window, where), RUNS)
    if not runs.filter(pl.col("outcome_at") > as_of).is_empty():
        runs = known_at(runs, conform(book.query("table", name=OUTCOMES.name), OUTCOMES), as_of, rules=definitions)
    settled = cohort(
        runs,
        as_of=as_of,
        windows=windows_of(definitions),
        environments=None if "environment" in where else PRODUCTION,
        capacity=run_capacity(book, since=window[0], until=window[1]),
    )
    spans = _rows(book, SPANS, SPAN_COLUMNS, window, {"operation": list(_MODEL_CALLS)})
    return frozen(
        conform(_rows(book, ATTEMPTS, ATTEMPTS.names, window, where), ATTEMPTS),
        _rows(book, LINE_ITEMS, _COST, window, where),
        call_details(spans),
        settled,
        card=card_of_home(home)[0],
        window=window,
    )


def _rows(book: Book, table: Table, columns: Sequence[str], window: Window, where: Where) -> pl.DataFrame:
    asked: dict[str, Any] = {"since": window[0], "until": window[1], "where": dict(where)}
    found = book.query("table", name=table.name, columns=list(columns), **asked)
    return found.cast({name: dtype for name, dtype in schema_of(table).items() if name in columns})
