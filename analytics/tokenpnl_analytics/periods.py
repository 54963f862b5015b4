"""Periods as people write them, turned into [since, until) in UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tokenpnl.errors import ConfigurationError

STALE_AFTER = timedelta(hours=48)
_Day = TypeVar("_Day", bound=date)
FORMS = "all, today, yesterday, mtd, last-month, last-7d, last-24h, 2026-10, 2026-10-05, 2026-10-01..2026-10-31"


@dataclass(frozen=True)
class Period:
    """A half-open interval [since, until); None means open on that side. Both are aware and UTC."""

    label: str
    since: datetime | None
    until: datetime | None

    def previous(self) -> "Period | None":
        """Return the period of equal length just before this one; None when this one is open."""
        if self.since is None or self.until is None:
            return None
        return Period(f"before {self.label}", self.since - (self.until - self.since), self.since)


def parse_period(text: str, *, now: datetime, zone: str = "UTC") -> Period:
    """Return the period that `text` names.

    Args:
        text: one of `FORMS`; days and months are those of `zone`; the last day of a range is included.
        now: aware; what "last" and "to date" count from.
        zone: IANA name of the time zone.

    Raises:
        ConfigurationError: when the text is none of the forms, the range ends before it begins, or nobody knows the
            zone.
    """
    local = now.astimezone(zone_of(zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    named = _named(text, local, midnight)
    if named is None:
        named = _dated(text, midnight)
    since, until = named
    if since is not None and until is not None and until <= since:
        raise ConfigurationError(f"the period {text!r} ends before it begins; write FROM..TO with FROM first")
    return Period(text, since and since.astimezone(UTC), until and until.astimezone(UTC))


def _named(text: str, local: datetime, midnight: datetime) -> tuple[datetime | None, datetime | None] | None:
    tomorrow = midnight + timedelta(days=1)
    month = midnight.replace(day=1)
    forms: dict[str, tuple[datetime | None, datetime | None]] = {
        "all": (None, None),
        "today": (midnight, tomorrow),
        "yesterday": (midnight - timedelta(days=1), midnight),
        "mtd": (month, tomorrow),
        "last-month": ((month - timedelta(days=1)).replace(day=1), month),
    }
    last = re.fullmatch(r"last-(\d{1,4})([dh])", text)
    if last is None:
        return forms.get(text)
    count = int(last[1])
    if last[2] == "h":
        return local - timedelta(hours=count), local
    return tomorrow - timedelta(days=count), tomorrow


def _dated(text: str, midnight: datetime) -> tuple[datetime, datetime]:
    first, _, last = text.partition("..")
    since, _ = _span_of(first, text, midnight)
    _, until = _span_of(last or first, text, midnight)
    return since, until


def _span_of(part: str, text: str, midnight: datetime) -> tuple[datetime, datetime]:
    try:
        if re.fullmatch(r"\d{4}-\d{2}", part):
            start = midnight.replace(year=int(part[:4]), month=int(part[5:]), day=1)
            return start, month_after(start)
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", part):
            start = midnight.replace(year=int(part[:4]), month=int(part[5:7]), day=int(part[8:]))
            return start, start + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(f"the period {text!r} names no real date: {error}; write one of {FORMS}") from error
    raise ConfigurationError(f"the period {text!r} is not understood; write one of {FORMS}")


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of an IANA name.

    Raises:
        ConfigurationError: nobody knows it.
    """
    try:
        return ZoneInfo(name)
    # A folder of zones, such as Europe, is an error of the operating system.
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(f"no time zone {name!r} is known; write an IANA name such as Europe/Rome") from error


def month_after(first: _Day, *, months: int = 1) -> _Day:
    """Return the first of the month that follows.

    Args:
        first: the first day of a month, as a date or a moment.
        months: how many months later, at most 12.
    """
    return (first + timedelta(days=31 * months + 1)).replace(day=1)


def reading_moment(newest_at: datetime | None, *, now: datetime) -> datetime:
    """Return the moment that periods and unit costs count from: `now`, or the newest fact when that is stale.

    Old captures and the samples would else look empty, and all their runs unresolved.
    """
    return newest_at if newest_at is not None and now - newest_at > STALE_AFTER else now
