"""The thread that follows the journal and loads what is durable into the store; the one path in, also after a crash."""

import logging
import threading
import time
from collections.abc import Callable

from tokenpnl.errors import StoreDeadError, StoreError, StoreMemoryError
from tokenpnl_ingest.batch import Batch, from_payload
from tokenpnl_ingest.journal import Journal
from tokenpnl_ingest.store import Store

log = logging.getLogger(__name__)
OnLoaded = Callable[[list[str]], None]
# Few large loads: DuckDB's cost per transaction is that of a thousand rows.
_PAUSE_SECONDS = 0.4
_PAYLOAD_BYTES = 2 * 1024 * 1024  # about 8,000 spans
_TROUBLE_SECONDS = 1.0


class Loader:
    """Loads durable batches in order.

    Args:
        on_loaded: called after each load with the traces whose books are out of date, on the loader's thread.
    """

    def __init__(self, journal: Journal, store: Store, on_loaded: OnLoaded | None = None) -> None:
        self._journal = journal
        self._store = store
        self._on_loaded = on_loaded
        self._follower = journal.follow(store.loaded_batch_no)
        self._wake = threading.Event()
        self._progress = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="tokenpnl-loader", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that there may be new durable batches."""
        self._wake.set()

    def wait_until_loaded(self, batch_no: int, timeout: float) -> bool:
        """Return whether every durable batch up to `batch_no` was loaded, or given up, within `timeout` seconds."""
        self.wake()
        with self._progress:
            return self._progress.wait_for(lambda: self._store.loaded_batch_no >= batch_no, timeout)

    def close(self) -> None:
        """Load what is durable, as far as the store allows, and stop."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            closing = self._closing
            try:
                self._load_all()
                self._store.checkpoint()
            except Exception as error:
                log.exception("loading stopped; the journal keeps everything")
                self._recover(error)
                if not closing:
                    time.sleep(_TROUBLE_SECONDS)
                    self._wake.set()
            with self._progress:
                self._progress.notify_all()
            if closing:
                return
            time.sleep(_PAUSE_SECONDS)

    def _load_all(self) -> None:
        while taken := self._follower.take(_PAYLOAD_BYTES):
            self._load([(number, from_payload(payload)) for number, payload in taken])
            with self._progress:
                self._progress.notify_all()

    def _load(self, batches: list[tuple[int, Batch]]) -> None:
        try:
            loaded = self._store.load(batches)
        except StoreError as error:
            if isinstance(error, StoreDeadError):
                raise
            self._load_one_by_one(batches, error)
            return
        if self._on_loaded is not None and loaded.trace_ids:
            self._on_loaded(loaded.trace_ids)

    def _load_one_by_one(self, batches: list[tuple[int, Batch]], error: StoreError) -> None:
        """Load each batch alone, so that one that the store cannot take does not stop the others for ever."""
        if len(batches) > 1:
            for batch in batches:
                self._load([batch])
            return
        if isinstance(error, StoreMemoryError):
            raise error
        number = batches[0][0]
        self._journal.report(f"batch {number} cannot be loaded and stays in the journal only: {error}")
        self._store.load([(number, Batch(batches[0][1].received_at_ns))])

    def _recover(self, error: Exception) -> None:
        """Open a database again that is dead or has too little memory, and go back to what it really holds."""
        if isinstance(error, (StoreDeadError, StoreMemoryError)):
            try:
                self._store.reopen()
            except StoreError:
                log.exception("the database does not open; the journal keeps everything, the next try is in a second")
        self._follower = self._journal.follow(self._store.loaded_batch_no)
