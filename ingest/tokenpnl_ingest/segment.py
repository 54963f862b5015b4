"""One journal segment as bytes: a head, then records of length, CRC32C, batch number and payload."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import google_crc32c

SEGMENT_HEAD = b"TPNLJ001"
_MARK = b"\x8eTPR"  # the first byte is no UTF-8, so that text in a payload seldom looks like a record
_HEAD = struct.Struct("<4sIIQ")
_NUMBER = struct.Struct("<Q")
RECORD_HEAD_BYTES = _HEAD.size


@dataclass(frozen=True, slots=True)
class Record:
    """One whole record; `end` is the offset behind it."""

    batch_no: int
    payload: bytes
    end: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes from `start` to `end` that are no record; `end` is where the next one begins or the segment ends."""

    start: int
    end: int


def record_head(batch_no: int, payload: bytes) -> bytes:
    """Return the bytes that stand before the payload."""
    return _HEAD.pack(_MARK, len(payload), _checksum(batch_no, payload), batch_no)


def records(content: bytes, start: int = len(SEGMENT_HEAD)) -> Iterator[Record | Damage]:
    """Yield what lies in the segment from `start`: whole records and the damage between them, in order."""
    offset = start
    while offset < len(content):
        record = _record_at(content, offset)
        if record is None:
            end = _next_record(content, offset + 1)
            yield Damage(offset, end)
            offset = end
        else:
            yield record
            offset = record.end


def read_record(source: BinaryIO, offset: int) -> Record | None:
    """Return the record that begins at `offset` of the file, or None when there is no whole one."""
    source.seek(offset)
    head = source.read(RECORD_HEAD_BYTES)
    if len(head) < RECORD_HEAD_BYTES or not head.startswith(_MARK):
        return None
    _, length, checksum, batch_no = _HEAD.unpack(head)
    payload = source.read(length)
    if len(payload) < length or _checksum(batch_no, payload) != checksum:
        return None
    return Record(batch_no, payload, offset + RECORD_HEAD_BYTES + length)


def _record_at(content: bytes, offset: int) -> Record | None:
    body = offset + RECORD_HEAD_BYTES
    if body > len(content):
        return None
    mark, length, checksum, batch_no = _HEAD.unpack_from(content, offset)
    if mark != _MARK or body + length > len(content):
        return None
    payload = content[body : body + length]
    return Record(batch_no, payload, body + length) if _checksum(batch_no, payload) == checksum else None


def _next_record(content: bytes, offset: int) -> int:
    while (found := content.find(_MARK, offset)) >= 0:
        if _record_at(content, found) is not None:
            return found
        offset = found + 1
    return len(content)


def _checksum(batch_no: int, payload: bytes) -> int:
    checksum: int = google_crc32c.extend(google_crc32c.value(_NUMBER.pack(batch_no)), payload)
    return checksum
