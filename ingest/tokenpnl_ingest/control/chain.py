"""The audit chain: every row carries the mark of the one before it and a keyed mark of itself. Pure.

A row's mark is HMAC-SHA256 over its number, time, actor, action, detail and the mark of the row before. Who lacks the
key can neither change a row nor make one; who deletes or reorders rows breaks the chain; who cuts its end off is found
by the head, which is kept outside the database.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

GENESIS = "0" * 64


@dataclass(frozen=True)
class AuditRow:
    """One deed: who did what, when, with what in detail (a JSON object as text)."""

    seq: int
    at: str
    actor: str
    action: str
    detail: str
    prev: str
    mac: str


@dataclass(frozen=True)
class Head:
    """The last row that was written, as noted outside the database."""

    seq: int
    mac: str


def canonical(detail: dict[str, Any]) -> str:
    """Return a JSON object in the one spelling that is signed: keys sorted, no spaces."""
    return json.dumps(detail, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def signed(row: AuditRow, key: bytes) -> str:
    """Return the mark that the row must carry."""
    told = json.dumps([row.seq, row.at, row.actor, row.action, row.detail, row.prev], ensure_ascii=False)
    return hmac.new(key, told.encode(), hashlib.sha256).hexdigest()


def faults(rows: Iterable[AuditRow], key: bytes, head: Head | None) -> list[str]:
    """Return what is wrong with the chain, a sentence each; empty: nobody has touched it.

    Args:
        rows: every row, by number.
        key: the home's secret.
        head: as noted outside; None where the note is missing. Rows after it are taken when they are genuine: the
            process may have died between the row and the note.
    """
    found: list[str] = []
    prev, expected, at_head = GENESIS, 1, ""
    for row in rows:
        if row.seq != expected:
            found.append(f"row {expected} is missing or out of order: row {row.seq} stands in its place")
        if row.prev != prev:
            found.append(f"row {row.seq} does not follow the row before it")
        if row.mac != signed(row, key):
            found.append(f"row {row.seq} was changed, or written without the key of this home")
        if head is not None and row.seq == head.seq:
            at_head = row.mac
        prev, expected = row.mac, row.seq + 1
    return found + _faults_of_head(head, expected - 1, at_head)


def _faults_of_head(head: Head | None, last: int, at_head: str) -> list[str]:
    if head is None:
        return [f"the note of the last row is missing, though there are {last} rows"] if last else []
    if head.seq > last:
        return [f"the chain ends at row {last}, but row {head.seq} was written: its end was cut off"]
    if head.seq and head.mac != at_head:
        return [f"row {head.seq} is not the one that was noted outside"]
    return []
