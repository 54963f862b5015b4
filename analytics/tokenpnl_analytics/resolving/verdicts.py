"""Verdicts: what a program said about an attempt's output once the span of the attempt had ended."""

import polars as pl

from tokenpnl_analytics.resolving.bill import MODEL_OPERATIONS

_ATTEMPT = ("tenant", "call_id", "attempt_number")
_VERDICT = ("output_valid", "parse_error")


def late_verdicts(spans: pl.DataFrame) -> pl.DataFrame:
    """Return the spans that speak about an attempt: no model call, yet they name a call and an attempt's number.

    Args:
        spans: every span, with the columns of the table `spans`.
    """
    about = pl.all_horizontal(pl.col(*_ATTEMPT[1:], "output_valid").is_not_null())
    return spans.filter((pl.col("signal") == "span") & ~pl.col("operation").is_in(MODEL_OPERATIONS) & about)


def with_verdicts(units: pl.DataFrame, late: pl.DataFrame) -> pl.DataFrame:
    """Return the records of model calls with the verdicts that came on spans of their own; the latest one holds.

    An ended span cannot change, so a late verdict needs another span. It is no step, call or attempt itself.

    Args:
        units: one row per record of a model call.
        late: result of `late_verdicts`.
    """
    if late.is_empty():
        return units
    last = (
        late.sort("started_at", "content_hash")
        .unique(_ATTEMPT, keep="last", maintain_order=True)
        .select(*_ATTEMPT, *(pl.col(name).alias(f"{name}_late") for name in _VERDICT))
    )
    told = units.join(last, on=_ATTEMPT, how="left", maintain_order="left")
    return told.with_columns(pl.coalesce(f"{name}_late", name).alias(name) for name in _VERDICT).drop(
        f"{name}_late" for name in _VERDICT
    )
