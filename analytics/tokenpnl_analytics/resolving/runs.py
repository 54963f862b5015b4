"""Runs: which spans are one, which spans belong to it, and whom it worked for."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from tokenpnl.model import Flag, Operation
from tokenpnl.tables import RUNS
from tokenpnl_analytics.flags import tidy, with_flags
from tokenpnl_analytics.frames import conform
from tokenpnl_analytics.resolving.context import OWNERS, Standing, derived_runs, places
from tokenpnl_analytics.resolving.forest import Forest, Rows


@dataclass(frozen=True)
class RunBook:
    """The runs and who belongs to them.

    Args:
        run: for each span the row of its run's span, `size` for none; one more entry than there are spans.
        runs: one row per run: `run` (the row), `run_id`, `workflow`, `workflow_derived`, owners, and its span's
            columns.
    """

    run: Rows
    runs: pl.DataFrame


def run_book(trees: Forest, stands: Standing, carriers: Rows) -> RunBook:
    """Return the runs of the spans.

    Args:
        trees: the spans.
        stands: where they stand.
        carriers: rows that carry a bill or a cached answer: only these make a plain root span a run.
    """
    derived = derived_runs(trees, stands, carriers)
    own = np.arange(trees.size) == stands.run[: trees.size]
    holder = _holders(trees, stands, derived)
    runs = _chosen(_run_spans(trees, np.flatnonzero(own | derived)))
    # Several spans may carry one run id: all of them lead to the span that stands for the run.
    lead = np.full(trees.size + 1, trees.size)
    lead[runs["member"].to_numpy()] = runs["run"].to_numpy()
    run = lead[holder]
    runs = runs.filter(pl.col("member") == pl.col("run")).drop("member")
    return RunBook(run=run, runs=_with_case_and_weight(trees, _with_owners(trees, stands, runs, run), run))


def _holders(trees: Forest, stands: Standing, derived: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Rows:
    holder = stands.run.copy()
    free = holder == trees.size
    tops = np.append(derived, False)
    by_root = np.where(tops[stands.root], stands.root, trees.size)
    # A trace of log records has no span that could be its run: its first record stands for it.
    first = trees.spans.select("trace", row=pl.when(pl.Series(derived)).then("row"))
    log_run = first.select(pl.col("row").min().over("trace").fill_null(trees.size))["row"].to_numpy()
    is_log = trees.mask(pl.col("signal") == "log")
    by_trace = np.append(np.where(is_log, log_run, trees.size), trees.size)
    holder[free] = np.where(by_root == trees.size, by_trace, by_root)[free]
    return holder


def _run_spans(trees: Forest, rows: Rows) -> pl.DataFrame:
    names = ("tenant", "trace_id", "span_id", "name", "operation", "workflow_name", "status_code", "signal")
    frame = trees.at(rows, *names, "started_at", "ended_at", "flags", "run_id", "trace").with_columns(
        row=pl.Series(rows)
    )
    alone = (pl.col("run_id").is_null().sum().over("trace") == 1) & pl.col("run_id").is_null()
    return frame.with_columns(
        run_id=pl.coalesce(
            "run_id",
            pl.when(alone).then("trace_id").otherwise(pl.concat_str("trace_id", pl.lit("/"), "span_id")),
        )
    )


def _chosen(spans: pl.DataFrame) -> pl.DataFrame:
    """Return each run span with the row that stands for its run: a workflow span, the earliest."""
    workflow = pl.col("operation") == Operation.WORKFLOW.value
    ranked = spans.with_columns(_workflow=workflow).sort(
        "tenant", "run_id", "_workflow", "started_at", "row", descending=[False, False, True, False, False]
    )
    return ranked.with_columns(run=pl.col("row").first().over("tenant", "run_id"), member="row").drop(
        "_workflow", "row"
    )


def _with_owners(trees: Forest, stands: Standing, runs: pl.DataFrame, run: Rows) -> pl.DataFrame:
    rows = runs["run"].to_numpy()
    where = places(trees, stands, rows)
    root_name = trees.at(stands.root[rows], "name")["name"]
    runs = runs.with_columns(
        workflow=pl.coalesce("workflow_name", root_name),
        workflow_derived=pl.col("workflow_name").is_null(),
        **{name: where[name] for name in OWNERS},
    )
    below = trees.spans.select(*OWNERS, run=pl.Series(run[: trees.size]))
    for name in OWNERS:
        if not runs[name].null_count():
            continue
        # A run takes an owner from below when all its spans that name one agree.
        told = below.filter(pl.col(name).is_not_null() & (pl.col("run") != trees.size))
        agreed = told.group_by("run").agg(pl.col(name).first().alias("_told"), n=pl.col(name).n_unique())
        runs = runs.join(agreed.filter(pl.col("n") == 1), on="run", how="left", maintain_order="left").with_columns(
            pl.coalesce(name, "_told").alias(name)
        )
        runs = runs.drop("_told", "n")
    return runs


def _with_case_and_weight(trees: Forest, runs: pl.DataFrame, run: Rows) -> pl.DataFrame:
    """Return the runs with the business id that they name, and with how many runs each stands for.

    The run span's own word counts, else what the spans of the run agree on. The unit of sampling is the trace: without
    a word of the run span the rarest of its spans decides, and one span of unknown probability makes it unknown.
    """
    rows = runs["run"].to_numpy()
    unknown = pl.col("flags").str.contains(Flag.SAMPLING_UNKNOWN.value)
    below = (
        trees.spans.select("business_id", "adjusted_count", unknown.alias("_unknown"), run=pl.Series(run[: trees.size]))
        .group_by("run")
        .agg(
            pl.col("adjusted_count").max().alias("_count"),
            pl.col("_unknown").any(),
            pl.when(pl.col("business_id").drop_nulls().n_unique() == 1)
            .then(pl.col("business_id").drop_nulls().first())
            .alias("_case"),
        )
    )
    own = trees.at(rows, "business_id", "adjusted_count")
    told = runs.with_columns(own).join(below, on="run", how="left", maintain_order="left")
    weightless = pl.col("adjusted_count").is_null() & pl.col("_unknown").fill_null(value=False)
    told = told.with_columns(
        pl.coalesce("business_id", "_case").alias("business_id"),
        pl.when(~weightless).then(pl.coalesce("adjusted_count", "_count")).alias("adjusted_count"),
    )
    return with_flags(told, {Flag.SAMPLING_UNKNOWN: weightless}).drop("_count", "_unknown", "_case")


def runs_table(trees: Forest, book: RunBook, attempts: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    """Return the table of runs; outcome and cost are NULL, because they are opinions of a later step.

    Args:
        trees: the spans.
        book: the runs.
        attempts: the attempts, with `run_id`.
        calls: the calls, with `run_id`.
    """
    spans = trees.spans.select(run=pl.Series(book.run[: trees.size])).filter(
        pl.Series(trees.mask(pl.col("signal") == "span"))
    )
    key = ["tenant", "run_id"]
    of_attempts = attempts.group_by(key).agg(
        n_attempts=pl.len(),
        n_usage_missing=pl.col("usage_missing").sum(),
        models=pl.col("model").drop_nulls().unique().sort().str.join(","),
    )
    counted = (
        book.runs.join(spans.group_by("run").agg(n_spans=pl.len()), on="run", how="left")
        .join(calls.group_by(key).agg(n_calls=pl.len()), on=key, how="left")
        .join(of_attempts, on=key, how="left")
    )
    counts = ("n_spans", "n_calls", "n_attempts", "n_usage_missing")
    return conform(
        tidy(counted)
        .with_columns(
            *(pl.col(name).fill_null(0) for name in counts),
            n_unpriced=pl.lit(0),
            failed=(pl.col("status_code") == "error").fill_null(value=False),
            latency_ms=(pl.col("ended_at") - pl.col("started_at")).dt.total_nanoseconds() / 1e6,
            models=pl.when(pl.col("models") != "").then("models"),
        )
        .sort("tenant", "run_id"),
        RUNS,
    )
