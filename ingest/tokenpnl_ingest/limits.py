"""How much one request, one client and the collector as a whole may take, who may reach it, and bounded inflation."""

import ipaddress
import zlib
from collections.abc import Iterator

from tokenpnl.errors import ConfigurationError, RefusedInputError, TooLargeError

MIB = 1024 * 1024
HTTP_BODY_BYTES = 20 * MIB
GRPC_MESSAGE_BYTES = 4 * MIB
HEAD_SECONDS = 10.0
BODY_SECONDS = 30.0
CONNECTIONS_PER_ADDRESS = 512
PENDING_BYTES = 64 * MIB
PENDING_REQUESTS = 1024
RETRY_AFTER_SECONDS = 1

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


def inflate(body: bytes, limit: int = HTTP_BODY_BYTES) -> bytes:
    """Return the content of a gzip body of one or more members, never holding more than `limit` bytes of it.

    Raises:
        TooLargeError: the content exceeds `limit`; inflation stopped there.
        RefusedInputError: the body is not gzip, or is cut short.
    """
    return b"".join(_members(body, limit))


def _members(body: bytes, limit: int) -> Iterator[bytes]:
    rest, room = body, limit
    while rest:
        member = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            piece = member.decompress(rest, room + 1)
        except zlib.error as error:
            raise RefusedInputError(f"expected a gzip body, {error}; send it uncompressed or repair it") from None
        if len(piece) > room:
            raise TooLargeError(f"the body exceeds {limit} bytes after decompression; send smaller batches")
        if not member.eof:
            raise RefusedInputError("the gzip body ends early; send it whole")
        yield piece
        room -= len(piece)
        rest = member.unused_data


def refuse_beyond_loopback(host: str) -> None:
    """Return when the address can be reached from this machine alone.

    Raises:
        ConfigurationError: it can be reached from elsewhere.
    """
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigurationError(
            f"cannot listen on {host!r}: without API keys, which this release does not have, everybody who reaches "
            "the address could read and write; use 127.0.0.1 and a tunnel, or an OpenTelemetry Collector in front"
        )
