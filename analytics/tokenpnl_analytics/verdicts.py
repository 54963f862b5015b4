"""Verdicts: what a program said about an attempt's output once the span of the attempt had ended."""

import polars as pl

from tokenpnl_analytics.bill import MODEL_OPERATIONS

_ATTEMPT = ("tenant", "call_id", "attempt_number")
_VERDICT = ("output_valid", "parse_error")


def with_verdicts(units: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """Return the records of model calls with the verdicts that other spans carry.

    A span that is no model call, yet names a call and the number of an attempt, speaks about that attempt: an ended
    span cannot change, so a late verdict comes on a span of its own. The latest verdict holds. Such a span is no step,
    call or attempt itself.

    Args:
        units: one row per record of a model call.
        spans: every span, with the columns of the table `spans`.
    """
    late = (
        spans.filter(
            (pl.col("signal") == "span")
            & ~pl.col("operation").is_in(MODEL_OPERATIONS)
            & pl.all_horizontal(pl.col(*_ATTEMPT[1:], "output_valid").is_not_null())
        )
        .sort("started_at", "content_hash")
        .unique(_ATTEMPT, keep="last", maintain_order=True)
        .select(*_ATTEMPT, *(pl.col(name).alias(f"{name}_late") for name in _VERDICT))
    )
    if late.is_empty():
        return units
    told = units.join(late, on=_ATTEMPT, how="left", maintain_order="left")
    return told.with_columns(pl.coalesce(f"{name}_late", name).alias(name) for name in _VERDICT).drop(
        f"{name}_late" for name in _VERDICT
    )
