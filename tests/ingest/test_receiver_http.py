"""OTLP over HTTP: every answer is the one by which exporters keep, drop or send again."""

import gzip
import http.client
import json
import logging
import socket
import time
from contextlib import closing, suppress
from urllib.parse import urlsplit

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from tests.ingest.telemetry import PROTOBUF, request

from tokenpnl.errors import ConfigurationError
from tokenpnl_ingest import limits, receiver_http
from tokenpnl_ingest.collector import Collector
from tokenpnl_ingest.home import Home, Running
from tokenpnl_ingest.receiver_http import HttpReceiver
from tokenpnl_ingest.serve import CollectorPorts, serving

Served = tuple[Collector, Running]


def call(running: Running, method: str, path: str, body: bytes = b"", **headers: str) -> http.client.HTTPResponse:
    where = urlsplit(running.http)
    with closing(http.client.HTTPConnection(where.hostname or "", where.port, timeout=20)) as connection:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        answer.content = answer.read()
    return answer


def post(running: Running, body: bytes, content_type: str = PROTOBUF, path: str = "/v1/traces", **headers: str):
    return call(running, "POST", path, body, Content_Type=content_type, **headers)


def count(served: Served, table: str = "spans") -> int:
    assert served[0].drain()
    return served[0].store.query("count", name=table)["rows"][0].as_py()


def announced(length: int) -> bytes:
    names = {"Host": "localhost", "Content-Type": PROTOBUF, "Content-Length": length}
    return "".join(["POST /v1/traces HTTP/1.1\r\n", *(f"{k}: {v}\r\n" for k, v in names.items()), "\r\n"]).encode()


def first_line(running: Running, content: bytes) -> bytes:
    where = urlsplit(running.http)
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall(content)
        return connection.recv(65536).partition(b"\r\n")[0]


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_the_python_exporter_s_spans_arrive(served: Served, compression: Compression):
    provider = TracerProvider()
    exporter = OTLPSpanExporter(f"{served[1].http}/v1/traces", compression=compression)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    for _ in range(10):
        with provider.get_tracer("t").start_as_current_span("chat", attributes={"gen_ai.usage.input_tokens": 3}):
            pass
    provider.shutdown()
    assert count(served) == 10
    assert served[0].store.query("table", name="spans")["input_tokens"].to_pylist() == [3] * 10


def test_the_python_exporter_s_logs_and_metrics_are_counted(served: Served):
    logs = LoggerProvider()
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{served[1].http}/v1/logs")))
    logs.get_logger("t").emit(body="hello", severity_number=SeverityNumber.INFO, timestamp=time.time_ns())
    logs.shutdown()
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{served[1].http}/v1/metrics"))
    metrics = MeterProvider(metric_readers=[reader])
    metrics.get_meter("t").create_counter("c").add(1)
    metrics.shutdown()
    assert served[0].drain()
    batches = served[0].store.query("table", name="batches")
    assert (sum(batches["log_records"].to_pylist()), sum(batches["metric_points"].to_pylist())) == (1, 1)


def test_full_success_is_an_empty_response_in_the_request_s_type(served: Served):
    protobuf, as_json = post(served[1], request(1)), post(served[1], b"{}", "application/json; charset=utf-8")
    assert (protobuf.status, protobuf.content, protobuf.getheader("Content-Type")) == (200, b"", PROTOBUF)
    assert (as_json.status, as_json.content, as_json.getheader("Content-Type")[:16]) == (200, b"{}", "application/json")


def test_a_refused_span_is_a_partial_success_with_its_reason(served: Served):
    answer = post(served[1], request(2, span_ids=[bytes(8), b"s" * 8]))
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.status, partial.rejected_spans) == (200, 1)
    assert "span" in partial.error_message
    assert count(served) == 1


def test_a_partial_success_in_json_counts_in_text(served: Served):
    span = {"traceId": "zz", "spanId": "cd" * 8, "name": "x", "startTimeUnixNano": "1"}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    partial = json.loads(post(served[1], body, "application/json").content)["partialSuccess"]
    assert partial["rejectedSpans"] == "1"


def test_an_undecodable_body_is_a_400_with_a_status_message(served: Served):
    protobuf, as_json = post(served[1], b"\x0a\xff"), post(served[1], b"{", "application/json")
    assert [protobuf.status, as_json.status] == [400, 400]
    assert Status.FromString(protobuf.content).code == json.loads(as_json.content)["code"] == 3


