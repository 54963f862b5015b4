"""Links: the keys by which traces must be resolved together, so that a component gives the same as the whole.

Two rows of one key link their traces when `scope_name` is NULL in both, or differs. An id links whoever carries it; a
usage tuple links only different libraries (or signals), so that a workload that one emitter describes stays a set of
single traces however alike its calls are.
"""

import numpy as np
import polars as pl

from tokenpnl.tables import LINKS
from tokenpnl_analytics.bill import MODEL_OPERATIONS
from tokenpnl_analytics.duplicates import BUCKET_NS, model_key
from tokenpnl_analytics.frames import conform
from tokenpnl_analytics.pairs import groups
from tokenpnl_analytics.usage import has_usage


def link_keys(spans: pl.DataFrame) -> pl.DataFrame:
    """Return the table of links of some spans, sorted, without repetition.

    Args:
        spans: rows of the table `spans`.
    """
    told = spans.filter(pl.col("operation").is_in(MODEL_OPERATIONS) | has_usage()).with_columns(
        _start=pl.col("started_at").dt.epoch("ns") // BUCKET_NS,
        _end=pl.coalesce("ended_at", "started_at").dt.epoch("ns") // BUCKET_NS,
        _known=pl.col("input_tokens").is_not_null() | pl.col("output_tokens").is_not_null(),
        _model=pl.coalesce(model_key("request_model"), model_key("response_model")).fill_null(""),
        _in=pl.col("input_tokens").fill_null(-1),
        _out=pl.col("output_tokens").fill_null(-1),
    )
    span = pl.col("signal") == "span"
    scope = pl.col("scope_name").fill_null("")
    usage = pl.format("usage {} {} {} ", "operation", "_in", "_out")
    silent = pl.format(
        "silent {} {} {} ", "operation", "_model", (pl.col("status_code") == "error").fill_null(value=False)
    )
    record = pl.when(span).then(pl.lit("")).otherwise("name")
    ids = [
        _keys(spans, pl.format("run {}", "run_id")),
        _keys(told, pl.format("call {}", "call_id")),
        _keys(told.filter(pl.col("response_id") != ""), pl.format("id {}", "response_id")),
    ]
    near = [
        _keys(
            told.filter(span & pl.col("ended_at").is_not_null()),
            pl.concat_str(pl.when("_known").then(usage).otherwise(silent), pl.col("_start") + later),
            scope,
        )
        for later in (0, 1)
    ]
    logs = [
        _keys(told.filter(has_usage()), pl.format("log {} {} {}", "dialect", "_in", pl.col("_end") + later), record)
        for later in (0, 1)
    ]
    every = pl.concat([*ids, *near, *logs]).filter(pl.col("key").is_not_null())
    return conform(every.unique().sort("tenant", "key", "trace_id", "scope_name"), LINKS)


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
