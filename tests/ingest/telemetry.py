"""Real export requests for the tests: spans with usage, as an emitter would send them."""

import secrets
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tokenpnl_ingest.otlp import Signal

PROTOBUF = "application/x-protobuf"
TRACES = Signal.TRACES


def request(spans: int = 1, *, trace_id: bytes | None = None, span_ids: list[bytes] | None = None) -> bytes:
    """Return an export request of so many model calls in one trace."""
    message = ExportTraceServiceRequest()
    scope = message.resource_spans.add().scope_spans.add()
    trace = trace_id or secrets.token_bytes(16)
    now = time.time_ns()
    for number in range(spans):
        told = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"}
        counted = {"gen_ai.usage.input_tokens": 100 + number, "gen_ai.usage.output_tokens": 10}
        scope.spans.append(
            Span(
                trace_id=trace,
                span_id=span_ids[number] if span_ids else secrets.token_bytes(8),
                name="chat gpt-4o-mini",
                kind=Span.SPAN_KIND_CLIENT,
                start_time_unix_nano=now + number,
                end_time_unix_nano=now + number + 10**9,
                attributes=[
                    *(KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in told.items()),
                    *(KeyValue(key=key, value=AnyValue(int_value=value)) for key, value in counted.items()),
                ],
            )
        )
    return message.SerializeToString()


def span_keys(body: bytes) -> set[tuple[str, str]]:
    """Return the (trace id, span id) of every span of a request, in hex."""
    message = ExportTraceServiceRequest.FromString(body)
    return {
        (span.trace_id.hex(), span.span_id.hex())
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }
