"""The part of the bookkeeper that keeps what capacity cost, hour by hour.

What one request cost of a GPU depends on what else was in flight, so hours are the unit, not traces. Only hours that
are over are booked; one is booked again when a request in it is new or has another reason, all when the rules change.
The mark is written with the items: killed at any moment, the next start goes on from it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl

from tokenpnl.model import CostSource
from tokenpnl.tables import ATTEMPTS, CAPACITY_BOOKED, CAPACITY_ITEMS, LINE_ITEMS
from tokenpnl_analytics.capacity.items import CAPACITY_KINDS, capacity_lines
from tokenpnl_analytics.capacity.supply import nanoseconds
from tokenpnl_analytics.frames import conform, empty
from tokenpnl_analytics.rules.commitments import CommitmentsFile
from tokenpnl_analytics.rules.gpus import GpusFile
from tokenpnl_ingest.store import Store

HOUR = timedelta(hours=1)
_MOMENT = timedelta(microseconds=1)
_AT_ONCE = timedelta(days=7)
_TRACES_AT_ONCE = 50_000
_EVER = (-(2**62), 2**62)
Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class CapacityRules:
    """What capacity costs and whom it serves."""

    gpus: GpusFile = field(default_factory=GpusFile)
    commitments: CommitmentsFile = field(default_factory=CommitmentsFile)

    def __bool__(self) -> bool:
        """Return whether there is any capacity."""
        return bool(self.gpus.pools or self.commitments.commitments)

    @property
    def digest(self) -> str:
        """Hash of the rules: unequal as soon as one differs."""
        text = self.gpus.model_dump_json() + self.commitments.model_dump_json()
        return hashlib.sha256(text.encode()).hexdigest()


def keep_capacity(
    store: Store, rules: CapacityRules, *, booked: int, now: datetime, again: Sequence[Span] = ()
) -> bool:
    """Bring the capacity items up to date with the books, and return whether anything was looked at.

    Args:
        store: its attempts and line items go up to batch `booked`.
        rules: pools and commitments.
        booked: last batch in the books.
        now: aware; hours that are over by then are booked.
        again: spans of time that were booked again for another reason.
    """
    marks = conform(pl.DataFrame(store.query("table", name=CAPACITY_BOOKED.name)), CAPACITY_BOOKED).to_dicts()
    if not rules and not marks:
        return False
    over = _hour_of(now)
    mark = marks[0] if marks and marks[0]["rules_hash"] == rules.digest else None
    if mark is not None and mark["batch_no"] == booked and mark["until"] == over and not again:
        return False
    paid = _paid(store, rules, over)
    if mark is None:
        spans = [paid] if rules else []
        replaced = [_EVER]
    else:
        more = [*again, (paid[0], mark["since"]), (mark["until"], over)]
        touched = _touched(store, mark["batch_no"]) if booked > mark["batch_no"] else []
        spans = _within(paid, [*touched, *more])
        # What was first may have become a part of something else.
        replaced = [(_EVER[0], nanoseconds(paid[0])), *((nanoseconds(one), nanoseconds(two)) for one, two in spans)]
    items = [_items(store, rules, part) for span in spans for part in _in_steps(span)]
    told = {"batch_no": [booked], "since": [paid[0]], "until": [over], "rules_hash": [rules.digest]}
    rows = pl.concat([empty(CAPACITY_ITEMS), *items])
    mark_row = conform(pl.DataFrame(told), CAPACITY_BOOKED)
    store.replace_capacity(replaced, rows.to_arrow(), mark_row.to_arrow())
    return True


def _touched(store: Store, after: int) -> list[Span]:
    """Return the hours of every trace that was booked again because of batches above `after`."""
    waiting = store.query("touched_traces", after=after)["trace_id"].to_pylist()
    known, spans = set(waiting), []
    while waiting:
        some, waiting = waiting[:_TRACES_AT_ONCE], waiting[_TRACES_AT_ONCE:]
        found = pl.DataFrame(store.query("capacity_spans", trace_ids=some))
        spans += [(first, last + HOUR) for first, last in found.iter_rows()]
        # Traces that hang together were resolved together: what is new in one changes the attempts of the others.
        beside = set(store.query("traces_beside", trace_ids=some)["trace_id"].to_pylist()) - known
        known |= beside
        waiting += sorted(beside)
    return spans


def _within(paid: Span, spans: Sequence[Span]) -> list[Span]:
    """Return the full hours of the spans that were paid, as disjoint spans in order of time."""
    hours = [(max(_hour_of(since), paid[0]), min(_hour_of(until - _MOMENT) + HOUR, paid[1])) for since, until in spans]
    joined: list[Span] = []
    for since, until in sorted(span for span in hours if span[0] < span[1]):
        if joined and since <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(until, joined[-1][1]))
        else:
            joined.append((since, until))
    return joined


def _paid(store: Store, rules: CapacityRules, over: datetime) -> Span:
    """Return the time from the first that anything was paid or used until the last hour that is over."""
    entries = (*rules.gpus.pools, *rules.commitments.commitments)
    starts = [_hour_of(entry.since) for entry in entries if entry.since is not None]
    first = store.query("table", name=ATTEMPTS.name, columns=["started_at"], order_by="started_at", limit=1)
    starts += [_hour_of(at) for at in pl.DataFrame(first)["started_at"]]
    return min([*starts, over]), over


def _in_steps(span: Span) -> list[Span]:
    since, until = span
    steps = []
    while since < until:
        steps.append((since, min(until, since + _AT_ONCE)))
        since += _AT_ONCE
    return steps


def _items(store: Store, rules: CapacityRules, span: Span) -> pl.DataFrame:
    since, until = span
    window = {"since": since, "until": until}
    attempts = conform(pl.DataFrame(store.query("attempts_at_work", **window)), ATTEMPTS)
    covered = {"cost_source": [CostSource.COMMITMENT.value]}
    found = conform(pl.DataFrame(store.query("table", name=LINE_ITEMS.name, where=covered, **window)), LINE_ITEMS)
    lines = found.filter(~pl.col("usage_kind").is_in(CAPACITY_KINDS))
    made = capacity_lines(attempts, rules.gpus, rules.commitments, since=since, until=until, lines=lines)
    return conform(made, CAPACITY_ITEMS)


def _hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
