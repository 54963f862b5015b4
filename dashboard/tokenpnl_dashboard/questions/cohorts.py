"""Rows of a window and the cohort of its runs, as what-if and the verdict both take them from a book."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from tokenpnl.schema import Table
from tokenpnl.tables import OUTCOMES, RUNS
from tokenpnl_analytics.frames import conform, schema_of
from tokenpnl_analytics.rules.outcomes import OutcomesFile
from tokenpnl_analytics.unit_cost.outcome_rules import windows_of
from tokenpnl_analytics.unit_cost.outcomes import known_at
from tokenpnl_analytics.unit_cost.units import PRODUCTION, cohort
from tokenpnl_dashboard.book import Book
from tokenpnl_dashboard.questions.lines import run_capacity

Bounds = tuple[datetime | None, datetime | None]
Where = Mapping[str, Sequence[str | None]]


def rows_of(book: Book, table: Table, columns: Sequence[str], bounds: Bounds, where: Where) -> pl.DataFrame:
    """Return some columns of the rows that started in [since, until), with the types of the table's contract."""
    asked: dict[str, Any] = {"since": bounds[0], "until": bounds[1], "where": dict(where)}
    found = book.query("table", name=table.name, columns=list(columns), **asked)
    return found.cast({name: dtype for name, dtype in schema_of(table).items() if name in columns})


def cohort_of(book: Book, definitions: OutcomesFile, bounds: Bounds, where: Where, *, as_of: datetime) -> pl.DataFrame:
    """Return the result of `cohort` for the runs that started in the window, with the outcomes known at `as_of`.

    Production runs only, unless `environment` is among the columns of `where`.
    """
    runs = conform(rows_of(book, RUNS, RUNS.names, bounds, where), RUNS)
    if not runs.filter(pl.col("outcome_at") > as_of).is_empty():
        runs = known_at(runs, conform(book.query("table", name=OUTCOMES.name), OUTCOMES), as_of, rules=definitions)
    return cohort(
        runs,
        as_of=as_of,
        windows=windows_of(definitions),
        environments=None if "environment" in where else PRODUCTION,
        capacity=run_capacity(book, since=bounds[0], until=bounds[1]),
    )
