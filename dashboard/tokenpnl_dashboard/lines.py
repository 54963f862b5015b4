"""Line items of a book, for whoever needs them whole: exports, close, allocation, budgets."""

from datetime import datetime
from typing import Any

import polars as pl

from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.frames import conform
from tokenpnl_dashboard.book import Book


def line_items(
    book: Book, *, since: datetime | None = None, until: datetime | None = None, where: dict[str, Any] | None = None
) -> pl.DataFrame:
    """Return the line items that started in [since, until), sorted by start and id; table `line_items`."""
    found = book.query("table", name=LINE_ITEMS.name, since=since, until=until, where=where or {})
    return conform(found, LINE_ITEMS).sort("started_at", "line_id")
