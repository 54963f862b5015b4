"""What a receiver answers, as OTLP wants it: a response or a google.rpc.Status in the request's content type."""

import json
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tokenpnl_ingest import limits
from tokenpnl_ingest.batch import Ack
from tokenpnl_ingest.otlp import Signal

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

_RESPONSE: dict[Signal, tuple[Any, str, str]] = {
    Signal.TRACES: (ExportTraceServiceResponse, "rejected_spans", "rejectedSpans"),
    Signal.LOGS: (ExportLogsServiceResponse, "rejected_log_records", "rejectedLogRecords"),
    Signal.METRICS: (ExportMetricsServiceResponse, "rejected_data_points", "rejectedDataPoints"),
}


def response(signal: Signal, ack: Ack, content_type: str) -> bytes:
    """Return the Export*ServiceResponse; `partial_success` is set only when there is something to say."""
    message, field, json_field = _RESPONSE[signal]
    told = bool(ack.refused or ack.message)
    if content_type == JSON:
        # OTLP/JSON writes 64-bit integers as text.
        partial = {json_field: str(ack.refused), "errorMessage": ack.message}
        return json.dumps({"partialSuccess": partial} if told else {}).encode()
    answer = message()
    if told:
        setattr(answer.partial_success, field, ack.refused)
        answer.partial_success.error_message = ack.message
    content: bytes = answer.SerializeToString()
    return content


def refused_in(signal: Signal, body: bytes, content_type: str) -> tuple[int, str]:
    """Return how many records an Export*ServiceResponse says were refused, and why; for clients of the collector."""
    message, field, json_field = _RESPONSE[signal]
    if content_type == JSON:
        partial = json.loads(body or b"{}").get("partialSuccess", {})
        return int(partial.get(json_field, 0)), str(partial.get("errorMessage", ""))
    partial_success = message.FromString(body).partial_success
    return int(getattr(partial_success, field)), str(partial_success.error_message)


def refusal(http_status: int, text: str, content_type: str) -> bytes:
    """Return the google.rpc.Status of an HTTP answer that is not 200."""
    code = _CODE.get(http_status, Code.UNKNOWN)
    if content_type == JSON:
        return json.dumps({"code": code, "message": text}).encode()
    content: bytes = Status(code=code, message=text).SerializeToString()
    return content


def retry_trailers(code: int, text: str) -> tuple[tuple[str, bytes], ...]:
    """Return the gRPC trailers that ask the client to wait: the standard one, and the one that Python reads."""
    wait = RetryInfo(retry_delay=Duration(seconds=limits.RETRY_AFTER_SECONDS))
    status = Status(code=code, message=text)
    status.details.add().Pack(wait)
    return (
        ("grpc-status-details-bin", status.SerializeToString()),
        ("google.rpc.retryinfo-bin", wait.SerializeToString()),
    )


_CODE = {
    400: Code.INVALID_ARGUMENT,
    404: Code.NOT_FOUND,
    405: Code.UNIMPLEMENTED,
    408: Code.DEADLINE_EXCEEDED,
    413: Code.RESOURCE_EXHAUSTED,
    415: Code.INVALID_ARGUMENT,
    429: Code.RESOURCE_EXHAUSTED,
    503: Code.UNAVAILABLE,
}
