"""What OTLP says, before anybody reads meaning into it: spans and log records with plain Python values."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One span event."""

    name: str
    time_ns: int
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RawSpan:
    """One span as sent. Ids are lower-case hex; times are UTC nanoseconds, `end_ns` 0 when it never ended.

    Attribute values are str, bool, int, float, list, dict or None; bytes are base64 text.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: str
    start_ns: int
    end_ns: int
    status_code: str
    status_message: str
    scope_name: str
    scope_version: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    events: list[RawEvent] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    trace_state: str = ""


@dataclass(frozen=True, slots=True)
class RawLog:
    """One log record as sent. `trace_id` and `span_id` are empty when the record has none."""

    trace_id: str
    span_id: str
    event_name: str
    time_ns: int
    severity: str
    body: Any
    scope_name: str
    scope_version: str
    attributes: dict[str, Any]
    resource: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RawPoint:
    """One data point of a metric as sent; a histogram is its sum and its number of observations.

    `start_ns` is 0 where the sender gives none, `temporality` delta, cumulative or None for a gauge.
    """

    name: str
    unit: str
    time_ns: int
    start_ns: int
    value: float
    count: int | None
    temporality: str | None
    attributes: dict[str, Any]
    resource: dict[str, Any]
