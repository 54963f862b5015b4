from datetime import UTC, date, datetime

import pytest

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.periods import Period, month_after, parse_period

NOW = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026-10", utc(2026, 10, 1), utc(2026, 11, 1)),
        ("2026-12", utc(2026, 12, 1), utc(2027, 1, 1)),
        ("2026-10-05", utc(2026, 10, 5), utc(2026, 10, 6)),
        ("2026-10-01..2026-10-31", utc(2026, 10, 1), utc(2026, 11, 1)),
        ("last-7d", utc(2026, 11, 18), utc(2026, 11, 25)),
        ("last-24h", utc(2026, 11, 23, 10, 30), NOW),
        ("mtd", utc(2026, 11, 1), utc(2026, 11, 25)),
        ("last-month", utc(2026, 10, 1), utc(2026, 11, 1)),
        ("all", None, None),
    ],
)
def test_a_period_is_read_as_people_write_it(text: str, since: datetime | None, until: datetime | None) -> None:
    period = parse_period(text, now=NOW)
    assert (period.since, period.until) == (since, until)


def test_days_are_those_of_the_zone() -> None:
    period = parse_period("2026-10-05", now=NOW, zone="America/New_York")
    assert (period.since, period.until) == (utc(2026, 10, 5, 4), utc(2026, 10, 6, 4))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Europe", "/etc/passwd", ""])
def test_a_zone_that_nobody_knows_is_refused(zone: str) -> None:
    with pytest.raises(ConfigurationError, match="time zone"):
        parse_period("mtd", now=NOW, zone=zone)


@pytest.mark.parametrize("text", ["", "soon", "2026-13", "2026-02-30", "2026-10-05..2026-10-01", "last-d", "9999-12"])
def test_what_is_no_period_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_period(text, now=NOW)


def test_the_previous_period_ends_where_this_one_begins() -> None:
    period = parse_period("2026-10", now=NOW)
    assert period.previous() == Period("before 2026-10", utc(2026, 8, 31), utc(2026, 10, 1))
    assert parse_period("all", now=NOW).previous() is None


def test_a_month_is_followed_by_the_first_of_the_next_and_a_quarter_by_that_of_the_third() -> None:
    assert month_after(utc(2026, 12, 1)) == utc(2027, 1, 1)
    assert month_after(date(2028, 1, 1)) == date(2028, 2, 1)
    assert month_after(date(2026, 1, 1), months=3) == date(2026, 4, 1)
