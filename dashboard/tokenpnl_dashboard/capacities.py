"""What the verb and the page of capacity ask: pools with their use, deployment options side by side."""

from datetime import datetime
from typing import Any

import polars as pl

from tokenpnl.tables import ATTEMPTS, LINE_ITEMS, METRICS, RUNS
from tokenpnl_analytics.capacity import CAPACITY_KINDS
from tokenpnl_analytics.deployments import compare
from tokenpnl_analytics.frames import conform
from tokenpnl_analytics.pools import pool_usage
from tokenpnl_analytics.rules.commitments import CommitmentsFile
from tokenpnl_analytics.rules.gpus import GpusFile
from tokenpnl_dashboard.book import Book

Window = dict[str, datetime | None]
BEGIN = """\
pools:
  - name: chat
    gpu: h100-80g
    usd_per_hour: 2.49        # of one accelerator
    gpus_per_replica: 1
    replicas: 2
    from: 2026-11-01
    match: {deployment: self_host}
"""


def pools(book: Book, gpus: GpusFile, commitments: CommitmentsFile, window: Window) -> pl.DataFrame:
    """Return what the pools and commitments of a period cost and how busy they were; see `pool_usage`."""
    lines = book.query("table", name=LINE_ITEMS.name, where={"usage_kind": list(CAPACITY_KINDS)}, **window)
    attempts = (
        book.query("table", name=ATTEMPTS.name, **window)
        if lines.height
        else book.query("table", name=ATTEMPTS.name, limit=0)
    )
    points = book.query("table", name=METRICS.name, **window)
    return pool_usage(
        conform(lines, LINE_ITEMS), conform(attempts, ATTEMPTS), conform(points, METRICS), gpus, commitments
    )


def options(book: Book, window: Window, where: dict[str, Any] | None = None) -> pl.DataFrame:
    """Return the deployment options of a period side by side, by workflow; see `compare`.

    Args:
        book: asked for lines, attempts and runs.
        window: since and until.
        where: values by column; idle capacity is spread over all workflows before any is left out.
    """
    tables = {
        table.name: conform(book.query("table", name=table.name, **window), table)
        for table in (LINE_ITEMS, ATTEMPTS, RUNS)
    }
    found = compare(tables[LINE_ITEMS.name], tables[ATTEMPTS.name], tables[RUNS.name])
    wanted = (where or {}).get("workflow")
    return found if wanted is None else found.filter(pl.col("workflow").is_in(wanted, nulls_equal=True))
