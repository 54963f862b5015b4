"""What the postings of price versions come to: which version is in force when. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tokenpnl_ingest.control.records import Freeze, Scheduled

BEGIN_NS, END_NS = -(2**62), 2**62  # open ends, far outside every date of a rate card
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Span = tuple[int, int]


class Section(NamedTuple):
    """A stretch of event time, nanoseconds since 1970 UTC, and the price version in force in it."""

    from_ns: int
    until_ns: int
    version: str


def sections(schedules: Sequence[Scheduled], freezes: Sequence[Freeze] = ()) -> list[Section]:
    """Return the versions in force, disjoint and in order of time; stretches that no posting covers are absent.

    Args:
        schedules: in the order in which they were posted; a later one wins on its span, except inside a month that was
            closed at the moment of posting, if it does not say that it goes into closed ones. Reopening that month
            later does not let the posting in: it is posted again.
        freezes: every closed span, past ones included.
    """
    found: list[Section] = []
    for posted in schedules:
        open_spans = [_span(posted.since, posted.until)]
        for frozen in () if posted.into_closed else freezes:
            if frozen.at <= posted.posted_at and (frozen.lifted_at is None or posted.posted_at < frozen.lifted_at):
                open_spans = _without(open_spans, _span(frozen.since, frozen.until))
        for span in open_spans:
            found = _overlaid(found, Section(*span, posted.version))
    return _joined(found)


def _ns(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _span(since: datetime | None, until: datetime | None) -> _Span:
    return BEGIN_NS if since is None else _ns(since), END_NS if until is None else _ns(until)


def _without(spans: list[_Span], hole: _Span) -> list[_Span]:
    parts = [part for begin, end in spans for part in ((begin, min(end, hole[0])), (max(begin, hole[1]), end))]
    return [(begin, end) for begin, end in parts if begin < end]


def _overlaid(under: list[Section], over: Section) -> list[Section]:
    kept = [
        Section(begin, end, section.version)
        for section in under
        for begin, end in _without([(section.from_ns, section.until_ns)], (over.from_ns, over.until_ns))
    ]
    return sorted([*kept, over])


def _joined(ordered: list[Section]) -> list[Section]:
    joined: list[Section] = []
    for section in ordered:
        if joined and joined[-1].until_ns == section.from_ns and joined[-1].version == section.version:
            joined[-1] = joined[-1]._replace(until_ns=section.until_ns)
        else:
            joined.append(section)
    return joined
