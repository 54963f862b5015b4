"""OTLP over gRPC: raw bytes in, and the codes and trailers by which exporters keep, drop or send again."""

import gzip

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from tests.ingest.telemetry import request

from tokenpnl.errors import ConfigurationError
from tokenpnl_ingest import limits
from tokenpnl_ingest.collector import Collector
from tokenpnl_ingest.home import Running
from tokenpnl_ingest.receiver_grpc import GrpcReceiver

Served = tuple[Collector, Running]
TRACE = "opentelemetry.proto.collector.trace.v1.TraceService"


def export(running: Running, body: bytes, service: str = TRACE, **options: object) -> bytes:
    with grpc.insecure_channel(running.grpc, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        return channel.unary_unary(f"/{service}/Export")(body, timeout=20, **options)


def failure(running: Running, body: bytes, service: str = TRACE) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as raised:
        export(running, body, service)
    return raised.value


def trailers(error: grpc.RpcError) -> dict[str, bytes]:
    return {item.key: item.value for item in error.trailing_metadata()}


def count(served: Served) -> int:
    assert served[0].drain()
    return served[0].store.query("count", name="spans")["rows"][0].as_py()


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_the_python_exporter_s_spans_arrive(served: Served, compression: grpc.Compression):
    provider = TracerProvider()
    exporter = OTLPSpanExporter(served[1].grpc, insecure=True, compression=compression)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    for _ in range(10):
        with provider.get_tracer("t").start_as_current_span("chat"):
            pass
    provider.shutdown()
    assert count(served) == 10


@pytest.mark.parametrize("signal", ["trace.v1.Trace", "logs.v1.Logs", "metrics.v1.Metrics"])
def test_an_empty_request_is_a_success_for_every_signal(served: Served, signal: str):
    assert export(served[1], b"", f"opentelemetry.proto.collector.{signal}Service") == b""


def test_a_refused_span_is_a_partial_success(served: Served):
    answer = ExportTraceServiceResponse.FromString(export(served[1], request(2, span_ids=[bytes(8), b"s" * 8])))
    assert answer.partial_success.rejected_spans == 1
    assert count(served) == 1


def test_an_undecodable_body_is_an_invalid_argument(served: Served):
    assert failure(served[1], b"\x0a\xff").code() is grpc.StatusCode.INVALID_ARGUMENT


def test_too_large_is_exhausted_without_a_time_to_wait(served: Served):
    error = failure(served[1], bytes(limits.GRPC_MESSAGE_BYTES + 1))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not {"grpc-status-details-bin", "google.rpc.retryinfo-bin"} & set(trailers(error))


def test_a_bomb_is_exhausted_and_the_next_request_is_taken(served: Served):
    with pytest.raises(grpc.RpcError) as raised:
        export(served[1], bytes(100 * 1024 * 1024), compression=grpc.Compression.Gzip)
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert export(served[1], request(1)) == b""


def test_overload_tells_the_time_to_wait_in_both_trailers(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "PENDING_REQUESTS", 0)
    error = failure(served[1], request(1))
    told = trailers(error)
    standard = Status.FromString(told["grpc-status-details-bin"])
    waits = [RetryInfo(), RetryInfo.FromString(told["google.rpc.retryinfo-bin"])]
    assert standard.details[0].Unpack(waits[0])
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert [wait.retry_delay.seconds for wait in waits] == [1, 1]


def test_an_unknown_service_is_unimplemented(served: Served):
    assert failure(served[1], b"", "no.such.Service").code() is grpc.StatusCode.UNIMPLEMENTED


def test_bytes_that_are_gzip_without_saying_so_are_an_invalid_argument(served: Served):
    assert failure(served[1], gzip.compress(request(1))).code() is grpc.StatusCode.INVALID_ARGUMENT


def test_an_address_beyond_loopback_is_refused(collector: Collector):
    with pytest.raises(ConfigurationError, match="without API keys"):
        GrpcReceiver(collector, host="0.0.0.0", port=0)


def test_a_taken_port_is_said(served: Served):
    with pytest.raises(ConfigurationError, match="choose another port"):
        GrpcReceiver(served[0], port=int(served[1].grpc.rpartition(":")[2])).start()
