"""Closed months in sentences: at what they were closed, and how they read now."""

from tokenpnl_analytics.periods import Period
from tokenpnl_dashboard import words
from tokenpnl_dashboard.closing.months import Closing
from tokenpnl_ingest.control import CloseState


def sentences(closing: Closing, period: Period) -> list[str]:
    """Return a sentence for each closed month that the period touches, oldest first."""
    closed = [step for step in closing.control.closes() if step.state is CloseState.CLOSED]
    touched = [
        step.month
        for step in sorted(closed, key=lambda step: step.month)
        if (period.until is None or step.since < period.until) and (period.since is None or step.until > period.since)
    ]
    return [_sentence(closing, month) for month in touched]


def _sentence(closing: Closing, month: str) -> str:
    closed_at, now = closing.restated(month, ()).select("as_closed_usd", "now_usd").row(0)
    if closed_at == now:
        return f"{month} is closed at {words.usd(closed_at)} and reads so now."
    return (
        f"{month} is closed at {words.usd(closed_at)} and reads {words.usd(now)} now, as shown here; the open month "
        "carries the difference."
    )
