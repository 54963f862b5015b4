from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_ingest.control import Freeze, Scheduled, Section, sections
from tokenpnl_ingest.control.schedule import BEGIN_NS, END_NS

SEP, OCT, NOV, DEC = (datetime(2026, month, 1, tzinfo=UTC) for month in (9, 10, 11, 12))
DAY_ONE = datetime(2026, 12, 5, tzinfo=UTC)


def ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000


def posted(version: str, since: datetime | None, until: datetime | None, *, day: int) -> Scheduled:
    return Scheduled(day, version, since, until, "test", DAY_ONE + timedelta(days=day), "ann")


def frozen(since: datetime, until: datetime, *, day: int, lifted: int | None = None) -> Freeze:
    lifted_at = None if lifted is None else DAY_ONE + timedelta(days=lifted)
    return Freeze(since, until, DAY_ONE + timedelta(days=day), lifted_at)


def test_one_open_posting_is_in_force_for_ever() -> None:
    assert sections([posted("a", None, None, day=1)]) == [(BEGIN_NS, END_NS, "a")]


def test_a_later_posting_wins_on_its_span_only() -> None:
    found = sections([posted("a", None, None, day=1), posted("b", OCT, NOV, day=2)])
    assert found == [(BEGIN_NS, ns(OCT), "a"), (ns(OCT), ns(NOV), "b"), (ns(NOV), END_NS, "a")]


def test_a_month_that_was_closed_at_the_posting_keeps_its_version() -> None:
    postings = [posted("a", None, None, day=1), posted("b", None, None, day=3)]
    found = sections(postings, [frozen(OCT, NOV, day=2)])
    assert found == [(BEGIN_NS, ns(OCT), "b"), (ns(OCT), ns(NOV), "a"), (ns(NOV), END_NS, "b")]


def test_a_posting_into_closed_months_changes_how_they_read() -> None:
    anew = replace(posted("b", None, None, day=3), into_closed=True)
    assert sections([posted("a", None, None, day=1), anew], [frozen(OCT, NOV, day=2)]) == [(BEGIN_NS, END_NS, "b")]


def test_a_posting_before_the_close_is_what_the_close_froze() -> None:
    postings = [posted("a", None, None, day=1), posted("b", OCT, None, day=2)]
    found = sections(postings, [frozen(OCT, NOV, day=3)])
    assert found == [(BEGIN_NS, ns(OCT), "a"), (ns(OCT), END_NS, "b")]


def test_reopening_lets_a_new_posting_in_but_not_an_old_one() -> None:
    reopened = [frozen(OCT, NOV, day=2, lifted=4)]
    old = [posted("a", None, None, day=1), posted("b", OCT, NOV, day=3)]
    assert sections(old, reopened) == [(BEGIN_NS, END_NS, "a")]
    new = [*old, posted("b", OCT, NOV, day=5)]
    assert sections(new, reopened)[1] == Section(ns(OCT), ns(NOV), "b")


def test_a_stretch_without_posting_is_absent() -> None:
    assert sections([posted("a", SEP, OCT, day=1), posted("a", NOV, DEC, day=2)]) == [
        (ns(SEP), ns(OCT), "a"),
        (ns(NOV), ns(DEC), "a"),
    ]


EDGES = st.one_of(st.none(), st.integers(0, 30).map(lambda day: SEP + timedelta(days=day)))
SPANS = st.tuples(EDGES, EDGES).filter(lambda span: None in span or span[0] < span[1])  # type: ignore[operator]


@given(st.lists(st.tuples(st.sampled_from("abc"), SPANS), max_size=6), st.integers(0, 30))
def test_every_moment_has_the_last_version_that_was_posted_over_it(
    drawn: list[tuple[str, tuple[datetime | None, datetime | None]]], day: int
) -> None:
    postings = [posted(version, *span, day=place) for place, (version, span) in enumerate(drawn)]
    moment = SEP + timedelta(days=day, hours=1)
    covering = [
        each.version
        for each in postings
        if (each.since is None or each.since <= moment) and (each.until is None or moment < each.until)
    ]
    found = [each.version for each in sections(postings) if each.from_ns <= ns(moment) < each.until_ns]
    assert found == covering[-1:]
