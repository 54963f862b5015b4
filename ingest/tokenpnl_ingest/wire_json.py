"""OTLP as JSON: the same records as protobuf, read by a walker of our own.

The protobuf library's JSON reader takes ids as base64 and accepts snake_case names; OTLP says hex and lowerCamelCase.
"""

import codecs
import json
import math
from collections.abc import Iterator
from typing import Any

import orjson

from tokenpnl.errors import RefusedInputError
from tokenpnl.model import Flag
from tokenpnl_ingest.metric_names import known
from tokenpnl_ingest.quarantine import Reason
from tokenpnl_ingest.raw import RawEvent, RawLog, RawPoint, RawSpan
from tokenpnl_ingest.wire import (
    KINDS,
    LAST_TIME_NS,
    MAX_DEPTH,
    NO_FLAGS,
    STATUSES,
    TEMPORALITIES,
    TOO_DEEP,
    Received,
    clean,
    id_problem,
    parent_of,
    short_key,
)

_ERROR = 2
_HEX = frozenset("0123456789abcdef")
_METRIC_KINDS = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")


class _MalformedError(ValueError):
    """One record has a shape that OTLP does not know; the others of the request are still good."""


def traces(body: bytes) -> Received:
    """Return the spans of an OTLP/JSON trace request.

    Raises:
        RefusedInputError: when the body is no JSON object.
    """
    received = Received()
    for resource, scope, span, flags in _records(body, "Spans", "spans"):
        ids = ("", "")
        try:
            ids = (_hex(span.get("traceId")), _hex(span.get("spanId")))
            _take_span(received, (ids, span), scope, resource, set(flags))
        except _MalformedError as error:
            received.refuse(Reason.RECORD_MALFORMED, "traces", str(error), ids)
    return received


def logs(body: bytes) -> Received:
    """Return the log records of an OTLP/JSON log request.

    Raises:
        RefusedInputError: when the body is no JSON object.
    """
    received = Received()
    for resource, scope, record, resource_flags in _records(body, "Logs", "logRecords"):
        flags = set(resource_flags)
        try:
            trace_id, span_id = _hex(record.get("traceId")), _hex(record.get("spanId"))
            log = RawLog(
                trace_id=trace_id if len(trace_id) == 32 and trace_id.strip("0") else "",
                span_id=span_id if len(span_id) == 16 and span_id.strip("0") else "",
                event_name=_text(record.get("eventName")),
                time_ns=_time(record.get("timeUnixNano")) or _time(record.get("observedTimeUnixNano")),
                severity=_text(record.get("severityText")),
                body=_value(record.get("body"), 0, flags),
                scope_name=scope[0],
                scope_version=scope[1],
                attributes=_attributes(record.get("attributes"), flags),
                resource=resource,
            )
            received.logs.append((log, frozenset(flags)))
        except _MalformedError as error:
            received.refuse(Reason.RECORD_MALFORMED, "logs", str(error))
    return received


def metrics(body: bytes) -> Received:
    """Return the data points of the metrics that the books read, and how many an OTLP/JSON request holds.

    Raises:
        RefusedInputError: when the body is no JSON object.
    """
    received = Received()
    for resource, _, metric, _ in _records(body, "Metrics", "metrics"):
        for kind in _METRIC_KINDS:
            data = metric.get(kind)
            if not isinstance(data, dict):
                continue
            received.metric_points += len(_items(data.get("dataPoints")))
            name = metric.get("name")
            if isinstance(name, str) and known(name):
                for point in _objects(data.get("dataPoints")):
                    try:
                        received.points += _point(metric, kind, point, resource)
                    except _MalformedError as error:
                        received.refuse(Reason.RECORD_MALFORMED, "metrics", str(error))
    return received


def _point(metric: dict[str, Any], kind: str, point: dict[str, Any], resource: dict[str, Any]) -> list[RawPoint]:
    """Return the data point in a list, an empty one where it holds no number."""
    single = kind in ("gauge", "sum")
    told = point.get("asDouble", point.get("asInt")) if single else point.get("sum")
    value = math.nan if told is None else _real(told)
    if not math.isfinite(value):
        return []
    temporality = metric[kind].get("aggregationTemporality")
    return [
        RawPoint(
            name=_text(metric.get("name")),
            unit=_text(metric.get("unit")),
            time_ns=_time(point.get("timeUnixNano")),
            start_ns=0 if kind == "gauge" else _time(point.get("startTimeUnixNano")),
            value=value,
            count=None if single else _whole(point.get("count", 0)),
            temporality=TEMPORALITIES[temporality] if temporality in (1, 2) else None,
            attributes=_attributes(point.get("attributes"), set()),
            resource=resource,
        )
    ]


