"""The collector without its servers: decode, journal, acknowledge, load."""

import logging
import threading
import time
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any, Self

from tokenpnl.errors import OverloadedError
from tokenpnl_ingest import limits
from tokenpnl_ingest.batch import Ack, Batch
from tokenpnl_ingest.decoders import Decoders
from tokenpnl_ingest.group_commit import GroupCommit
from tokenpnl_ingest.home import Home
from tokenpnl_ingest.journal import Journal
from tokenpnl_ingest.loader import Loader, OnLoaded
from tokenpnl_ingest.otlp import Decoded, Signal
from tokenpnl_ingest.store import Store

log = logging.getLogger(__name__)


class Collector:
    """Takes requests of one home; the process holds the home as long as the collector is open.

    Attributes:
        home: the home.
        store: for questions; loading is the collector's business.
    """

    def __init__(self, home: Home, *, on_loaded: OnLoaded | None = None, processes: bool = False) -> None:
        """Take the home and open journal and store; `start` begins the work.

        Args:
            home: the home.
            on_loaded: see `start`.
            processes: whether large requests are decoded in processes of their own; for a collector that serves.

        Raises:
            StoreHeldError: another process holds the home.
        """
        self.home = home
        self._on_loaded = on_loaded
        self._resources = ExitStack()
        self._resources.enter_context(home.hold())
        self._journal = Journal(home.journal)
        self.store = Store.open(home)
        self._journal.continue_after(self.store.loaded_batch_no)
        self._room = threading.Condition()
        self._pending_requests = 0
        self._pending_bytes = 0
        self._draining = False
        self._commit: GroupCommit | None = None
        self._loader: Loader | None = None
        self._decoders = Decoders(home.secret(), processes=processes)

    def start(self, on_loaded: OnLoaded | None = None) -> Self:
        """Begin to load what the journal holds and to take requests; return self.

        Args:
            on_loaded: called after each load with the traces whose books are out of date, on the loader's thread.
        """
        self._loader = Loader(self._journal, self.store, on_loaded or self._on_loaded)
        self._commit = GroupCommit(self._journal, lambda _: self._started_loader.wake())
        self._loader.wake()
        return self

    def __enter__(self) -> Self:
        return self if self._commit else self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, signal: Signal, body: bytes, content_type: str, *, encoding: str = "identity") -> "Future[Ack]":
        """Take one export request; the future is done when its rows are on disk.

        Args:
            signal: what it carries.
            body: as sent.
            content_type: `application/x-protobuf` or `application/json`.
            encoding: `identity` or `gzip`.

        Returns:
            A future of the Ack. It carries RefusedInputError (never send it again; TooLargeError for its size) or
            OverloadedError (send it again later).
        """
        try:
            self._admit(len(body))
        except OverloadedError as error:
            return _failed(error)
        return self._when_durable(len(body), self._decoders.decode((signal, body, content_type, encoding)))

    def submit_rows(self, decoded: Decoded) -> "Future[Ack]":
        """Take rows that are decoded already, such as outcomes from the HTTP API."""
        try:
            self._admit(0)
        except OverloadedError as error:
            return _failed(error)
        return self._when_durable(0, self._decoders.pack(decoded))

    def drain(self, timeout: float = 30.0) -> bool:
        """Return whether everything taken so far was acknowledged and loaded within `timeout` seconds."""
        give_up = time.monotonic() + timeout
        with self._room:
            if not self._room.wait_for(lambda: self._pending_requests == 0, timeout):
                return False
        return self._started_loader.wait_until_loaded(self._journal.durable_batch_no, give_up - time.monotonic())

    def stop_taking(self) -> None:
        """Refuse new requests as retryable from now on; those taken are finished."""
        self._draining = True

    def finish(self) -> None:
        """Refuse new requests, finish and load what was taken; the store stays open for its readers."""
        self.stop_taking()
        self._decoders.close()
        if self._commit is not None:
            self._commit.close()
        if self._loader is not None:
            self._loader.close()

    def close(self) -> None:
        """Finish, and let go of the home."""
        self.finish()
        self.store.close()
        self._journal.close()
        self._resources.close()

    def health(self) -> dict[str, Any]:
        """Return how the collector is: `status` ok, draining or degraded, with `faults` in sentences."""
        faults = [*self._journal.faults, *([self.store.rebuilt_because] if self.store.rebuilt_because else [])]
        status = "draining" if self._draining else "degraded" if self._journal.faults else "ok"
        return {
            "status": status,
            "faults": faults,
            "durable_batch_no": self._journal.durable_batch_no,
            "loaded_batch_no": self.store.loaded_batch_no,
            "booked_batch_no": self.store.booked_batch_no,
            "batches_behind": self.batches_behind,
            "pending_requests": self._pending_requests,
        }

    @property
    def batches_behind(self) -> int:
        """How many acknowledged batches the books do not hold yet: above 0 every figure is unfinished."""
        return max(self._journal.durable_batch_no, self.store.loaded_batch_no) - self.store.booked_batch_no

    @property
    def _started_loader(self) -> Loader:
        assert self._loader is not None, "the collector was not started"
        return self._loader

    def _admit(self, size: int) -> None:
        with self._room:
            if self._draining:
                raise OverloadedError("the collector is shutting down; send again to its successor")
            # A request that is larger than the room of all has it alone: it could never come in otherwise.
            crowded = self._pending_bytes > 0 and self._pending_bytes + size > limits.PENDING_BYTES
            if self._pending_requests >= limits.PENDING_REQUESTS or crowded:
                raise OverloadedError(f"{self._pending_requests} requests are waiting; send again later")
            self._pending_requests += 1
            self._pending_bytes += size

    def _leave(self, size: int) -> None:
        with self._room:
            self._pending_requests -= 1
            self._pending_bytes -= size
            self._room.notify_all()

    def _when_durable(self, size: int, decoding: "Future[tuple[Batch, Ack]]") -> "Future[Ack]":
        answer: Future[Ack] = Future()
        answer.set_running_or_notify_cancel()  # a sender that hangs up must not disturb the others of its batch

        def decoded(done: "Future[tuple[Batch, Ack]]") -> None:
            error = done.exception()
            if error is not None:
                self._settle(answer, size, error)
                return
            batch, ack = done.result()
            if batch.empty:
                self._settle(answer, size, ack)
                return
            assert self._commit is not None, "the collector was not started"
            self._commit.write(batch).add_done_callback(lambda durable: written(durable, ack))

        def written(durable: "Future[int]", ack: Ack) -> None:
            self._settle(answer, size, durable.exception() or ack)

        decoding.add_done_callback(decoded)
        return answer

    def _settle(self, answer: "Future[Ack]", size: int, result: BaseException | Ack) -> None:
        self._leave(size)
        if isinstance(result, Ack):
            answer.set_result(result)
        else:
            answer.set_exception(result)


def _failed(error: Exception) -> "Future[Ack]":
    future: Future[Ack] = Future()
    future.set_exception(error)
    return future
