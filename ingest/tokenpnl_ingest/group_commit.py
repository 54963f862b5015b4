"""One thread that writes batches to the journal: many requests share one batch and one fdatasync."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from tokenpnl.errors import OverloadedError
from tokenpnl_ingest.batch import Batch, merged, to_payload
from tokenpnl_ingest.journal import Journal

log = logging.getLogger(__name__)
LINGER_SECONDS = 0.02
GROUP_ROWS = 4096


@dataclass(frozen=True)
class _Pending:
    batch: Batch
    durable: "Future[int]" = field(default_factory=Future)


class GroupCommit:
    """Appends batches and tells each sender when its rows are on disk.

    Args:
        journal: where to write; no other thread may append to it.
        on_durable: called with the newest durable batch number after each group, on the writer's thread.
    """

    def __init__(self, journal: Journal, on_durable: Callable[[int], None]) -> None:
        self._journal = journal
        self._on_durable = on_durable
        self._pending: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="tokenpnl-journal", daemon=True)
        self._thread.start()

    def write(self, batch: Batch) -> "Future[int]":
        """Return a future of the batch number; it is done when the rows are on disk, or carries an OverloadedError."""
        pending = _Pending(batch)
        pending.durable.set_running_or_notify_cancel()  # from here on nobody can cancel it
        self._pending.put(pending)
        return pending.durable

    def close(self) -> None:
        """Write what is pending, then stop; closing twice is harmless."""
        self._pending.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._pending.get()) is not None:
            group, closing = self._group(first)
            self._commit(group)
            if closing:
                return

    def _group(self, first: _Pending) -> tuple[list[_Pending], bool]:
        group, rows = [first], first.batch.rows
        until = time.monotonic() + LINGER_SECONDS
        while rows < GROUP_ROWS:
            try:
                more = self._pending.get(timeout=max(until - time.monotonic(), 0))
            except queue.Empty:
                break
            if more is None:
                return group, True
            group.append(more)
            rows += more.batch.rows
        return group, False

    def _commit(self, group: list[_Pending]) -> None:
        try:
            batch_no = self._journal.append(to_payload(merged(pending.batch for pending in group)))
            self._journal.sync()
        except Exception as error:
            log.exception("%d requests are refused for now", len(group))
            for pending in group:
                pending.durable.set_exception(OverloadedError(str(error)))
            return
        for pending in group:
            pending.durable.set_result(batch_no)
        self._on_durable(batch_no)
        try:
            self._journal.note_acked()
        except OSError:
            log.exception("the note of the last acknowledged batch could not be written")
