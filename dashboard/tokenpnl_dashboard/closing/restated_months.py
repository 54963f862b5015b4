"""What a statement says of closed months that it covers: at what they were closed, and how they read now."""

import streamlit as st

from tokenpnl.errors import ConfigurationError, StoreError
from tokenpnl_analytics.periods import Period
from tokenpnl_dashboard.closing.closed_words import sentences
from tokenpnl_dashboard.closing.months import Closing
from tokenpnl_dashboard.state import book, edition, home
from tokenpnl_ingest.control import ControlStore
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


@st.cache_data(ttl=60, show_spinner=False)
def _told(
    path: str,  # noqa: ARG001 key
    data_version: int,  # noqa: ARG001 key
    period: Period,
    _home: Home,
) -> list[str]:
    with ControlStore.of(_home) as control:
        return sentences(Closing(_home, book(), control), period)
