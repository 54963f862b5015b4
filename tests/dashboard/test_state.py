"""A page knows which data it shows, and counts periods from them when they are old."""

from datetime import UTC, datetime, timedelta

from tokenpnl_dashboard import state
from tokenpnl_dashboard.book import Version

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_fresh_data_are_read_as_of_now() -> None:
    edition = state.edition_of(Version(3, NOW - timedelta(hours=47)), now=NOW)
    assert (edition.as_of, edition.stale) == (NOW, False)


def test_old_data_are_read_as_of_their_newest_fact() -> None:
    newest = NOW - timedelta(hours=49)
    edition = state.edition_of(Version(3, newest), now=NOW)
    assert (edition.as_of, edition.stale) == (newest, True)


def test_no_data_are_not_stale() -> None:
    edition = state.edition_of(Version(0, None), now=NOW)
    assert (edition.as_of, edition.stale) == (NOW, False)
