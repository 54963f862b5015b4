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
_LONGEST = timedelta(hours=6)  # a request that began earlier than this before an hour is not looked for in it
_AT_ONCE = timedelta(days=7)
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
    if not marks or marks[0]["rules_hash"] != rules.digest:
        whole = _whole(store, rules, over)
        items = [_items(store, rules, span) for span in _in_steps(whole)] if rules else []
        replaced = [_EVER]
    else:
        mark = marks[0]
        spans = _stale(store, mark["batch_no"], booked, [*again, (mark["until"], over)], over)
        if not spans and mark["batch_no"] == booked:
            return False
        items = [_items(store, rules, part) for span in spans for part in _in_steps(span)]
        replaced = [(nanoseconds(since), nanoseconds(until)) for since, until in spans]
    told = {"batch_no": [booked], "until": [over], "rules_hash": [rules.digest]}
    rows = pl.concat([empty(CAPACITY_ITEMS), *items])
    mark_row = conform(pl.DataFrame(told), CAPACITY_BOOKED)
    store.replace_capacity(replaced, rows.to_arrow(), mark_row.to_arrow())
    return True


def _stale(store: Store, after: int, booked: int, more: Sequence[Span], over: datetime) -> list[Span]:
    """Return the hours that are to be booked again, as disjoint spans in order of time."""
    touched: list[Span] = []
    if booked > after:
        found = pl.DataFrame(store.query("capacity_spans", after=after))
        touched = [(first, last + HOUR) for first, last in found.iter_rows()]
    clipped = [(_hour_of(since), min(until, over)) for since, until in (*touched, *more)]
    joined: list[Span] = []
    for since, until in sorted(span for span in clipped if span[0] < span[1]):
        if joined and since <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(until, joined[-1][1]))
        else:
            joined.append((since, until))
    return joined


def _whole(store: Store, rules: CapacityRules, over: datetime) -> Span:
    """Return the time from the first that anything was paid or used until the last hour that is over."""
    entries = (*rules.gpus.pools, *rules.commitments.commitments)
    starts = [entry.since for entry in entries if entry.since is not None]
    first = store.query("table", name=ATTEMPTS.name, columns=["started_at"], order_by="started_at", limit=1)
    starts += [_hour_of(at) for at in pl.DataFrame(first)["started_at"]]
    return min(starts, default=over), over


def _in_steps(span: Span) -> list[Span]:
    since, until = span
    steps = []
    while since < until:
        steps.append((since, min(until, since + _AT_ONCE)))
        since += _AT_ONCE
    return steps


def _items(store: Store, rules: CapacityRules, span: Span) -> pl.DataFrame:
    since, until = span
    window = {"since": since - _LONGEST, "until": until}
    attempts = conform(pl.DataFrame(store.query("table", name=ATTEMPTS.name, **window)), ATTEMPTS)
    covered = {"cost_source": [CostSource.COMMITMENT.value]}
    found = conform(pl.DataFrame(store.query("table", name=LINE_ITEMS.name, where=covered, **window)), LINE_ITEMS)
    lines = found.filter(~pl.col("usage_kind").is_in(CAPACITY_KINDS))
    made = capacity_lines(attempts, rules.gpus, rules.commitments, since=since, until=until, lines=lines)
    return conform(made, CAPACITY_ITEMS)


def _hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
