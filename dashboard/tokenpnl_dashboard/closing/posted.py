"""What a file reads: the books of today, or as posted: closed months as closed, corrections of them in the open one.

Line items and runs of a closed month come from its snapshot, whose hash is computed again before they are used.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from tokenpnl.tables import RUNS
from tokenpnl_analytics.capacity.items import CAPACITY_KINDS
from tokenpnl_analytics.capacity.run_capacity import capacity_of_runs
from tokenpnl_analytics.closing.close import ORIGIN
from tokenpnl_analytics.frames import conform
from tokenpnl_analytics.periods import Period
from tokenpnl_dashboard import words
from tokenpnl_dashboard.book import Book
from tokenpnl_dashboard.closing.months import Closing
from tokenpnl_dashboard.closing.snapshots import verified
from tokenpnl_dashboard.questions.lines import line_items, run_capacity, whole_months
from tokenpnl_ingest.control import Close, CloseState, ControlStore
from tokenpnl_ingest.home import Home

_HASH, _MOST_WHOLE = 64, 3


@dataclass(frozen=True)
class Reading:
    """What a file is made of.

    Args:
        lines: table `line_items`; as posted also `origin_period`.
        runs: table `runs` of those that started in the period.
        capacity: what GPUs and commitments cost each run, as `cohort` takes it.
        closed: what is to be said of closed months in the period; empty: there are none.
    """

    lines: pl.DataFrame
    runs: pl.DataFrame
    capacity: pl.DataFrame | None
    closed: str


def reading(home: Home, book: Book, period: Period, *, posted: bool) -> Reading:
    """Return what a file of the period is made of.

    Raises:
        StoreError: as posted, a closed month is not what was signed.
    """
    since, until = period.since, period.until
    with ControlStore.of(home) as control:
        closed = closed_in(control, period)
        told = told_of(closed, posted=posted)
        if posted:
            closing = Closing(home, book, control)
            lines = closing.posted(since, until)
            return Reading(lines, _runs(closing, closed, period), _capacity(closing, period), told)
    runs = book.query("table", name=RUNS.name, since=since, until=until)
    capacity = run_capacity(book, since=since, until=until)
    return Reading(line_items(book, since=since, until=until), runs, capacity, told)


def closed_in(control: ControlStore, period: Period) -> list[Close]:
    """Return the closes in force whose month has a part in the period, by month."""
    return [
        step
        for step in control.closes()
        if step.state is CloseState.CLOSED
        and (period.until is None or step.since < period.until)
        and (period.since is None or period.since < step.until)
    ]


def told_of(closed: Sequence[Close], *, posted: bool) -> str:
    """Return which months are closed, under which hash, and whether they are read so."""
    if not closed:
        return ""
    if posted:
        # Of many months the beginning of each hash must do: a page of paper has an end.
        digits = _HASH if len(closed) <= _MOST_WHOLE else _HASH // 4
        seals = [
            f"{step.month} as closed on {words.day(step.at)}, SHA-256 {(step.snapshot_sha256 or '')[:digits]}"
            for step in closed
        ]
        return f"{'; '.join(seals)}; what changed in closed months since is carried by the open one"
    months = words.listed([step.month for step in closed])
    be = "is" if len(closed) == 1 else "are"
    return f"{months} {be} closed; these are the books of today, which may differ: --posted has it as closed"


def _runs(closing: Closing, closed: Sequence[Close], period: Period) -> pl.DataFrame:
    """Return the runs of the period: those of closed months with the outcomes that were known at the close."""
    started = pl.col("started_at")
    now = conform(closing.book.query("table", name=RUNS.name, since=period.since, until=period.until), RUNS)
    frozen = [verified(closing.home.closed, step).runs() for step in closed]
    for step in closed:
        now = now.filter(~((started >= step.since) & (started < step.until)))
    begun = pl.lit(value=True) if period.since is None else started >= period.since
    ended = pl.lit(value=True) if period.until is None else started < period.until
    return pl.concat([now, *(runs.filter(begun & ended) for runs in frozen)]).sort("started_at", "tenant", "run_id")


def _capacity(closing: Closing, period: Period) -> pl.DataFrame | None:
    lines = closing.posted(*whole_months(period.since, period.until))
    own = lines.filter(pl.col("usage_kind").is_in(CAPACITY_KINDS) & pl.col(ORIGIN).is_null())
    return None if own.is_empty() else capacity_of_runs(own)
