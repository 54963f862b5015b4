"""Call ids that emitters count up anew in every run: the same text, another call."""

import polars as pl

from tokenpnl_analytics.resolving.context import Standing
from tokenpnl_analytics.resolving.forest import Forest, Rows

_CALL = ["tenant", "call_id"]


def calls_apart(trees: Forest, stands: Standing, units: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """Return the spans with call ids of their own run where an id is used by several.

    An id is used again when an attempt of the same number starts in another run (or trace without one) after one had
    ended. Attempts of one call may well lie in several traces, but each number occurs once; two libraries that tell of
    the same attempt in two traces do so at the same time.

    Args:
        trees: where the rows come from.
        stands: the runs of the spans.
        units: one row per record of a model call.
        spans: any records with `row` and `call_id`.
    """
    told = units.filter(pl.all_horizontal(pl.col("call_id", "attempt_number").is_not_null()))
    told = told.with_columns(place=_places(trees, stands, told["row"].to_numpy()))
    again = (
        told.group_by(*_CALL, "attempt_number")
        .agg(apart=pl.col("ended_at").min() < pl.col("started_at").max(), n_places=pl.col("place").n_unique())
        .filter(pl.col("apart") & (pl.col("n_places") > 1))
        .select(_CALL)
        .unique()
    )
    if again.is_empty():
        return spans
    marked = spans.join(again.with_columns(used_again=True), on=_CALL, how="left", maintain_order="left")
    own = pl.format("{}:{}", _places(trees, stands, spans["row"].to_numpy()), "call_id")
    return marked.with_columns(call_id=pl.when("used_again").then(own).otherwise("call_id")).drop("used_again")


def _places(trees: Forest, stands: Standing, rows: Rows) -> pl.Series:
    run = trees.at(stands.run[rows], "trace_id", "span_id")
    own = pl.format("{}/{}", "trace_id", "span_id")
    return run.select(place=own)["place"].fill_null(trees.at(rows, "trace_id")["trace_id"])
