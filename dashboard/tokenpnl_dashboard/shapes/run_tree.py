"""The spans of one run in reading order: parents before children, on one clock, repeats folded when there are many."""

from typing import Any

import polars as pl

from tokenpnl_dashboard import words

FOLD_FROM = 300
LONG_WAIT_MS = 60_000
LONG_WAIT_TIMES = 2

COLUMNS = pl.Schema(
    {
        "span_id": pl.String(),
        "trace_id": pl.String(),
        "label": pl.String(),
        "offset_ms": pl.Float64(),
        "duration_ms": pl.Float64(),
        "cost_usd": pl.Decimal(38, 12),
        "cost_category": pl.String(),
        "note": pl.String(),
        "n_spans": pl.Int64(),
    }
)


def run_tree(spans: pl.DataFrame, costs: pl.DataFrame, attempts: pl.DataFrame) -> pl.DataFrame:
    """Return one row a span, children below their parent in the order of their start.

    Args:
        spans: `span_id`, `trace_id`, `parent_span_id`, `name`, `started_at`, `ended_at`, `error_type`, `status_code`.
        costs: one row a span that costs something: `span_id`, `cost_usd`, `cost_category` (its dearest).
        attempts: `span_id`, `attempt_number`, `status`.

    Returns:
        The columns of `COLUMNS`; `offset_ms` counts from the first start, long waits cut short (`note` says how long);
        `duration_ms` is null for a span that never ended. More than `FOLD_FROM` spans: siblings of one name and
        category without children are one row.
    """
    if spans.is_empty():
        return pl.DataFrame(schema=COLUMNS)
    priced = costs.select("span_id", "cost_usd", "cost_category")
    tried = (
        attempts.sort("attempt_number")
        .group_by("span_id", maintain_order=True)
        .agg(pl.col("status").last(), pl.col("attempt_number").last())
    )
    rows = (
        spans.unique("span_id", keep="last", maintain_order=True)
        .join(priced, on="span_id", how="left", maintain_order="left")
        .join(tried, on="span_id", how="left", maintain_order="left")
        .with_columns(
            offset_ms=(pl.col("started_at") - pl.col("started_at").min()).dt.total_nanoseconds() / 1e6,
            duration_ms=(pl.col("ended_at") - pl.col("started_at")).dt.total_nanoseconds() / 1e6,
            note=_note(),
            n_spans=pl.lit(1, pl.Int64),
        )
        .sort("started_at", "span_id")
    )
    rows = _without_long_waits(rows)
    if rows.height > FOLD_FROM:
        rows = _fold(rows)
    return _depth_first(rows.to_dicts())


def _note() -> pl.Expr:
    failed = pl.coalesce("error_type", pl.when(pl.col("status_code") == "error").then(pl.lit("error")))
    again = pl.when(pl.col("attempt_number") > 1).then(pl.format("attempt {}", "attempt_number"))
    return pl.concat_str(again, failed, separator=", ", ignore_nulls=True).replace("", None)


def _without_long_waits(rows: pl.DataFrame) -> pl.DataFrame:
    """Cut waits that dwarf the work, such as the hours until a judge reads the run, to a tenth of the work."""
    ended = (pl.col("offset_ms") + pl.col("duration_ms").fill_null(0.0)).cum_max()
    waits = rows.with_columns(wait_ms=(pl.col("offset_ms") - ended.shift(1)).clip(lower_bound=0.0).fill_null(0.0))
    work_ms = waits.select(ended.max() - pl.col("wait_ms").sum()).item()
    long = pl.col("wait_ms") > max(LONG_WAIT_MS, LONG_WAIT_TIMES * work_ms)
    cut = pl.when(long).then(pl.col("wait_ms") - work_ms / 10).otherwise(0.0)
    later = pl.when(long).then(pl.col("wait_ms").map_batches(_later, return_dtype=pl.String))
    return waits.with_columns(
        offset_ms=pl.col("offset_ms") - cut.cum_sum(),
        note=pl.concat_str(later, "note", separator=", ", ignore_nulls=True).replace("", None),
    ).drop("wait_ms")


def _later(waits_ms: pl.Series) -> pl.Series:
    return pl.Series([f"{words.duration(wait)} later" for wait in waits_ms], dtype=pl.String)


def _fold(rows: pl.DataFrame) -> pl.DataFrame:
    parents = rows["parent_span_id"].drop_nulls().unique().implode()
    leaves = rows.filter(~pl.col("span_id").is_in(parents))
    end = (pl.col("offset_ms") + pl.col("duration_ms").fill_null(0.0)).max()
    folded = leaves.group_by("parent_span_id", "name", "cost_category", "note", maintain_order=True).agg(
        pl.exclude("offset_ms", "duration_ms", "cost_usd", "n_spans").first(),
        pl.col("offset_ms").min(),
        (end - pl.col("offset_ms").min()).alias("duration_ms"),
        pl.col("cost_usd").sum(),
        pl.col("n_spans").sum(),
    )
    return pl.concat([rows.filter(pl.col("span_id").is_in(parents)), folded], how="diagonal").sort(
        "offset_ms", "span_id"
    )


def _depth_first(rows: list[dict[str, Any]]) -> pl.DataFrame:
    known = {row["span_id"] for row in rows}
    below: dict[str | None, list[dict[str, Any]]] = {}
    for row in rows:
        parent = row["parent_span_id"]
        # A span whose parent was not captured, or that names itself, stands at the top.
        below.setdefault(parent if parent in known and parent != row["span_id"] else None, []).append(row)
    ordered: list[dict[str, Any]] = []
    seen: set[str] = set()
    stack = [(row, 0) for row in reversed(below.get(None, []))]
    while stack:
        row, depth = stack.pop()
        seen.add(row["span_id"])
        repeats = f" ×{row['n_spans']}" if row["n_spans"] > 1 else ""
        row["label"] = "\u2002" * min(depth, 6) + row["name"] + repeats
        ordered.append(row)
        stack.extend((child, depth + 1) for child in reversed(below.get(row["span_id"], [])))
    # Spans that are their own ancestors hang below no top; they are shown flat rather than lost.
    ordered.extend({**row, "label": row["name"]} for row in rows if row["span_id"] not in seen)
    return pl.DataFrame(ordered, schema_overrides=COLUMNS).select(
        pl.col(name).cast(dtype) for name, dtype in COLUMNS.items()
    )
