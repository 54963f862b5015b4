"""Links: the keys by which traces must be resolved together, so that a component gives the same as the whole.

Two rows of one key link their traces when `scope_name` is NULL in one of them, or differs. An id links whoever carries
it; a usage tuple links only different libraries (or signals), so that a workload that one emitter describes stays a set
of single traces however alike its calls are.
"""

import numpy as np
import polars as pl

from tokenpnl.tables import LINKS
from tokenpnl_analytics.frames import conform
from tokenpnl_analytics.resolving.bill import MODEL_OPERATIONS, billed_operation
from tokenpnl_analytics.resolving.calls import ROOT_RETRY_WITHIN, root_family
from tokenpnl_analytics.resolving.duplicates import BUCKET_NS, SILENT_BUCKET_NS
from tokenpnl_analytics.resolving.pairs import groups
from tokenpnl_analytics.resolving.usage import has_usage

_RETRY_NS = int(ROOT_RETRY_WITHIN.total_seconds()) * 10**9


def link_keys(spans: pl.DataFrame) -> pl.DataFrame:
    """Return the table of links of some spans, sorted, without repetition.

    Args:
        spans: rows of the table `spans`.
    """
    told = spans.filter(pl.col("operation").is_in(MODEL_OPERATIONS) | has_usage()).with_columns(
        operation=billed_operation(),
        _end=pl.coalesce("ended_at", "started_at"),
        _known=pl.col("input_tokens").is_not_null() | pl.col("output_tokens").is_not_null(),
        _in=pl.col("input_tokens").fill_null(-1),
        _out=pl.col("output_tokens").fill_null(-1),
    )
    span, scope = pl.col("signal") == "span", pl.col("scope_name").fill_null("")
    failed = (pl.col("status_code") == "error").fill_null(value=False)
    timed = told.filter(span & pl.col("ended_at").is_not_null())
    usage, log = pl.format("usage {} {} {}", "operation", "_in", "_out"), pl.format("log {} {}", "dialect", "_in")
    silent = pl.format("silent {} {} {}", "operation", failed, "resource_hash")
    retry = pl.format("retry {} {} {}", scope, "operation", root_family())
    record = pl.when(span).then(pl.lit("")).otherwise("name")
    roots = told.filter(span & pl.col("parent_span_id").is_null())
    every = [
        _keys(spans, pl.format("run {}", "run_id")),
        _keys(spans, pl.format("call {}", "call_id")),
        # A statement about a case goes to one of its runs: which one is known only where all are seen.
        _keys(spans, pl.format("case {}", "business_id")),
        _keys(told.filter(pl.col("response_id") != ""), pl.format("id {}", "response_id")),
        *_near(timed.filter("_known"), usage, "started_at", BUCKET_NS, scope),
        *_near(timed.filter(~pl.col("_known")), silent, "started_at", SILENT_BUCKET_NS, scope),
        *_near(told.filter(has_usage()), log, "_end", BUCKET_NS, record),
        # Only after a failure is the next one a retry: answers alone do not link.
        *_near(roots, retry, "_end", _RETRY_NS, pl.when(~failed).then(pl.lit("answered"))),
        *_near(roots, retry, "started_at", _RETRY_NS, pl.when(~failed).then(pl.lit("answered"))),
    ]
    links = pl.concat(every).filter(pl.col("key").is_not_null())
    return conform(links.unique().sort("tenant", "key", "trace_id", "scope_name"), LINKS)


def _near(rows: pl.DataFrame, key: pl.Expr, moment: str, bucket_ns: int, scope: pl.Expr) -> list[pl.DataFrame]:
    """Return keys that two rows share when their moments lie in the same or in neighbouring buckets."""
    bucket = pl.col(moment).dt.epoch("ns") // bucket_ns
    return [_keys(rows, pl.format("{} {}", key, bucket + later), scope) for later in (0, 1)]


def _keys(rows: pl.DataFrame, key: pl.Expr, scope: pl.Expr | None = None) -> pl.DataFrame:
    who = pl.lit(None, pl.String) if scope is None else scope
    return rows.select("tenant", "trace_id", key=key, scope_name=who)


def components(links: pl.DataFrame) -> pl.DataFrame:
    """Return which traces must be resolved together.

    Args:
        links: rows of the table `links`.

    Returns:
        `tenant`, `trace_id`, `component` (a number, equal for traces that hang together), one row per trace of
        `links`, sorted by tenant and trace.
    """
    traces = links.select("tenant", "trace_id").unique().sort("tenant", "trace_id").with_row_index("at")
    numbered = links.join(traces, on=["tenant", "trace_id"])
    key = ["tenant", "key"]
    scope = pl.col("scope_name")
    joining = numbered.filter(scope.is_null() | (scope.n_unique() > 1).over(key))
    pairs = joining.select(left=pl.col("at").min().over(key), right="at").filter(pl.col("left") != pl.col("right"))
    label = groups(traces.height, pairs.unique())
    return traces.with_columns(component=pl.Series(label.astype(np.int64), dtype=pl.Int64)).drop("at")
