"""OTLP as protobuf: bytes in, raw records out."""

import base64
import math
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

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
_MAX_REMEMBERED = 20_000
_good_keys: set[str] = set()
_METRIC_KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


def traces(body: bytes) -> Received:
    """Return the spans of an ExportTraceServiceRequest.

    Raises:
        RefusedInputError: when the body is not such a message.
    """
    received = Received()
    for resource_spans in _parse(ExportTraceServiceRequest, body).resource_spans:
        resource_flags: set[Flag] = set()
        resource = _attributes(resource_spans.resource.attributes, resource_flags)
        for scope_spans in resource_spans.scope_spans:
            scope = (clean(scope_spans.scope.name), clean(scope_spans.scope.version))
            for span in scope_spans.spans:
                _take_span(received, span, scope, resource, resource_flags)
    return received


def logs(body: bytes) -> Received:
    """Return the log records of an ExportLogsServiceRequest.

    Raises:
        RefusedInputError: when the body is not such a message.
    """
    received = Received()
    for resource_logs in _parse(ExportLogsServiceRequest, body).resource_logs:
        resource = _attributes(resource_logs.resource.attributes, set())
        for scope_logs in resource_logs.scope_logs:
            scope = (clean(scope_logs.scope.name), clean(scope_logs.scope.version))
            for record in scope_logs.log_records:
                flags: set[Flag] = set()
                attributes = _attributes(record.attributes, flags)
                log = RawLog(
                    trace_id=record.trace_id.hex() if len(record.trace_id) == 16 and any(record.trace_id) else "",
                    span_id=record.span_id.hex() if len(record.span_id) == 8 and any(record.span_id) else "",
                    event_name=clean(record.event_name),
                    time_ns=record.time_unix_nano or record.observed_time_unix_nano,
                    severity=record.severity_text,
                    body=_value(record.body, 0, flags),
                    scope_name=scope[0],
                    scope_version=scope[1],
                    attributes=attributes,
                    resource=resource,
                )
                received.logs.append((log, frozenset(flags)))
    return received


def metrics(body: bytes) -> Received:
    """Return the data points of the metrics that the books read, and how many an ExportMetricsServiceRequest holds.

    Raises:
        RefusedInputError: when the body is not such a message.
    """
    received = Received()
    for resource_metrics in _parse(ExportMetricsServiceRequest, body).resource_metrics:
        resource: dict[str, Any] | None = None
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                kind = metric.WhichOneof("data")
                if kind not in _METRIC_KINDS:
                    continue
                received.metric_points += len(getattr(metric, kind).data_points)
                # What is not read costs one look at its name.
                if known(metric.name):
                    resource = (
                        _attributes(resource_metrics.resource.attributes, set()) if resource is None else resource
                    )
                    received.points += _points(metric, kind, resource)
    return received


def _points(metric: Any, kind: str, resource: dict[str, Any]) -> Iterator[RawPoint]:
    data = getattr(metric, kind)
    for point in data.data_points:
        number = point.WhichOneof("value") if kind in ("gauge", "sum") else None
        value = float(getattr(point, number)) if number else float(getattr(point, "sum", 0.0))
        if math.isfinite(value) and (number or kind not in ("gauge", "sum")):
            yield RawPoint(
                name=clean(metric.name),
                unit=clean(metric.unit),
                time_ns=min(point.time_unix_nano, LAST_TIME_NS),
                start_ns=0 if kind == "gauge" else min(point.start_time_unix_nano, LAST_TIME_NS),
                value=value,
                count=None if number else point.count,
                temporality=TEMPORALITIES[getattr(data, "aggregation_temporality", 0) % len(TEMPORALITIES)],
                attributes=_attributes(point.attributes, set()),
                resource=resource,
            )


def _parse(message: Any, body: bytes) -> Any:
    try:
        return message.FromString(body)
    except DecodeError as error:
        expected = message.DESCRIPTOR.name
        raise RefusedInputError(
            f"expected a protobuf {expected}, got {len(body)} bytes that are none ({error}); "
            "check the content type and that the body is complete"
        ) from error


def _take_span(
    received: Received, span: Any, scope: tuple[str, str], resource: dict[str, Any], resource_flags: set[Flag]
) -> None:
    trace_id, span_id = span.trace_id.hex(), span.span_id.hex()
    problem = id_problem(trace_id, span_id)
    if problem:
        received.refuse(problem[0], "traces", problem[1], (trace_id[:64], span_id[:64]))
        return
    flags = set(resource_flags)
    parent = span.parent_span_id
    if parent and len(parent) != 8:
        received.flag(Reason.PARENT_ID_INVALID, "traces", f"expected 8 bytes, got {len(parent)}", (trace_id, span_id))
    kind, status = span.kind, span.status
    raw = RawSpan(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent_of(parent.hex(), span_id, flags) if parent else None,
        name=clean(span.name),
        kind=KINDS[kind] if 0 <= kind < len(KINDS) else "",
        start_ns=min(span.start_time_unix_nano, LAST_TIME_NS),
        end_ns=min(span.end_time_unix_nano, LAST_TIME_NS),
        status_code=STATUSES[status.code] if 0 <= status.code < len(STATUSES) else "unset",
        status_message=clean(status.message) if status.code == _ERROR else "",
        scope_name=scope[0],
        scope_version=scope[1],
        attributes=_attributes(span.attributes, flags),
        resource=resource,
        events=[RawEvent(clean(e.name), e.time_unix_nano, _attributes(e.attributes, flags)) for e in span.events],
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        trace_state=span.trace_state,
    )
    received.spans.append((raw, frozenset(flags) if flags else NO_FLAGS))


def _attributes(pairs: Iterable[Any], flags: set[Flag], depth: int = 0) -> dict[str, Any]:
    """Return the pairs as a dict; of two equal keys the first counts, and the record is flagged."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, held = pair.key, pair.value
        # Most values are text: reading it says at once what asking for the kind would say first.
        value: Any = held.string_value
        if value:
            if "\x00" in value:
                value = clean(value)
        elif held.WhichOneof("value") == "int_value":
            value = held.int_value
        else:
            value = _value(held, depth, flags)
        if key not in _good_keys:
            key = _checked(key, flags)
        if key in found:
            flags.add(Flag.DUPLICATE_ATTRIBUTE)
        else:
            found[key] = value
    return found


def _checked(key: str, flags: set[Flag]) -> str:
    """Return the key within its limits; a good one is remembered, so that each name is looked at once."""
    short = short_key(key, flags)
    if short is key and len(_good_keys) < _MAX_REMEMBERED:
        _good_keys.add(key)
    return short


def _value(held: Any, depth: int, flags: set[Flag]) -> Any:
    kind = held.WhichOneof("value")
    if kind in (None, "string_value_strindex"):
        return None
    if kind in ("array_value", "kvlist_value"):
        if depth >= MAX_DEPTH:
            flags.add(Flag.VALUE_TRUNCATED)
            return TOO_DEEP
        if kind == "array_value":
            return [_value(item, depth + 1, flags) for item in held.array_value.values]
        return _attributes(held.kvlist_value.values, flags, depth + 1)
    value = getattr(held, kind)
    if kind == "bytes_value":
        return base64.b64encode(value).decode("ascii")
    return clean(value) if kind == "string_value" else value
