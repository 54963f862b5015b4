"""What the verb and the page of capacity ask: pools with their use, deployment options side by side."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import polars as pl

from tokenpnl.schema import Table
from tokenpnl.tables import ATTEMPTS, LINE_ITEMS, METRICS, RUNS
from tokenpnl_analytics.capacity.deployments import Where, compare
from tokenpnl_analytics.capacity.items import CAPACITY_KINDS
from tokenpnl_analytics.capacity.pools import pool_usage
from tokenpnl_analytics.capacity.prepaid import balances, usage_by_day
from tokenpnl_analytics.frames import schema_of
from tokenpnl_analytics.rules.commitments import CommitmentsFile, Prepaid
from tokenpnl_analytics.rules.gpus import GpusFile
from tokenpnl_dashboard.book import Book

_PAID = (
    *("tenant", "attempt_id", "workflow", "deployment", "pool", "started_at", "usage_kind", "quantity", "cost_usd"),
    *("cost_source", "cost_category"),
)
_SERVED = (
    *("tenant", "attempt_id", "call_key", "workflow", "service_name", "provider", "model", "deployment"),
    *("service_tier", "region", "gpu_type", "gpu_replica", "started_at", "latency_ms"),
    *("input_total_tokens", "output_total_tokens"),
)
_OWNERS = ("customer_id", "environment")
_MEASURED = ("tenant", "name", "measured_at", "value", "gpu_replica", "model", "resource_hash")
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
_CREDITED = ("provider", "usage_kind", "charge_category", "cost_source", "started_at", "contracted_cost_usd")


def pools(book: Book, gpus: GpusFile, commitments: CommitmentsFile, window: Window) -> pl.DataFrame:
    """Return what the pools and commitments of a period cost and how busy they were; see `pool_usage`."""
    lines = _rows(book, LINE_ITEMS, _PAID, window, where={"usage_kind": list(CAPACITY_KINDS)})
    # Without capacity no attempt is of interest.
    attempts = _rows(book, ATTEMPTS, (*_SERVED, *_OWNERS), window, **({} if lines.height else {"limit": 0}))
    return pool_usage(lines, attempts, _rows(book, METRICS, _MEASURED, window), gpus, commitments)


def options(book: Book, window: Window, where: Where | None = None) -> pl.DataFrame:
    """Return the deployment options of a period side by side, by workflow; see `compare`.

    Args:
        book: asked for lines, attempts and runs.
        window: since and until.
        where: values by owner column.
    """
    lines = _rows(book, LINE_ITEMS, (*_PAID, *_OWNERS), window)
    attempts = _rows(book, ATTEMPTS, (*_SERVED, *_OWNERS), window)
    return compare(lines, attempts, _rows(book, RUNS, ("workflow", *_OWNERS, "outcome"), window), where)


def credit(book: Book, stated: Sequence[Prepaid], *, as_of: date) -> pl.DataFrame:
    """Return what each prepaid credit came to by a day; result of `prepaid.balances`."""
    return balances(stated, contracted_usage(book, stated), as_of=as_of)


def contracted_usage(book: Book, stated: Sequence[Prepaid]) -> pl.DataFrame:
    """Return the usage that credit can have paid, from the first purchase on; result of `usage_by_day`."""
    days = [each.bought_on for each in stated]
    since = datetime.combine(min(days), time(), UTC) if days else None
    where = {"provider": sorted({each.provider for each in stated})}
    return usage_by_day(_rows(book, LINE_ITEMS, _CREDITED, {"since": since}, where=where))


def _rows(book: Book, table: Table, columns: Sequence[str], window: Window, **narrow: Any) -> pl.DataFrame:
    found = book.query("table", name=table.name, columns=list(columns), **window, **narrow)
    return found.cast({name: dtype for name, dtype in schema_of(table).items() if name in columns})
