"""Whether the tables say what the audit chain says: what stands in one of them alone, or otherwise, is told. Pure.

The chain is signed and the tables are not. So a close, a signature or a result of reconciliation counts as done only
where a row of the chain tells of it, and a row of the chain must still have what it tells of.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tokenpnl_ingest.control.chain import AuditRow

Rows = Sequence[Mapping[str, Any]]
_WRITTEN = {
    "soft_close": "closes",
    "close": "closes",
    "reopen": "closes",
    "schedule": "schedules",
    "record_reconciliation": "reconciliations",
}
_STATES = {"soft_close": "soft", "close": "closed", "reopen": "reopened"}
_DATED_BY = {"closes": "at", "schedules": "posted_at", "reconciliations": "recorded_at"}


def contradictions(trail: Sequence[AuditRow], tables: Mapping[str, Rows]) -> list[str]:
    """Return where tables and chain contradict each other, a sentence each; empty: nowhere.

    Args:
        trail: the whole chain, by number.
        tables: rows of `closes`, `schedules`, `reconciliations`, `sign_offs`, `price_versions` with times as text.
            Sentences that somebody accepted with the chain are left out.
    """
    told = [(row, detail) for row in trail if (detail := _object(row.detail)) is not None]
    found = [
        *_by_number(told, tables),
        *_signatures(told, tables["reconciliations"]),
        *_sign_offs(told, tables["sign_offs"]),
        *_versions(told, tables["price_versions"]),
    ]
    accepted = {text for row, detail in told if row.action == "accept_chain" for text in detail.get("faults", ())}
    return [sentence for sentence in found if sentence not in accepted]


def _by_number(told: Sequence[tuple[AuditRow, dict[str, Any]]], tables: Mapping[str, Rows]) -> Iterator[str]:
    known: dict[tuple[str, Any], dict[str, Any]] = {}
    for row, detail in told:
        if row.action in _WRITTEN:
            table = _WRITTEN[row.action]
            state = {"state": _STATES[row.action]} if row.action in _STATES else {}
            known[table, detail.get("id")] = {**detail, **state, _DATED_BY[table]: row.at}
    for table in _DATED_BY:
        for stored in tables[table]:
            name = (table, stored["id"])
            if name not in known:
                yield f"{table} {stored['id']} stands in the database, but the audit chain does not know it"
                continue
            wrong = [key for key, value in known.pop(name).items() if key in stored and stored[key] != value]
            if wrong:
                yield f"{table} {stored['id']}: {', '.join(wrong)} is not what the audit chain tells"
    for table, number in known:
        yield f"{table} {number} is told by the audit chain, but is gone from the database"


def _signatures(told: Sequence[tuple[AuditRow, dict[str, Any]]], rows: Rows) -> Iterator[str]:
    signed = {
        detail.get("id"): (row.at, row.actor, detail.get("reason"))
        for row, detail in told
        if row.action == "sign_reconciliation"
    }
    nobody = (None, None, None)
    for row in rows:
        if (row["signed_at"], row["signed_by"], row["signed_reason"]) != signed.get(row["id"], nobody):
            yield f"reconciliations {row['id']}: who signed for it is not what the audit chain tells"


def _sign_offs(told: Sequence[tuple[AuditRow, dict[str, Any]]], rows: Rows) -> Iterator[str]:
    there = Counter((row["signed_at"], row["signed_by"], row["month"], row["subject"], row["reason"]) for row in rows)
    done = Counter(
        (row.at, row.actor, detail.get("month"), detail.get("subject"), detail.get("reason"))
        for row, detail in told
        if row.action == "sign_off"
    )
    for _, actor, month, subject, _ in (there - done).elements():
        yield f"{month}: {subject} is signed by {actor} in the database, but the audit chain does not know it"
    for _, actor, month, subject, _ in (done - there).elements():
        yield f"{month}: {actor} signed {subject}, but that is gone from the database"


def _versions(told: Sequence[tuple[AuditRow, dict[str, Any]]], rows: Rows) -> Iterator[str]:
    digests = {detail.get("version"): detail.get("sha256") for row, detail in told if row.action == "record_version"}
    for row in rows:
        if digests.get(row["version"]) != row["content_sha256"]:
            yield f"price version {row['version']} is not the one that the audit chain tells of"


def _object(text: str) -> dict[str, Any] | None:
    try:
        told = json.loads(text)
    except ValueError:  # edited; the chain's own check says so
        return None
    return told if isinstance(told, dict) else None
