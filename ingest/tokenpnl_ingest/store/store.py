"""The store as the rest of the product sees it: load batches, ask named questions, replace derived rows."""

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import sqlalchemy as sa

from tokenpnl.errors import RefusedInputError, StoreDeadError, StoreError, StoreMemoryError
from tokenpnl.tables import (
    BATCHES,
    BOOKED,
    CAPACITY_BOOKED,
    CAPACITY_ITEMS,
    DERIVED,
    EVALUATIONS,
    METRICS,
    OUTCOMES,
    QUARANTINE,
    RESOURCES,
    SPANS,
)
from tokenpnl_ingest.batch import Batch
from tokenpnl_ingest.home import Home
from tokenpnl_ingest.store import load
from tokenpnl_ingest.store.database import move_aside, open_database
from tokenpnl_ingest.store.queries import QUESTIONS, touched_traces
from tokenpnl_ingest.store.schema import CATALOG, CONTRACT, DIALECT

log = logging.getLogger(__name__)
# A checkpoint pins a block for every column of every table that grew, for each of its threads.
MEMORY_MIB = 384
_MOST_MEMORY_MIB = 4 * MEMORY_MIB
# What a database says that declared itself dead, or that could not be opened again after it had.
_DEAD = (duckdb.FatalException, duckdb.ConnectionException)
_CHECKPOINT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Loaded:
    """What a load brought: traces whose books are out of date, new spans, and rows that were stored before."""

    trace_ids: list[str]
    spans: int
    replayed: int


class Store:
    """DuckDB behind one writer lock; questions run beside the writer, each on a cursor of its own.

    Attributes:
        rebuilt_because: why the database was moved aside at the start and begins empty; None when it was not.
    """

    def __init__(self, home: Home, *, memory_mib: int = MEMORY_MIB) -> None:
        self._home = home
        self._memory_mib = memory_mib
        self._writing = threading.RLock()
        self.rebuilt_because: str | None = None
        self._connection = self._opened()
        self._read_marks()

    @classmethod
    def open(cls, home: Home, *, memory_mib: int = MEMORY_MIB) -> "Store":
        """Open the home's database; the caller holds the home.

        A database that is unreadable, or of another table contract, is moved aside and begins empty: load it again
        from the journal.
        """
        return cls(home, memory_mib=memory_mib)

    @property
    def home(self) -> Home:
        """The home whose store this is."""
        return self._home

    @property
    def loaded_batch_no(self) -> int:
        """The newest loaded batch; 0 when there is none."""
        return self._loaded_batch_no

    @property
    def booked_batch_no(self) -> int:
        """The newest batch that the derived tables hold, with every one before it; 0 when there is none."""
        return self._booked_batch_no

    @property
    def version(self) -> int:
        """A number that grows with every change of any table; comparable within the life of a process and beyond."""
        return self._version

    def load(self, batches: Sequence[tuple[int, Batch]]) -> Loaded:
        """Take numbered batches in, all or nothing; rows that are stored already are counted, not stored again.

        Raises:
            StoreError: nothing was loaded.
        """
        with self._transaction() as connection:
            fresh, counts = pa.table({"batch_no": pa.array([], pa.int64())}), 0
            for table in (RESOURCES, SPANS, OUTCOMES, EVALUATIONS, METRICS):
                rows = load.rows_of(batches, table)
                if rows is None:
                    continue
                new = load.insert_new(connection, rows, table)
                if table is SPANS:
                    fresh, counts = new, rows.num_rows
            if (rows := load.rows_of(batches, QUARANTINE)) is not None:
                load.insert(connection, rows, QUARANTINE)
            load.insert(connection, load.batch_rows(batches, fresh), BATCHES)
            touched = connection.execute(*_compiled(touched_traces(self._loaded_batch_no))).fetchall()
        self._changed(batches[-1][0])
        return Loaded([trace_id for (trace_id,) in touched], fresh.num_rows, counts - fresh.num_rows)

    def query(self, question: str, /, **params: Any) -> pa.Table:
        """Answer a named question of `queries.QUESTIONS`, or `version` (and up to which batch all is in it).

        Raises:
            RefusedInputError: no such question, table, column or parameter; the message names those that exist.
            StoreError: the database failed.
        """
        if question == "version":
            marks = {"loaded_batch_no": [self._loaded_batch_no], "booked_batch_no": [self._booked_batch_no]}
            return pa.table({"version": [self._version], **marks})
        if question not in QUESTIONS:
            raise RefusedInputError(f"no question {question!r}; there are version, {', '.join(QUESTIONS)}")
        try:
            asked = _compiled(QUESTIONS[question](**params))
        except (TypeError, ValueError, AttributeError) as error:
            raise RefusedInputError(f"the question {question!r} cannot be asked so: {error}") from None
        with _said_as_store_error(), self._connection.cursor() as cursor:
            return _with_zone(cursor.execute(*asked).to_arrow_table())

    def replace_derived(self, trace_ids: Sequence[str], tables: Mapping[str, pa.Table]) -> None:
        """Put `tables` in the place of every derived row of these traces, in one transaction.

        Args:
            trace_ids: the traces that were resolved together.
            tables: rows by name of a derived table; a table that is absent loses the traces' rows. Rows of `booked`
                are added: the round that this transaction completes.
        """
        known = [table.name for table in (*DERIVED, BOOKED)]
        if unknown := sorted(set(tables) - set(known)):
            raise RefusedInputError(f"no derived table {unknown}; there are {known}")
        with self._transaction() as connection:
            if trace_ids:
                load.delete_traces(connection, trace_ids, DERIVED)
            for name, rows in tables.items():
                if rows.num_rows:
                    load.insert(connection, load.storable(rows, CONTRACT[name]), CONTRACT[name])
        if (mark := tables.get(BOOKED.name)) is not None and mark.num_rows:
            self._booked_batch_no = int(mark["batch_no"][-1].as_py())
        self._changed(self._loaded_batch_no)

    def replace_capacity(self, spans: Sequence[tuple[int, int]], rows: pa.Table, mark: pa.Table) -> None:
        """Put `rows` in the place of the capacity items of some spans of time, in one transaction.

        Args:
            spans: [since, until) in UTC nanoseconds; every item that starts in one is replaced.
            rows: table `capacity_items`.
            mark: the one row of `capacity_booked`: how far the items go now.
        """
        with self._transaction() as connection:
            load.delete_spans(connection, spans, CAPACITY_ITEMS)
            if rows.num_rows:
                load.insert(connection, load.storable(rows, CAPACITY_ITEMS), CAPACITY_ITEMS)
            load.delete_all(connection, CAPACITY_BOOKED)
            load.insert(connection, load.storable(mark, CAPACITY_BOOKED), CAPACITY_BOOKED)
        self._changed(self._loaded_batch_no)

    def checkpoint(self, *, force: bool = False) -> None:
        """Fold the write-ahead log into the database when it has grown, or always if forced."""
        wal = self._home.database.with_name(self._home.database.name + ".wal")
        if force or (wal.exists() and wal.stat().st_size > _CHECKPOINT_BYTES):
            with self._writing, _said_as_store_error():
                self._connection.execute(f"CHECKPOINT {CATALOG}").fetchall()

    def reopen(self) -> None:
        """Close the database and open it again, for an instance that has declared itself dead.

        What killed it may have been too little memory, so that it gets more.
        """
        with self._writing:
            self._connection.close()
            self._memory_mib = min(2 * self._memory_mib, _MOST_MEMORY_MIB)
            self._connection = self._opened()
            self._read_marks()

    def close(self) -> None:
        """Checkpoint and close."""
        with self._writing:
            try:
                self.checkpoint(force=True)
            except StoreError:
                log.exception("the last checkpoint failed; the write-ahead log stays for the next start")
            self._connection.close()

    def _opened(self) -> duckdb.DuckDBPyConnection:
        file = self._home.database
        try:
            connection = open_database(file, memory_mib=self._memory_mib)
        except StoreError as error:
            aside = move_aside(file)
            self.rebuilt_because = f"{error}; it is kept as {aside.name} and built again from the journal"
            log.error("%s", self.rebuilt_because)
            connection = open_database(file, memory_mib=self._memory_mib)
        return connection

    def _read_marks(self) -> None:
        self._booked_batch_no = self._newest_batch_of(BOOKED.name)
        self._changed(self._newest_batch_of(BATCHES.name))

    def _newest_batch_of(self, table: str) -> int:
        newest = f"SELECT coalesce(max(batch_no), 0) FROM {CATALOG}.{table}"  # noqa: S608 - constants of ours
        rows = self._connection.execute(newest).fetchall()
        return int(rows[0][0])

    def _changed(self, loaded_batch_no: int) -> None:
        self._loaded_batch_no = loaded_batch_no
        self._version = max(getattr(self, "_version", 0) + 1, time.time_ns() // 1_000_000)

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._writing, _said_as_store_error():
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            except BaseException:
                _roll_back(self._connection)
                raise
            self._connection.execute("COMMIT")


def _compiled(question: sa.Select[Any]) -> tuple[str, list[Any]]:
    compiled = question.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
    return str(compiled), [compiled.params[key] for key in compiled.positiontup or ()]


@contextmanager
def _said_as_store_error() -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise StoreMemoryError(f"the database may not use the memory that this needs: {error}") from error
    except (duckdb.Error, pa.ArrowException) as error:
        if isinstance(error, _DEAD) or "has been invalidated" in str(error):
            raise StoreDeadError(f"the database is to be opened again: {error}") from error
        raise StoreError(f"the database refused: {error}") from error


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error:
        log.exception("the rollback failed; the database is opened again")


def _with_zone(rows: pa.Table) -> pa.Table:
    """Return the rows with every time in UTC nanoseconds, as the table contract has them."""
    schema = pa.schema(
        pa.field(field.name, pa.timestamp("ns", "UTC")) if pa.types.is_timestamp(field.type) else field
        for field in rows.schema
    )
    return rows.cast(schema)
