"""A tiny OTLP receiver on loopback for the SDK's tests: keeps what real exporters send, over HTTP and gRPC."""

import gzip
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_pb
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc


@dataclass
class Received:
    """What came: span names, attributes by span name, log attributes, service names, request paths and headers."""

    address: str = ""
    spans: list[Any] = field(default_factory=list)
    logs: list[Any] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    paths: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def take_traces(self, request: Any) -> None:
        for resource_spans in request.resource_spans:
            self._take_resource(resource_spans.resource)
            self.spans += [span for scope in resource_spans.scope_spans for span in scope.spans]

    def take_logs(self, request: Any) -> None:
        for resource_logs in request.resource_logs:
            self._take_resource(resource_logs.resource)
            self.logs += [record for scope in resource_logs.scope_logs for record in scope.log_records]

    def _take_resource(self, resource: Any) -> None:
        self.services |= {a.value.string_value for a in resource.attributes if a.key == "service.name"}

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]


def attributes_of(record: Any) -> dict[str, str]:
    """Return the text attributes of a span or log record."""
    return {pair.key: pair.value.string_value for pair in record.attributes}


@contextmanager
def http_receiver() -> Iterator[Received]:
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            received.paths.append(self.path)
            received.headers.update({name.lower(): value for name, value in self.headers.items()})
            if self.path.endswith("logs"):
                received.take_logs(logs_pb.ExportLogsServiceRequest.FromString(body))
            else:
                received.take_traces(trace_pb.ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    received.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def grpc_receiver() -> Iterator[Received]:
    received = Received()

    class Traces(trace_grpc.TraceServiceServicer):
        def Export(self, request: Any, _: Any) -> Any:  # noqa: N802 -- the name is the protocol's
            received.take_traces(request)
            return trace_pb.ExportTraceServiceResponse()

    class Logs(logs_grpc.LogsServiceServicer):
        def Export(self, request: Any, _: Any) -> Any:  # noqa: N802 -- the name is the protocol's
            received.take_logs(request)
            return logs_pb.ExportLogsServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    trace_grpc.add_TraceServiceServicer_to_server(Traces(), server)
    logs_grpc.add_LogsServiceServicer_to_server(Logs(), server)
    received.address = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield received
    finally:
        server.stop(0).wait()
