"""The one door to the data: named questions, answered by the collector that holds the store, or in process."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

import polars as pl

from tokenpnl.errors import RefusedInputError, StoreError
from tokenpnl_ingest.collector import Collector
from tokenpnl_ingest.home import Home, Running, running_collector
from tokenpnl_ingest.store import Store

_PATIENCE_S = 60
_TIMES = (("runs", "started_at"), ("runs", "outcome_at"), ("line_items", "started_at"))


@dataclass(frozen=True)
class Version:
    """The state of the data.

    Args:
        data_version: grows with every change.
        newest_at: time of the newest fact; None: nothing arrived yet.
        batches_behind: how many batches were acknowledged and are not booked; above 0 every figure is unfinished.
    """

    data_version: int
    newest_at: datetime | None
    batches_behind: int = 0


class Book(Protocol):
    """What a page or a verb may ask."""

    def query(self, question: str, /, **params: Any) -> pl.DataFrame:
        """Return the answer to a named question of the store.

        Raises:
            RefusedInputError: there is no such question, table or column.
            StoreError: the store did not answer.
        """

    def version(self) -> Version:
        """Return the state of the data."""


class StoredBook:
    """A book over a store in this process."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def query(self, question: str, /, **params: Any) -> pl.DataFrame:
        """Return the answer to a named question."""
        return pl.DataFrame(self._store.query(question, **params))

    def version(self) -> Version:
        """Return the state of the data."""
        behind = self._store.loaded_batch_no - self._store.booked_batch_no
        return Version(self._store.version, newest_at(self), behind)


class ServedBook:
    """A book that asks the collector of a home; a collector that came back on other ports is found again."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._running: Running | None = None
        self._newest: Version | None = None

    def query(self, question: str, /, **params: Any) -> pl.DataFrame:
        """Return the answer to a named question."""
        body = json.dumps({"name": question, "params": params}, default=_iso).encode()
        return pl.read_ipc_stream(self._ask("/api/query", body))

    def version(self) -> Version:
        """Return the state of the data; the newest time is asked for only when something changed."""
        told = json.loads(self._ask("/api/version"))
        if self._newest is None or self._newest.data_version != told["version"]:
            self._newest = Version(told["version"], newest_at(self))
        return replace(self._newest, batches_behind=told["batches_behind"])

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        try:
            return self._sent(path, body)
        except OSError:
            self._running = None
        try:
            return self._sent(path, body)
        except OSError as error:
            raise StoreError(f"the collector of {self._home.path} does not answer: {error}") from error

    def _sent(self, path: str, body: bytes | None) -> bytes:
        self._running = self._running or running_collector(self._home)
        if self._running is None:
            raise StoreError(f"no collector serves {self._home.path}; start one with `tokenpnl serve`")
        request = urllib.request.Request(self._running.http + path, body)  # noqa: S310  # loopback, from our own file
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310  # the same
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            reason = error.read().decode(errors="replace")
            kind = RefusedInputError if error.code == http.client.BAD_REQUEST else StoreError
            raise kind(f"the collector answered {error.code} to {path}: {reason}") from None


def newest_at(book: Book) -> datetime | None:
    """Return the time of the newest run, outcome of a run, or line item; None when there is none."""
    times = [_newest(book, table, column) for table, column in _TIMES]
    return max((time for time in times if time is not None), default=None)


def _newest(book: Book, table: str, column: str) -> datetime | None:
    newest = book.query("table", name=table, columns=[column], order_by=column, descending=True, limit=1)[column]
    return newest[0] if len(newest) else None


@contextmanager
def open_book(home: Home) -> Iterator[Book]:
    """Give the book of a home: the collector's where one holds it, else over the store, loaded and booked up to date.

    Raises:
        StoreHeldError: another process than a collector holds the home.
    """
    if running_collector(home) is not None:
        yield ServedBook(home)
        return
    # Prices and Polars are needed by who opens a store, not by the pages that ask a collector.
    from tokenpnl_analytics.ledger import Bookkeeper
    from tokenpnl_dashboard.rules.instructions import instructions_of

    with Collector(home) as collector:
        if not collector.drain(_PATIENCE_S):
            raise StoreError(
                f"the journal of {home.path} was not loaded within {_PATIENCE_S} s; `tokenpnl doctor` says more"
            )
        with instructions_of(home) as instructions:
            Bookkeeper(collector.store, instructions).catch_up()
        yield StoredBook(collector.store)


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a parameter is JSON or a time, not {type(value).__name__}")
