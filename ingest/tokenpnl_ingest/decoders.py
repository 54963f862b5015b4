"""Requests to batches, beside the interpreter lock: threads, each with a process of its own for bodies that are large.

Decoding is the most expensive step of ingest, and it is Python. In one process it would share one core with everything
else; a process per thread gives it the others. Small bodies stay in the thread: they cost less than the way out.
"""

import logging
import signal as signals
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

from tokenpnl.errors import OverloadedError, RefusedInputError
from tokenpnl_ingest import limits
from tokenpnl_ingest.batch import Ack, Batch, batch_of, from_payload, to_payload
from tokenpnl_ingest.otlp import Decoded, Signal, decode

log = logging.getLogger(__name__)
_THREADS = 2
_OWN_PROCESS_BYTES = 32 * 1024
_READY = "ready"
Request = tuple[Signal, bytes, str, str]


class Decoders:
    """Two threads that decode; each starts a process when the first large body comes, and uses it once it is up.

    Args:
        secret: key of the fingerprints that replace content.
        processes: whether large bodies may have processes.
    """

    def __init__(self, secret: bytes, *, processes: bool) -> None:
        self._secret = secret
        self._processes = processes
        self._local = threading.local()
        self._started: list[_Worker] = []
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="tokenpnl-decode")

    def decode(self, request: Request) -> "Future[tuple[Batch, Ack]]":
        """Return a future of the rows, and of what to tell the sender."""
        return self._pool.submit(self._decode, request)

    def pack(self, decoded: Decoded) -> "Future[tuple[Batch, Ack]]":
        """Return a future of rows that are decoded already."""
        return self._pool.submit(_packed, decoded)

    def close(self) -> None:
        """Finish what was taken and stop the processes."""
        self._pool.shutdown()
        while self._started:
            self._started.pop().close()

    def _decode(self, request: Request) -> tuple[Batch, Ack]:
        if not self._processes or len(request[1]) < _OWN_PROCESS_BYTES:
            return _decoded(request, self._secret)
        worker = getattr(self._local, "worker", None)
        if worker is None:
            worker = self._local.worker = _Worker(self._secret)
            self._started.append(worker)
        try:
            return worker.decode(request) if worker.ready() else _decoded(request, self._secret)
        except (EOFError, OSError) as error:
            log.exception("a decoding process died; the next large request gets a new one")
            self._local.worker = None
            self._started.remove(worker)
            worker.close()
            raise OverloadedError("the decoder died; send again") from error


class _Worker:
    """A process that decodes; it ends by itself when this one does, because its pipe closes."""

    def __init__(self, secret: bytes) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "tokenpnl_ingest.decoder_process", str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()])  # noqa: S603 - a list built here
        self._pipe: Connection[Any, Any] = Connection(ours.detach())
        self._pipe.send(secret)
        self._ready = False

    def ready(self) -> bool:
        """Return whether the process has finished its imports."""
        if not self._ready and self._pipe.poll():
            self._ready = self._pipe.recv() == _READY
        return self._ready

    def decode(self, request: Request) -> tuple[Batch, Ack]:
        """Return the rows, or raise what the process raised."""
        self._pipe.send(request)
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        payload, ack = answer
        return from_payload(payload), ack

    def close(self) -> None:
        """Close the pipe and wait for the end of the process."""
        self._pipe.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def work(descriptor: int) -> None:
    """Decode what comes through the pipe until it closes; the other side of a `_Worker`."""
    # A signal to the terminal's whole group is for the parent to handle; it closes the pipe when it has finished.
    signals.signal(signals.SIGINT, signals.SIG_IGN)
    signals.signal(signals.SIGTERM, signals.SIG_IGN)
    pipe: Connection[Any, Any] = Connection(descriptor)
    try:
        secret = pipe.recv()
        pipe.send(_READY)
        while True:
            pipe.send(_answered(pipe.recv(), secret))
    except (EOFError, OSError):
        return


def _answered(request: Request, secret: bytes) -> tuple[bytes, Ack] | Exception:
    try:
        batch, ack = _decoded(request, secret)
        return to_payload(batch, compress=False), ack
    except RefusedInputError as error:
        return error
    except Exception as error:  # noqa: BLE001 - the process's border: the parent raises it again
        return RuntimeError(f"decoding failed: {error!r}")


def _decoded(request: Request, secret: bytes) -> tuple[Batch, Ack]:
    signal, body, content_type, encoding = request
    if encoding == "gzip":
        body = limits.inflate(body)
    elif encoding != "identity":
        raise RefusedInputError(f"expected content-encoding gzip or identity, got {encoding!r}")
    return _packed(decode(signal, body, content_type, secret=secret))


def _packed(decoded: Decoded) -> tuple[Batch, Ack]:
    return batch_of(decoded, time.time_ns()), Ack(decoded.refused, decoded.refusal_message)
