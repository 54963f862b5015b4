"""Line items of a book, for whoever needs them whole: exports, close, allocation; and what capacity cost each run."""

from datetime import UTC, datetime
from typing import Any

import polars as pl

from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.capacity.items import CAPACITY_KINDS
from tokenpnl_analytics.capacity.run_capacity import capacity_of_runs
from tokenpnl_analytics.frames import conform
from tokenpnl_analytics.periods import month_after
from tokenpnl_dashboard.book import Book


def line_items(
    book: Book, *, since: datetime | None = None, until: datetime | None = None, where: dict[str, Any] | None = None
) -> pl.DataFrame:
    """Return the line items that started in [since, until), sorted by start and id; table `line_items`."""
    found = book.query("table", name=LINE_ITEMS.name, since=since, until=until, where=where or {})
    return conform(found, LINE_ITEMS).sort("started_at", "line_id")


def run_capacity(book: Book, *, since: datetime | None, until: datetime | None) -> pl.DataFrame | None:
    """Return what GPUs and commitments cost each run of the period, as `cohort` takes it; None: there are none.

    Whole months (UTC) are read, because what a pool leaves idle is shared by the runs of a month.
    """
    first, last = whole_months(since, until)
    lines = line_items(book, since=first, until=last, where={"usage_kind": list(CAPACITY_KINDS)})
    return None if lines.is_empty() else capacity_of_runs(lines)


def whole_months(since: datetime | None, until: datetime | None) -> tuple[datetime | None, datetime | None]:
    """Return the span widened to whole months in UTC, and to the one after its end; None stays open."""
    first = None if since is None else _first_of_month(since)
    return first, None if until is None else month_after(_first_of_month(until))


def _first_of_month(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
