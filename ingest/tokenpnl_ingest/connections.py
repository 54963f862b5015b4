"""What an HTTP connection may cost: a head within seconds, and so many connections per address."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import cast

from tokenpnl_ingest import limits


class GuardedConnections:
    """A protocol factory around another: slow heads are cut, and an address gets no more than its share.

    aiohttp has no limit of its own for a request head that never ends.
    """

    def __init__(self, inner: Callable[[], asyncio.Protocol], *, head_seconds: float = limits.HEAD_SECONDS) -> None:
        self._inner = inner
        self._head_seconds = head_seconds
        self._open: Counter[str] = Counter()

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of one new connection."""
        return GuardedConnection(self._inner(), self._open, self._head_seconds)


class GuardedConnection(asyncio.Protocol):
    """One connection; the receiver tells it when a request's head is complete and when its answer is out."""

    def __init__(self, inner: asyncio.Protocol, connections: Counter[str], head_seconds: float) -> None:
        self._inner = inner
        self._connections = connections
        self._head_seconds = head_seconds
        self._address = ""
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._busy = False

    def head_complete(self) -> None:
        """Stop the clock: the head of a request is here."""
        self._busy = True
        self._disarm()

    def answered(self) -> None:
        """Note that the answer is out; the clock starts again with the first byte of the next request."""
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the connection, or drop it when its address has its share."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._address = peer[0] if peer else ""
        self._connections[self._address] += 1
        self._inner.connection_made(transport)
        if self._connections[self._address] > limits.CONNECTIONS_PER_ADDRESS:
            self._transport.abort()
            return
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Hand the bytes on; the first of a request start the clock."""
        if not self._busy and self._deadline is None:
            self._arm()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Hand it on."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """Hand it on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Hand it on."""
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._disarm()
        self._connections[self._address] -= 1
        if not self._connections[self._address]:
            del self._connections[self._address]
        self._inner.connection_lost(exc)

    def _arm(self) -> None:
        self._deadline = asyncio.get_running_loop().call_later(self._head_seconds, self._too_slow)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self._transport is not None:
            self._transport.abort()
