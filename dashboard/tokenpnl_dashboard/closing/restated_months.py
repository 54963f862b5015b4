"""What a statement says of closed months that it covers: at what they were closed, and how they read now."""

import streamlit as st

from tokenpnl.errors import ConfigurationError, StoreError
from tokenpnl_analytics.periods import Period
from tokenpnl_dashboard import words
from tokenpnl_dashboard.closing.months import Closing
from tokenpnl_dashboard.state import book, edition, home
from tokenpnl_ingest.control import CloseState, ControlStore
from tokenpnl_ingest.home import Home


def closed_months(period: Period) -> list[str]:
    """Return a sentence for each closed month that the period touches, oldest first; none without a home."""
    place = home()
    if place is None:
        return []
    try:
        return _told(str(place.path), edition().data_version, period, place)
    except (ConfigurationError, StoreError):
        # A control store that does not answer is told elsewhere; the figures as they read now stand all the same.
        return []


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


@st.cache_data(ttl=60, show_spinner=False)
def _told(
    path: str,  # noqa: ARG001 key
    data_version: int,  # noqa: ARG001 key
    period: Period,
    _home: Home,
) -> list[str]:
    with ControlStore.of(_home) as control:
        return sentences(Closing(_home, book(), control), period)
