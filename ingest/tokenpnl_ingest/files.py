"""Telemetry in files: OTLP JSON lines, one OTLP/JSON document, or protobuf frames, each also as .gz."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import orjson

from tokenpnl.errors import RefusedInputError
from tokenpnl_ingest.signals import Signal

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
MAX_FRAME_BYTES = 64 * 2**20
_FRAME_SIGNALS = {b"T": Signal.TRACES, b"L": Signal.LOGS, b"M": Signal.METRICS}
_JSON_KEYS = {"resourceSpans": Signal.TRACES, "resourceLogs": Signal.LOGS, "resourceMetrics": Signal.METRICS}
_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Request:
    """One export request as a client would have sent it."""

    signal: Signal
    body: bytes
    content_type: str


def requests_in(path: Path) -> Iterator[Request]:
    """Yield the export requests of a file in order; what it holds is told from its first bytes, not from its name.

    Raises:
        RefusedInputError: when the file is neither JSON nor protobuf frames, or is damaged; names the place.
    """
    with _opened(path) as file:
        head = file.peek(8)[:8] if hasattr(file, "peek") else b""
        text = head.removeprefix(_BOM).lstrip()
        if not text:
            content = file.read()
            if content.strip():
                yield from _documents(path, content)
        elif text[:1] in b"{[":
            yield from _json_requests(path, file)
        elif head[:1] in _FRAME_SIGNALS:
            yield from _frames(path, file)
        else:
            raise RefusedInputError(
                f"{path}: expected OTLP JSON lines, an OTLP/JSON document or protobuf frames (T, L or M, 4 bytes "
                f"length, body), got a file that begins with {head!r}"
            )


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP_MAGIC
    return cast("IO[bytes]", gzip.open(path, "rb")) if zipped else path.open("rb")


def _frames(path: Path, file: IO[bytes]) -> Iterator[Request]:
    number = 0
    while header := _read(path, file, 5):
        number += 1
        length = int.from_bytes(header[1:5], "big")
        signal = _FRAME_SIGNALS.get(header[:1])
        if signal is None or len(header) < 5 or length > MAX_FRAME_BYTES:
            raise RefusedInputError(f"{path}: frame {number} has no valid header, got {header!r}")
        body = _read(path, file, length)
        if len(body) < length:
            raise RefusedInputError(f"{path}: frame {number} says {length} bytes, the file ends after {len(body)}")
        yield Request(signal, body, PROTOBUF)


def _read(path: Path, file: IO[bytes], size: int) -> bytes:
    try:
        return file.read(size)
    except (OSError, EOFError) as error:
        raise RefusedInputError(f"{path}: damaged gzip file: {error}") from error


def _json_requests(path: Path, file: IO[bytes]) -> Iterator[Request]:
    """Yield one request per line; a file whose first line is no document of its own is one document."""
    try:
        first = file.readline()
        try:
            orjson.loads(first.removeprefix(_BOM))
        except orjson.JSONDecodeError:
            yield from _documents(path, first + file.read())
            return
        yield from _documents(path, first)
        for number, line in enumerate(file, 2):
            if line.strip():
                yield from _documents(path, line, f" line {number}")
    except (OSError, EOFError) as error:
        raise RefusedInputError(f"{path}: damaged gzip file: {error}") from error


def _documents(path: Path, body: bytes, place: str = "") -> Iterator[Request]:
    try:
        document = orjson.loads(body.removeprefix(_BOM))
    except orjson.JSONDecodeError as error:
        raise RefusedInputError(f"{path}{place}: expected JSON, got {error}") from error
    for part in document if isinstance(document, list) else [document]:
        signals = [signal for key, signal in _JSON_KEYS.items() if isinstance(part, dict) and key in part]
        if not signals and part:
            raise RefusedInputError(f"{path}{place}: expected resourceSpans, resourceLogs or resourceMetrics")
        for signal in signals:
            yield Request(signal, orjson.dumps(part) if isinstance(document, list) else body, JSON)
