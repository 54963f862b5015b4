"""The note of the audit chain's last row, in a file outside the database; it also lets one writer in at a time."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tokenpnl.errors import StoreError
from tokenpnl_ingest.control.chain import Head


class HeadFile:
    """`audit.head` beside the control database, replaced whole."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> Head | None:
        """Return the note, None when there is none.

        Raises:
            StoreError: it is there and says nothing that can be read.
        """
        try:
            told = json.loads(self._file.read_text(encoding="utf-8"))
            return Head(int(told["seq"]), str(told["mac"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{self._file} holds no note of the audit chain: {error}; look in a backup, then at who wrote it"
            ) from error

    def write(self, head: Head) -> None:
        """Put the note on disk, whole or not at all."""
        draft = self._file.with_name(f"{self._file.name}.{os.getpid()}.tmp")
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as sink:
            sink.write(json.dumps({"seq": head.seq, "mac": head.mac}) + "\n")
            sink.flush()
            os.fsync(sink.fileno())
        draft.replace(self._file)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one writer of this home in at a time, so that a note is never replaced by an older one."""
        descriptor = os.open(self._file.with_name(f"{self._file.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
