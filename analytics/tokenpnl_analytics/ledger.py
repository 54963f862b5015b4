"""The bookkeeper: which traces changed, run the pure functions, store the result.

The one module of analytics that knows the store. A round takes every batch that is loaded and not booked, finds the
traces that new spans and outcomes put out of date, widens them to whole connected components (traces that share an
answer, a run, a call or a session), rebuilds the derived rows of those traces and replaces them in one transaction,
together with the mark that says how far the books go. Killed at any moment, the next start goes on from the mark.

How to book, and which spans of time to book again, is told by `Instructions`: which prices are in force when, which
rules give an outcome. They change while the bookkeeper runs; what is booked already changes by a request only.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import polars as pl
import pyarrow as pa

from tokenpnl.errors import StoreError, StoreMemoryError
from tokenpnl.schema import Table
from tokenpnl.tables import BOOKED, EVALUATIONS, LINKS, OUTCOMES, SPANS, UNBOOKED
from tokenpnl_analytics.books import Books, keep_books
from tokenpnl_analytics.capacity.keeping import CapacityRules, keep_capacity
from tokenpnl_analytics.frames import conform
from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.resolving.links import components, link_keys
from tokenpnl_analytics.resolving.resolve import UNREAD
from tokenpnl_analytics.rules.outcomes import OutcomesFile
from tokenpnl_analytics.unit_cost.outcome_rules import needs_attributes
from tokenpnl_ingest.store import Store

log = logging.getLogger(__name__)
# What resolution never looks at is most of a span's bytes.
_READ = Table(SPANS.name, SPANS.grain, tuple(column for column in SPANS.columns if column.name not in UNREAD))
_READ_WITH_ATTRIBUTES = Table(SPANS.name, SPANS.grain, (*_READ.columns, SPANS["attributes_json"]))
_TRACES_A_ROUND = 1_500
_PAUSE_S = 0.2
_TROUBLE_S = 2.0
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_LOOK_S = 2.0  # how often to look for a request to book again


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Policy:
    """How to book: the prices in force at every moment, and the success definitions whose rules give outcomes."""

    card: RateCard
    outcome_rules: OutcomesFile | None = None


@dataclass(frozen=True)
class Rebook:
    """A request to book again what started in [since, until); None is open on that side."""

    number: int
    since: datetime | None
    until: datetime | None


class Instructions(Protocol):
    """What the bookkeeper is told from outside."""

    def policy(self) -> Policy:
        """Return how to book now; asked for before each round, so it should be quick when nothing changed."""

    def capacity(self) -> CapacityRules:
        """Return what capacity costs; asked for every few seconds."""

    def rebooks(self) -> Sequence[Rebook]:
        """Return the requests that are not done yet, oldest first."""

    def finish(self, rebook: Rebook) -> None:
        """Note that a request is done."""


@dataclass(frozen=True)
class Standing:
    """Instructions that never change: one policy, nothing to book again."""

    standing: Policy
    rules: CapacityRules = field(default_factory=CapacityRules)

    def capacity(self) -> CapacityRules:
        """Return the rules."""
        return self.rules

    def policy(self) -> Policy:
        """Return the policy."""
        return self.standing

    def rebooks(self) -> Sequence[Rebook]:
        """Return nothing."""
        return ()

    def finish(self, rebook: Rebook) -> None:
        """Do nothing."""


class Bookkeeper:
    """Keeps the derived tables of a store up with its facts.

    Args:
        store: whose loader is somebody else's; this writes derived tables only.
        instructions: say how to book; the policy is asked for only when there is something to book.
        clock: gives the time now, aware: hours of capacity are booked when they are over.
    """

    def __init__(self, store: Store, instructions: Instructions, *, clock: Callable[[], datetime] = _utc_now) -> None:
        self._store = store
        self._instructions = instructions
        self._clock = clock
        self._wake = threading.Event()
        self._closing = False
        # Traces booked since the mark. None until a first catch-up is through: an earlier process may have booked any.
        self._ahead: set[str] | None = None
        self._thread = threading.Thread(target=self._run, name="tokenpnl-bookkeeper", daemon=True)

    def start(self) -> "Bookkeeper":
        """Keep up on a thread of its own, beginning with what earlier processes left; return self."""
        self._thread.start()
        self._wake.set()
        return self

    def wake(self, _trace_ids: Iterable[str] = ()) -> None:
        """Say that a load may have put traces out of date; what they are is read from the store."""
        self._wake.set()

    def close(self) -> None:
        """Finish the round at hand and stop."""
        self._closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def catch_up(self) -> int:
        """Book everything that is loaded, then what is to be booked again and capacity; return how many traces."""
        return self._catch_up_with_facts() + self._book_again_and_capacity()

    def _catch_up_with_facts(self) -> int:
        booked = 0
        while (upto := self._store.loaded_batch_no) > (mark := self._store.booked_batch_no):
            touched = self._store.query("touched_traces", after=mark)["trace_id"].to_pylist()
            rounds = _rounds(touched) or [[]]
            for traces in rounds:
                self._book_around_faults(traces, mark, upto if traces is rounds[-1] else None)
            self._ahead = set()
            booked += len(touched)
        return booked

    def _book_again_and_capacity(self) -> int:
        booked = 0
        requests = self._instructions.rebooks()
        for rebook in requests:
            found = self._store.query("traces_between", since=rebook.since, until=rebook.until)
            traces = found["trace_id"].to_pylist()
            for some in _rounds(traces):
                self._book_around_faults(some, self._store.booked_batch_no, None)
            booked += len(traces)
        now = self._clock()
        spans = [(one.since or BEGINNING, one.until or now) for one in requests]
        keep_capacity(
            self._store, self._instructions.capacity(), booked=self._store.booked_batch_no, now=now, again=spans
        )
        for rebook in requests:
            self._instructions.finish(rebook)
        return booked

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(_LOOK_S)
            self._wake.clear()
            began = time.monotonic()
            try:
                self.catch_up()
            except StoreError as error:
                log.error("the books wait, what arrives is kept: %s", error)
                self._try_again()
            except Exception:  # the thread's border: the mark was not moved, so the next round does it again
                log.exception("a round of bookkeeping failed; it is tried again")
                self._try_again()
            # Under load a pause as long as the work leaves half a core to ingest and makes fewer, larger rounds.
            threading.Event().wait(max(_PAUSE_S, time.monotonic() - began))

    def _try_again(self) -> None:
        if not self._closing:
            threading.Event().wait(_TROUBLE_S)
            self._wake.set()

    def _book_around_faults(self, touched: Sequence[str], mark: int, upto: int | None) -> None:
        """Book the touched traces; one that cannot be booked keeps its old rows and does not stop the others."""
        policy = self._instructions.policy()
        try:
            self._book(touched, policy, mark, upto)
        except Exception as fault:
            # Trouble of the store is everybody's, but for a round that is too large for it.
            if not touched or (isinstance(fault, StoreError) and not _too_large(fault, touched)):
                raise
            if len(touched) == 1:
                log.exception("trace %s cannot be booked; its spans stay in the store", touched[0])
                self._note_unbooked(touched[0], fault)
                self._book_around_faults((), mark, upto)
                return
            half = len(touched) // 2
            self._book_around_faults(touched[:half], mark, None)
            self._book_around_faults(touched[half:], mark, upto)

    def _note_unbooked(self, trace_id: str, fault: Exception) -> None:
        told = {"trace_id": [trace_id], "reason": [f"{type(fault).__name__}: {fault}"], "noted_at": [datetime.now(UTC)]}
        self._store.replace_derived((), {UNBOOKED.name: conform(pl.DataFrame(told), UNBOOKED).to_arrow()})

    def _book(self, touched: Collection[str], policy: Policy, mark: int, upto: int | None) -> None:
        """Rebuild the components of the touched traces; `upto` moves the mark, None leaves it."""
        rules = policy.outcome_rules
        table = _READ_WITH_ATTRIBUTES if rules is not None and needs_attributes(rules) else _READ
        spans, links = self._component(touched, table)
        scores = None if rules is None else self._evaluations(spans)
        books = keep_books(spans, self._outcomes(spans), policy.card, outcome_rules=rules, evaluations=scores)
        tables = {**_derived(books), LINKS.name: links}
        if upto is not None:
            told = pl.DataFrame({"batch_no": [upto], "booked_at": [datetime.now(UTC)]})
            tables[BOOKED.name] = conform(told, BOOKED)
        replaced = self._booked_before(spans, mark)
        self._store.replace_derived(replaced, {name: frame.to_arrow() for name, frame in tables.items()})

    def _booked_before(self, spans: pl.DataFrame, mark: int) -> list[str]:
        """Return the traces that may have derived rows; a trace whose spans are all new has none to look for."""
        traces = set(spans["trace_id"].unique().to_list())
        if self._ahead is None:
            return sorted(traces)
        old = set(spans.filter(pl.col("batch_no") <= mark)["trace_id"].to_list())
        replaced = old | (traces & self._ahead)
        self._ahead |= traces
        return sorted(replaced)

    def _component(self, touched: Collection[str], table: Table) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the spans of all traces connected with the touched ones, with the table's columns, and their links."""
        spans = self._spans(touched, table)
        links = conform(link_keys(spans), LINKS)
        known = {*touched}
        while True:
            others = self._frame("links_of_keys", LINKS, keys=links["key"].unique().to_list())
            new = _connected(pl.concat([links, others]), known) - known
            if not new:
                return spans, links
            known |= new
            more = self._spans(new, table)
            spans = pl.concat([spans, more])
            links = pl.concat([links, conform(link_keys(more), LINKS)])

    def _spans(self, traces: Collection[str], table: Table) -> pl.DataFrame:
        return self._frame("spans_of_traces", table, trace_ids=sorted(traces), columns=table.names)

    def _outcomes(self, spans: pl.DataFrame) -> pl.DataFrame:
        runs = spans["run_id"].drop_nulls().unique().to_list()
        traces = spans["trace_id"].unique().to_list()
        cases = spans["business_id"].drop_nulls().unique().to_list()
        return self._frame("outcomes_of", OUTCOMES, run_ids=runs, trace_ids=traces, business_ids=cases)

    def _evaluations(self, spans: pl.DataFrame) -> pl.DataFrame:
        return self._frame("evaluations_of", EVALUATIONS, trace_ids=spans["trace_id"].unique().to_list())

    def _frame(self, question: str, table: Table, **params: object) -> pl.DataFrame:
        answer: pa.Table = self._store.query(question, **params)
        return conform(pl.DataFrame(answer), table)


def _too_large(fault: StoreError, touched: Sequence[str]) -> bool:
    return isinstance(fault, StoreMemoryError) and len(touched) > 1


def _rounds(traces: Sequence[str]) -> list[Sequence[str]]:
    return [traces[at : at + _TRACES_A_ROUND] for at in range(0, len(traces), _TRACES_A_ROUND)]


def _connected(links: pl.DataFrame, known: Collection[str]) -> set[str]:
    every = components(links.unique())
    ours = every.filter(pl.col("trace_id").is_in(list(known)))["component"].unique()
    return set(every.filter(pl.col("component").is_in(ours.implode()))["trace_id"].to_list())


def _derived(books: Books) -> dict[str, pl.DataFrame]:
    return {
        "attempts": books.attempts,
        "calls": books.calls,
        "fees": books.fees,
        "runs": books.runs,
        "line_items": books.line_items,
        "duplicates": books.duplicates,
    }
