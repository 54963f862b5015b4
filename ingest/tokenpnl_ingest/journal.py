"""The journal: every accepted batch, on disk before its senders hear of it, and never silently lost.

Segments are kept for good in this release, because the store is rebuilt from them.
"""

import logging
import os
from bisect import bisect_right
from pathlib import Path

import google_crc32c

from tokenpnl.errors import StoreError
from tokenpnl_ingest.segment import SEGMENT_HEAD, Damage, Record, read_record, record_head, records

log = logging.getLogger(__name__)
SEGMENT_BYTES = 64 * 1024 * 1024


class Journal:
    """Numbered batches in segment files. One thread appends and syncs; any thread reads what is durable.

    Attributes:
        durable_batch_no: the newest batch whose bytes `fdatasync` confirmed; 0 when there is none.
        faults: what is wrong with acknowledged batches, in sentences; empty when nothing is.
    """

    def __init__(self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._descriptor: int | None = None
        self._end = self._durable_end = 0
        self._acked_file = os.open(folder / "acked", os.O_CREAT | os.O_RDWR, 0o600)
        self.faults: list[str] = []
        acked = self._acked_batch_no()
        self.durable_batch_no = self._recover(acked)
        self._written_batch_no = max(self.durable_batch_no, acked)

    # --- writing

    def append(self, payload: bytes) -> int:
        """Write one batch behind the others and return its number; it is durable only after `sync`.

        Raises:
            StoreError: the disk refused; the batch is not in the journal.
        """
        batch_no = self._written_batch_no + 1
        head = record_head(batch_no, payload)
        try:
            descriptor = self._open_segment(batch_no)
            if os.pwritev(descriptor, [head, payload], self._end) != len(head) + len(payload):
                raise OSError(f"short write of {len(payload)} bytes")
        except OSError as error:
            self._take_back()
            raise StoreError(
                f"the journal in {self._folder} cannot be written: {error}; free space or repair"
            ) from error
        self._end += len(head) + len(payload)
        self._written_batch_no = batch_no
        return batch_no

    def sync(self) -> None:
        """Return when every appended batch is on disk.

        Raises:
            StoreError: the disk did not confirm; the batches since the last `sync` are taken back.
        """
        if self._descriptor is None:
            return
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            self._take_back()
            raise StoreError(f"the journal in {self._folder} cannot be synced: {error}; check the disk") from error
        self._durable_end = self._end
        self.durable_batch_no = self._written_batch_no

    def note_acked(self) -> None:
        """Remember on disk how far the acknowledgements went, so that a loss is noticed at the next start."""
        note = b"%020d" % self.durable_batch_no
        os.pwrite(self._acked_file, b"%s %08x\n" % (note, google_crc32c.value(note)), 0)
        os.fdatasync(self._acked_file)

    def continue_after(self, batch_no: int) -> None:
        """Never give a number up to `batch_no` again; for a store that has loaded more than the journal holds."""
        if batch_no > self._written_batch_no:
            self.report(
                f"the store has loaded batch {batch_no}, the journal ends at {self._written_batch_no}: "
                "the journal lost its end; the store still has those rows, back it up"
            )
            self._written_batch_no = batch_no

    def close(self) -> None:
        """Close the files; appended batches that were not synced are not promised."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        os.close(self._acked_file)
        self._descriptor = None

    def _open_segment(self, batch_no: int) -> int:
        if self._descriptor is not None and self._end < self._segment_bytes:
            return self._descriptor
        if self._descriptor is not None:
            self.sync()
            os.close(self._descriptor)
            self._descriptor = None
        path = self._folder / f"{batch_no:012d}.log"
        # A leftover of that name holds only what `_take_back` could not remove.
        descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600)
        try:
            os.pwrite(descriptor, SEGMENT_HEAD, 0)
            os.fsync(descriptor)
            _sync_folder(self._folder)
        except OSError:
            # A full disk is tried again with every request: each try would keep a descriptor.
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self._end = self._durable_end = len(SEGMENT_HEAD)
        return descriptor

    def _take_back(self) -> None:
        """Cut off what was not confirmed and leave the segment: after a failed sync its pages cannot be trusted."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            os.ftruncate(descriptor, self._durable_end)
            self._written_batch_no = self.durable_batch_no
        except OSError:
            self._written_batch_no += 1
            log.exception("unconfirmed batches stay behind in the journal; their numbers are not used again")
        finally:
            os.close(descriptor)

    # --- reading

    def follow(self, after: int) -> "Follower":
        """Return a reader of the durable batches above `after`; any thread may use it, one at a time."""
        return Follower(self, after)

    def segments_from(self, batch_no: int) -> list[Path]:
        """Return the segments that can hold batches from `batch_no` on, in order."""
        segments = self._segments()
        first = bisect_right([int(path.stem) for path in segments], batch_no) - 1
        return segments[max(first, 0) :]

    def report(self, fault: str) -> None:
        """Log the fault and keep it in `faults`, once."""
        if fault not in self.faults:
            log.error("%s", fault)
            self.faults.append(fault)

    def _segments(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*.log"))

    # --- opening

    def _acked_batch_no(self) -> int:
        content = os.pread(self._acked_file, 64, 0)
        if not content:
            return 0
        number, _, checksum = content.strip().partition(b" ")
        if b"%08x" % google_crc32c.value(number) != checksum:
            self.report("the note of the last acknowledged batch is damaged; a lost end would not be noticed")
            return 0
        return int(number)

    def _recover(self, acked: int) -> int:
        """Return the last batch on disk; cut off the torn end, report what acknowledged batches are missing."""
        last = 0
        for path in reversed(self._segments()):
            found = list(records(path.read_bytes()))
            if found and isinstance(tail := found[-1], Damage):
                self._cut_tail(path, tail)
            whole = [record.batch_no for record in found if isinstance(record, Record)]
            if whole:
                _sync_file(path)
                last = whole[-1]
                break
        if last < acked:
            self.report(
                f"batches {last + 1}-{acked} were acknowledged and are not in {self._folder}; "
                "restore them from a backup or have their senders send again"
            )
        return last

    def _cut_tail(self, path: Path, tail: Damage) -> None:
        content = path.read_bytes()[tail.start :]
        kept = path.with_suffix(f".torn-{tail.start}")
        kept.write_bytes(content)
        os.truncate(path, tail.start)
        _sync_file(path)
        log.warning("%s ended in an unfinished write of %d bytes; they are in %s", path.name, len(content), kept.name)


class Follower:
    """A reader that goes on where it stopped.

    Attributes:
        after: the last batch it has read.
    """

    def __init__(self, journal: Journal, after: int) -> None:
        self._journal = journal
        self.after = after
        self._path: Path | None = None
        self._offset = len(SEGMENT_HEAD)

    def take(self, max_bytes: int) -> list[tuple[int, bytes]]:
        """Return the next durable batches as (batch number, payload), at least one if there is one.

        Stops behind the batch that exceeds `max_bytes`. A damaged record is reported to the journal and passed over.
        """
        taken: list[tuple[int, bytes]] = []
        size, durable = 0, self._journal.durable_batch_no
        while self.after < durable and size < max_bytes:
            record = self._next()
            if record is None:
                break
            if record.batch_no > self.after:
                taken.append((record.batch_no, record.payload))
                size += len(record.payload)
                self.after = record.batch_no
        return taken

    def _next(self) -> Record | None:
        for path in self._paths():
            if path != self._path:
                self._path, self._offset = path, len(SEGMENT_HEAD)
            with path.open("rb") as source:
                found = read_record(source, self._offset)
                if found is None:
                    found = self._past_damage(path)
            if found is not None:
                self._offset = found.end
                return found
        return None

    def _paths(self) -> list[Path]:
        if self._path is None:
            return self._journal.segments_from(self.after + 1)
        return [self._path, *(path for path in self._journal.segments_from(0) if path > self._path)]

    def _past_damage(self, path: Path) -> Record | None:
        for found in records(path.read_bytes(), self._offset):
            if isinstance(found, Record):
                return found
            self._journal.report(
                f"{path.name}: bytes {found.start}-{found.end} are damaged; the batches in them cannot be read"
            )
        return None


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
