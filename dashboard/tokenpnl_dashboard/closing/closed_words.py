"""Closed months in sentences: at what they were closed, and how they read now."""

import polars as pl

from tokenpnl_analytics.frames import MONEY, TIME, known_sum
from tokenpnl_analytics.periods import Period
from tokenpnl_dashboard import words
from tokenpnl_dashboard.closing.months import Closing
from tokenpnl_ingest.control import Close, CloseState


def sentences(closing: Closing, period: Period) -> list[str]:
    """Return a sentence for each closed month that the period touches, oldest first."""
    return [_sentence(closing, step.month) for step in _touched(closing, period)]


def restated_months(closing: Closing, period: Period) -> pl.DataFrame:
    """Return the closed months that the period touches, oldest first: as closed, as they read now, the difference.

    Returns:
        `period` (begin of the month, UTC), `as_closed_usd, restated_usd, difference_usd`.
    """
    money = dict.fromkeys(("as_closed_usd", "restated_usd", "difference_usd"), MONEY)
    rows = []
    for step in _touched(closing, period):
        then, now = closing.restated(step.month, ()).select("as_closed_usd", "now_usd").row(0)
        rows.append((step.since, then, now, None if then is None or now is None else now - then))
    return pl.DataFrame(rows, schema={"period": TIME, **money}, orient="row")


def restated_by(closing: Closing, period: Period, column: str) -> pl.DataFrame:
    """Return the closed months that the period touches by a column of the line items: as closed, as they read now.

    Returns:
        `column`, `as_closed_usd, restated_usd, difference_usd` over all these months, sorted; money is NULL where no
        month knows it.
    """
    months = [closing.restated(step.month, (column,)) for step in _touched(closing, period)]
    if not months:
        money = dict.fromkeys(("as_closed_usd", "restated_usd", "difference_usd"), MONEY)
        return pl.DataFrame(schema={column: pl.String, **money})
    summed = pl.concat(months).group_by(column).agg(known_sum(pl.col(name)) for name in ("as_closed_usd", "now_usd"))
    return summed.sort(column, nulls_last=True).select(
        column,
        "as_closed_usd",
        pl.col("now_usd").alias("restated_usd"),
        (pl.col("now_usd") - pl.col("as_closed_usd")).alias("difference_usd"),
    )


def _touched(closing: Closing, period: Period) -> list[Close]:
    closed = [step for step in closing.control.closes() if step.state is CloseState.CLOSED]
    return [
        step
        for step in sorted(closed, key=lambda step: step.month)
        if (period.until is None or step.since < period.until) and (period.since is None or step.until > period.since)
    ]


def _sentence(closing: Closing, month: str) -> str:
    closed_at, now = closing.restated(month, ()).select("as_closed_usd", "now_usd").row(0)
    if closed_at == now:
        return f"{month} is closed at {words.usd(closed_at)} and reads so now."
    return (
        f"{month} is closed at {words.usd(closed_at)} and reads {words.usd(now)} now, as shown here; the open month "
        "carries the difference."
    )
