"""OTLP requests to rows: pure, content-free, and never raising anything but a refusal."""

import time
from dataclasses import dataclass, field
from typing import Any

from tokenpnl.errors import RefusedInputError
from tokenpnl.model import Flag
from tokenpnl_ingest import otlp_statements, wire_json, wire_protobuf
from tokenpnl_ingest.content import DEFAULT_SECRET
from tokenpnl_ingest.dialects.logs import read_log
from tokenpnl_ingest.dialects.read import as_json, columns_of, hash_of, read_span
from tokenpnl_ingest.dialects.reading import plain
from tokenpnl_ingest.metrics import read_point
from tokenpnl_ingest.quarantine import FLAGGED, entry
from tokenpnl_ingest.signals import Signal
from tokenpnl_ingest.wire import Received

__all__ = ["Decoded", "Signal", "decode"]

_WIRES = {"application/x-protobuf": wire_protobuf, "application/protobuf": wire_protobuf, "application/json": wire_json}
_DAY_NS = 86_400 * 10**9
_FIRST_PLAUSIBLE_NS = 946_684_800 * 10**9  # 2000; no LLM span is older, an unset clock is


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one request turned into.

    Rows lack the arrival columns (`received_at`, `recorded_at`, `batch_no`); times are nanoseconds, money is Decimal.
    `refused` counts records that were not stored, `refusal_message` says why in one line for the partial success.
    """

    spans: list[dict[str, Any]] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    log_records: int = 0
    metric_points: int = 0
    refused: int = 0
    refusal_message: str = ""


def decode(
    signal: Signal,
    body: bytes,
    content_type: str,
    *,
    secret: bytes = DEFAULT_SECRET,
    received_at_ns: int | None = None,
) -> Decoded:
    """Return the rows of one export request.

    Args:
        signal: what the request carries.
        body: the request after inflation.
        content_type: `application/x-protobuf` or `application/json`, parameters allowed.
        secret: key of the fingerprints that replace content.
        received_at_ns: arrival, against which times are judged; default now.

    Raises:
        RefusedInputError: when nothing of the body can be read.
    """
    wire = _WIRES.get(content_type.partition(";")[0].strip().lower())
    if wire is None:
        raise RefusedInputError(f"expected application/x-protobuf or application/json, got {content_type[:64]!r}")
    arrival = time.time_ns() if received_at_ns is None else received_at_ns
    received: Received = getattr(wire, signal.value)(body)
    batch = _Batch(received, signal, secret, arrival)
    if signal is Signal.TRACES:
        batch.take_spans()
    elif signal is Signal.LOGS:
        batch.take_logs()
    else:
        batch.take_points()
    return batch.decoded()


class _Batch:
    """The rows of one request while they are made."""

    def __init__(self, received: Received, signal: Signal, secret: bytes, arrival_ns: int) -> None:
        self.received = received
        self.signal = signal
        self.secret = secret
        self.arrival_ns = arrival_ns
        self.spans: list[dict[str, Any]] = []
        self.points: list[dict[str, Any]] = []
        self.said = otlp_statements.Statements()
        self.resources: dict[str, dict[str, Any]] = {}
        self._last_resource: dict[str, Any] | None = None
        self._last_hash = ""
        self._last_columns: dict[str, Any] = {}

    def take_spans(self) -> None:
        """Turn every span into a row, and its events into outcomes and evaluations."""
        for span, flags in self.received.spans:
            resource_hash = self._resource_hash(span.resource)
            row = read_span(span, secret=self.secret, resource_columns=self._last_columns)
            self._store(row, resource_hash, flags)
            if span.events:
                self.said.of_span(span, self.received)

    def take_logs(self) -> None:
        """Turn log records that report usage or attempts into rows, statements into outcomes and evaluations."""
        for log, flags in self.received.logs:
            if self.said.of_log(log, self.received):
                continue
            row = read_log(log, secret=self.secret)
            if row is not None:
                self._store(row, self._resource_hash(log.resource), flags)

    def take_points(self) -> None:
        """Turn the data points of known metrics into rows; one whose clock cannot be true measured nothing."""
        for point in self.received.points:
            if _FIRST_PLAUSIBLE_NS <= point.time_ns <= self.arrival_ns + _DAY_NS:
                self.points.append({**read_point(point), "resource_hash": self._resource_hash(point.resource)})

    def decoded(self) -> Decoded:
        """Return what was gathered."""
        received = self.received
        reasons = [entry["detail"] for entry in received.quarantined if entry["refused"]]
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        return Decoded(
            spans=self.spans,
            resources=list(self.resources.values()),
            outcomes=self.said.outcomes,
            evaluations=self.said.evaluations,
            metrics=self.points,
            quarantined=received.quarantined,
            log_records=len(received.logs),
            metric_points=received.metric_points,
            refused=received.refused,
            refusal_message=f"{reasons[0]}{more}" if reasons else "",
        )

    def _store(self, row: dict[str, Any], resource_hash: str, wire_flags: frozenset[Flag]) -> None:
        row["resource_hash"] = resource_hash
        flags = set(wire_flags)
        if not _FIRST_PLAUSIBLE_NS <= row["started_at"] <= self.arrival_ns + _DAY_NS:
            self._move_to_arrival(row)
            flags.add(Flag.TIME_IMPLAUSIBLE)
        if flags:
            row["flags"] = ",".join(sorted(flags.union(filter(None, row["flags"].split(",")))))
        if row["flags"]:
            self._quarantine(row)
        self.spans.append(row)

    def _move_to_arrival(self, row: dict[str, Any]) -> None:
        """Book a record whose clock is wrong at its arrival; its own times stay beside."""
        took = min(max((row["ended_at"] or row["started_at"]) - row["started_at"], 0), _DAY_NS)
        original = {
            "tokenpnl.original.started_at_ns": row["started_at"],
            "tokenpnl.original.ended_at_ns": row["ended_at"],
        }
        rest = row["attributes_json"][1:]
        row["attributes_json"] = as_json(original)[:-1] + ("" if rest == "}" else ",") + rest
        row["started_at"] = self.arrival_ns
        row["ended_at"] = None if row["ended_at"] is None else self.arrival_ns + took

    def _resource_hash(self, resource: dict[str, Any]) -> str:
        if resource is not self._last_resource:
            kept = plain(resource)
            self._last_resource, self._last_hash = resource, hash_of(sorted(kept.items()))
            self._last_columns = columns_of(resource)
            self.resources[self._last_hash] = {
                "tenant": "default",
                "resource_hash": self._last_hash,
                "attributes_json": as_json(kept),
            }
        return self._last_hash

    def _quarantine(self, row: dict[str, Any]) -> None:
        for flag in row["flags"].split(","):
            reason = FLAGGED.get(flag)
            if reason is not None:
                detail = f"{row['dialect']} span {row['name'][:80]!r} is stored with this flag"
                ids = (row["trace_id"], row["span_id"])
                self.received.quarantined.append(entry(reason, self.signal.value, detail, refused=False, ids=ids))