def test_gzip_in_chunks_of_unknown_length_is_taken(served: Served):
    where = urlsplit(served[1].http)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=20)
    body = gzip.compress(request(4)) + gzip.compress(b"")
    pieces = (body[at : at + 50] for at in range(0, len(body), 50))
    headers = {"Content-Type": PROTOBUF, "Content-Encoding": "gzip"}
    connection.request("POST", "/v1/traces", pieces, headers, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert count(served) == 4


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/v1/traces", {"Content_Type": "text/plain"}, 415),
        ("POST", "/v1/traces", {}, 415),
        ("POST", "/v1/traces", {"Content_Type": PROTOBUF, "Content_Encoding": "br"}, 415),
        ("POST", "/v1/traces", {"Content_Type": PROTOBUF, "Content_Encoding": "gzip"}, 400),
        ("POST", "/v1/trace", {"Content_Type": PROTOBUF}, 404),
        ("GET", "/v1/traces", {}, 405),
        ("POST", "/v1/traces", {"Content_Type": PROTOBUF, "Host": "evil.example"}, 400),
    ],
)
def test_wrong_requests_get_the_codes_that_make_clients_drop_them(served, method, path, headers, status):
    assert call(served[1], method, path, b"xx", **headers).status == status


def test_too_large_is_413_before_the_body_is_read_and_after_inflation(served: Served):
    head = announced(10**18)
    assert first_line(served[1], head).startswith(b"HTTP/1.1 413")
    bomb = gzip.compress(bytes(limits.HTTP_BODY_BYTES + 1))
    assert post(served[1], bomb, Content_Encoding="gzip").status == 413


def test_overload_is_503_with_a_time_to_wait(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "PENDING_REQUESTS", 0)
    answer = post(served[1], request(1))
    assert (answer.status, answer.getheader("Retry-After")) == (503, "1")
    assert Status.FromString(answer.content).message


def test_an_unexpected_error_asks_the_client_to_send_again(served: Served, monkeypatch, caplog):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(receiver_http, "response", broken)
    with caplog.at_level(logging.CRITICAL):
        answer = post(served[1], request(1))
    assert (answer.status, answer.getheader("Retry-After")) == (503, "1")


def test_a_client_that_goes_away_midway_leaves_nothing(served: Served):
    body = request(1)
    head = announced(len(body))
    where = urlsplit(served[1].http)
    for _ in range(50):
        with socket.create_connection((where.hostname, where.port), timeout=20) as leaving:
            leaving.sendall(head + body[: len(body) // 2])
    assert post(served[1], request(1)).status == 200
    assert count(served) == 1


def test_a_head_or_body_that_never_ends_is_cut(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.3)
    monkeypatch.setattr(receiver_http.GuardedConnections.__init__, "__kwdefaults__", {"head_seconds": 0.3})
    with serving(home, CollectorPorts(0, 0)) as (_, running):
        where = urlsplit(running.http)
        with socket.create_connection((where.hostname, where.port), timeout=10) as slow:
            slow.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            with suppress(ConnectionResetError):
                assert slow.recv(1) == b""
        head = announced(9)
        with socket.create_connection((where.hostname, where.port), timeout=10) as slow:
            slow.sendall(head)
            assert slow.recv(100).startswith(b"HTTP/1.1 408")


def test_one_address_gets_no_more_than_its_share_of_connections(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "CONNECTIONS_PER_ADDRESS", 5)
    with serving(home, CollectorPorts(0, 0)) as (_, running):
        where = urlsplit(running.http)
        idle = [socket.create_connection((where.hostname, where.port), timeout=10) for _ in range(5)]
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            post(running, request(1))
        for connection in idle:
            connection.close()
        time.sleep(0.1)
        assert post(running, request(1)).status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_an_address_beyond_loopback_is_refused_with_the_reason(collector: Collector, host: str):
    with pytest.raises(ConfigurationError, match="without API keys"):
        HttpReceiver(collector, host=host, port=0)


def test_a_taken_port_is_said(collector: Collector):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigurationError, match="choose another port"):
            HttpReceiver(collector, port=taken.getsockname()[1]).start()
