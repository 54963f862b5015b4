"""What a statement says of closed months that it covers: at what they were closed, and how they read now."""

import polars as pl
import streamlit as st

from tokenpnl.errors import ConfigurationError, StoreError
from tokenpnl_analytics.periods import Period
from tokenpnl_dashboard.closing.closed_words import restated_months, sentences
from tokenpnl_dashboard.closing.months import Closing
from tokenpnl_dashboard.state import book, edition, home
from tokenpnl_ingest.control import ControlStore
from tokenpnl_ingest.home import Home


def closed_months(period: Period) -> list[str]:
    """Return a sentence for each closed month that the period touches, oldest first; none without a home."""
    found = _asked(period)
    return [] if found is None else found[0]


def restated_table(period: Period) -> pl.DataFrame | None:
    """Return each closed month that the period touches as closed, restated and the difference; None: there is none."""
    found = _asked(period)
    return None if found is None or found[1].is_empty() else found[1]


def _asked(period: Period) -> tuple[list[str], pl.DataFrame] | None:
    place = home()
    if place is None:
        return None
    try:
        return _told(str(place.path), edition().data_version, period, place)
    except (ConfigurationError, StoreError):
        # A control store that does not answer is told elsewhere; the figures as they read now stand all the same.
        return None


@st.cache_data(ttl=60, show_spinner=False)
def _told(
    path: str,  # noqa: ARG001 key
    data_version: int,  # noqa: ARG001 key
    period: Period,
    _home: Home,
) -> tuple[list[str], pl.DataFrame]:
    with ControlStore.of(_home) as control:
        closing = Closing(_home, book(), control)
        return sentences(closing, period), restated_months(closing, period)