def load(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body; a byte order mark and NaN are tolerated.

    Raises:
        RefusedInputError: when it is no JSON object, or nested too deep.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = _lenient(body)
    if not isinstance(parsed, dict):
        raise RefusedInputError(f"expected a JSON object with OTLP in it, got a JSON {type(parsed).__name__}")
    return parsed


def _lenient(body: bytes) -> Any:
    """Read what orjson refuses and real emitters send: NaN, Infinity, lone surrogates."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusedInputError(
            f"expected OTLP as JSON, got {len(body)} bytes that are none ({error}); check the content type"
        ) from error


_Record = tuple[dict[str, Any], tuple[str, str], dict[str, Any], set[Flag]]


def _records(body: bytes, group: str, leaf: str) -> Iterator[_Record]:
    for resource_group in _objects(load(body).get(f"resource{group}")):
        flags: set[Flag] = set()
        holder = resource_group.get("resource")
        resource = _attributes(holder.get("attributes"), flags) if isinstance(holder, dict) else {}
        for scope_group in _objects(resource_group.get(f"scope{group}")):
            named = scope_group.get("scope")
            scope = (_text(named.get("name")), _text(named.get("version"))) if isinstance(named, dict) else ("", "")
            for record in _objects(scope_group.get(leaf)):
                yield resource, scope, record, flags


def _take_span(
    received: Received,
    identified: tuple[tuple[str, str], dict[str, Any]],
    scope: tuple[str, str],
    resource: dict[str, Any],
    flags: set[Flag],
) -> None:
    ids, span = identified
    problem = id_problem(*ids)
    if problem:
        received.refuse(problem[0], "traces", problem[1], (ids[0][:64], ids[1][:64]))
        return
    parent = _hex(span.get("parentSpanId"))
    if parent and len(parent) != 16:
        received.flag(Reason.PARENT_ID_INVALID, "traces", f"expected 16 hex digits, got {parent[:64]!r}", ids)
    kind, status = span.get("kind"), span.get("status")
    code = status.get("code") if isinstance(status, dict) else 0
    raw = RawSpan(
        trace_id=ids[0],
        span_id=ids[1],
        parent_span_id=parent_of(parent, ids[1], flags) if parent else None,
        name=_text(span.get("name")),
        kind=_choice(KINDS, kind),
        start_ns=_time(span.get("startTimeUnixNano")),
        end_ns=_time(span.get("endTimeUnixNano")),
        status_code=_choice(STATUSES, code) or "unset",
        status_message=_text(status.get("message")) if isinstance(status, dict) and code == _ERROR else "",
        scope_name=scope[0],
        scope_version=scope[1],
        attributes=_attributes(span.get("attributes"), flags),
        resource=resource,
        events=[
            RawEvent(_text(e.get("name")), _time(e.get("timeUnixNano")), _attributes(e.get("attributes"), flags))
            for e in _objects(span.get("events"))
        ],
        links=[(_hex(link.get("traceId")), _hex(link.get("spanId"))) for link in _objects(span.get("links"))],
        trace_state=_text(span.get("traceState")),
    )
    received.spans.append((raw, frozenset(flags) if flags else NO_FLAGS))


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in _items(value) if isinstance(item, dict)]


def _choice(names: tuple[str, ...], value: Any) -> str:
    known = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names)
    return names[value] if known else names[0]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _MalformedError(f"expected text, got a JSON {type(value).__name__}")
    return clean(value)


def _hex(value: Any) -> str:
    text = _text(value).lower()
    if not _HEX.issuperset(text):
        raise _MalformedError("expected an id in hex digits, got other characters (OTLP/JSON ids are not base64)")
    return text


def _whole(value: Any) -> int:
    """Return a 64-bit integer that JSON may carry as a string or a number."""
    try:
        number = int(value) if isinstance(value, str | int | float) else 0
    except (ValueError, OverflowError) as error:
        raise _MalformedError("expected a 64-bit integer as a string or a number") from error
    if not -LAST_TIME_NS - 1 <= number <= 2**64:
        raise _MalformedError("expected an integer of 64 bits, got a larger one")
    return number


def _time(value: Any) -> int:
    return max(0, min(_whole(value), LAST_TIME_NS)) if value is not None else 0


def _attributes(pairs: Any, flags: set[Flag], depth: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in _objects(pairs):
        key = short_key(_text(pair.get("key")), flags)
        if key in found:
            flags.add(Flag.DUPLICATE_ATTRIBUTE)
        else:
            found[key] = _value(pair.get("value"), depth, flags)
    return found


def _value(held: Any, depth: int, flags: set[Flag]) -> Any:  # noqa: PLR0911 - one return for each kind of AnyValue
    if not isinstance(held, dict):
        return None
    for kind, value in held.items():
        match kind:
            case "stringValue" | "bytesValue":
                return _text(value)
            case "intValue":
                return max(-LAST_TIME_NS - 1, min(_whole(value), LAST_TIME_NS))
            case "doubleValue":
                return _real(value)
            case "boolValue":
                return value if isinstance(value, bool) else None
            case "arrayValue" | "kvlistValue":
                if depth >= MAX_DEPTH:
                    flags.add(Flag.VALUE_TRUNCATED)
                    return TOO_DEEP
                values = value.get("values") if isinstance(value, dict) else None
                if kind == "kvlistValue":
                    return _attributes(values, flags, depth + 1)
                return [_value(item, depth + 1, flags) for item in _items(values)]
    return None


def _real(value: Any) -> float:
    try:
        return float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError) as error:
        raise _MalformedError("expected a double as a number, or NaN, Infinity, -Infinity") from error
