"""What a page knows before it draws: the book, the version of its data, the moment it reads, the reader's theme."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import polars as pl
import streamlit as st

from tokenpnl.errors import StoreError
from tokenpnl_analytics.periods import reading_moment
from tokenpnl_analytics.rules.reading import RuleFile, Rules
from tokenpnl_dashboard.book import Book, Version
from tokenpnl_dashboard.charts import theme
from tokenpnl_dashboard.charts.theme import Ink
from tokenpnl_dashboard.rules.configuration import Configuration
from tokenpnl_ingest.home import Home

M = TypeVar("M", bound=Rules)


@dataclass(frozen=True)
class Edition:
    """The state of the data that one page shows.

    Args:
        data_version: key of every cache.
        newest_at: time of the newest fact; None: nothing arrived yet.
        as_of: the moment that periods count from: now, or the newest fact when that is older than 48 hours.
        stale: whether `as_of` is the newest fact.
        batches_behind: how many batches were acknowledged and are not in the figures.
        unreachable: why the newest state is not known; empty when it is.
    """

    data_version: int
    newest_at: datetime | None
    as_of: datetime
    stale: bool
    batches_behind: int = 0
    unreachable: str = ""


_served: list[Book] = []
_homes: list[Home] = []


def serve(book: Book, home: Home | None = None) -> None:
    """Let every page of this process read from the book, and from the rules and the control store of the home."""
    _served[:] = [book]
    _homes[:] = [home] if home else []
    st.cache_resource.clear()


def home() -> Home | None:
    """Return the home whose rules and closes the pages show; None where a book is served without one."""
    return _homes[0] if _homes else None


def rules(file: RuleFile[M]) -> M:
    """Return the rules of one file as they stand now; the defaults where there is no home.

    Raises:
        ConfigurationError: the file breaks its model; the message names file and line.
    """
    place = home()
    return Configuration.of(place).read(file) if place else file.model()


def book() -> Book:
    """Return the book that this process serves.

    Raises:
        StoreError: when none was given.
    """
    if not _served:
        raise StoreError("the pages have no book to read from; start them with `tokenpnl serve`")
    return _served[0]


def edition_of(version: Version, *, now: datetime) -> Edition:
    """Return the edition of a version read at `now`; the demo must not look empty in a year."""
    as_of = reading_moment(version.newest_at, now=now)
    return Edition(version.data_version, version.newest_at, as_of, as_of != now, version.batches_behind)


def latest() -> Edition:
    """Return the newest edition, or the last good one with the reason why no newer one is known.

    Raises:
        StoreError: when the book does not answer and nothing was shown before.
    """
    try:
        return edition_of(book().version(), now=datetime.now(UTC))
    except StoreError as error:
        shown = st.session_state.get("edition")
        if not isinstance(shown, Edition):
            raise
        return replace(shown, unreachable=str(error))


def begin() -> Edition:
    """Fix the edition that this page shows until it is drawn again."""
    st.session_state["edition"] = latest()
    return edition()


def edition() -> Edition:
    """Return the edition that this page shows."""
    shown = st.session_state["edition"]
    assert isinstance(shown, Edition)
    return shown


def ask(question: str, /, **params: Any) -> pl.DataFrame:
    """Return the answer to a named query, from the cache while the data are the same."""
    return _answer(edition().data_version, question, params)


def ink() -> Ink:
    """Return the inks of the reader's theme."""
    return theme.ink(st.context.theme.type)


@st.fragment(run_every=2)
def watch() -> None:
    """Draw the page again as soon as the data have changed."""
    if latest().data_version != edition().data_version:
        st.rerun(scope="app")


@st.cache_resource(max_entries=256, show_spinner=False)
def _answer(data_version: int, question: str, params: dict[str, Any]) -> pl.DataFrame:  # noqa: ARG001 the version is part of the key
    return book().query(question, **params)
