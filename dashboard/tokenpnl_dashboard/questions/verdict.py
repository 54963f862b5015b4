"""The verdict of a window of a book: what is asked of the book, and what analytics makes of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from tokenpnl.schema import Table
from tokenpnl.tables import ATTEMPTS, LINE_ITEMS, OUTCOMES, RUNS, SPANS
from tokenpnl_analytics.frames import conform, schema_of
from tokenpnl_analytics.periods import Period
from tokenpnl_analytics.rules.labels import LabelsFile
from tokenpnl_analytics.rules.outcomes import OutcomesFile
from tokenpnl_analytics.unit_cost.outcome_rules import windows_of
from tokenpnl_analytics.unit_cost.outcomes import known_at
from tokenpnl_analytics.unit_cost.units import PRODUCTION, cohort
from tokenpnl_analytics.verdict.report import Report, Traffic, reported
from tokenpnl_analytics.whatif.details import SPAN_COLUMNS, call_details
from tokenpnl_dashboard.book import Book
from tokenpnl_dashboard.questions.lines import run_capacity

Where = Mapping[str, list[str | None]]


def verdict_of(
    book: Book,
    period: Period,
    as_of: datetime,
    definitions: OutcomesFile,
    labels: LabelsFile,
    where: Where | None = None,
) -> Report:
    """Return the verdict on the runs that started in the period.

    Args:
        book: asked for runs, attempts, line items and what the spans say of prompts, outputs and routes.
        period: when runs started; what they cost counts whenever it was incurred.
        as_of: outcomes that became true later are not known.
        definitions: success definitions; give the outcome windows.
        labels: what people said of steps.
        where: accepted values by column of `runs`; production only unless `environment` is among them.
    """
    where = dict(where or {})
    runs = conform(_rows(book, RUNS, RUNS.names, period, where), RUNS)
    if not runs.filter(pl.col("outcome_at") > as_of).is_empty():
        runs = known_at(runs, conform(book.query("table", name=OUTCOMES.name), OUTCOMES), as_of, rules=definitions)
    ours = cohort(
        runs,
        as_of=as_of,
        windows=windows_of(definitions),
        environments=None if "environment" in where else PRODUCTION,
        capacity=run_capacity(book, since=period.since, until=period.until),
    )
    later = Period(since=period.since, until=None, label=period.label)
    spans = _rows(book, SPANS, SPAN_COLUMNS, later, {"operation": ["inference"]})
    traffic = Traffic(
        conform(_rows(book, ATTEMPTS, ATTEMPTS.names, later, where), ATTEMPTS),
        call_details(spans),
        conform(_rows(book, LINE_ITEMS, LINE_ITEMS.names, later, where), LINE_ITEMS),
        ours,
    )
    return reported(traffic, labels)


def _rows(book: Book, table: Table, columns: Sequence[str], period: Period, where: Where) -> pl.DataFrame:
    asked: dict[str, Any] = {"since": period.since, "until": period.until, "where": dict(where)}
    found = book.query("table", name=table.name, columns=list(columns), **asked)
    return found.cast({name: dtype for name, dtype in schema_of(table).items() if name in columns})
