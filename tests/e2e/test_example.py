"""The example as its users run it: a program of its own, real clients, any OTLP receiver on the other side."""

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from provider_double import Charge, ProviderDouble
from staged_double import staged_double

EXAMPLE = Path(__file__).parents[2] / "examples" / "support_reply.py"


@dataclass
class Sink:
    """Spans that arrived, as attribute dictionaries with their name, and where to send them."""

    protocol: str
    endpoint: str = ""
    requests: list[trace_service_pb2.ExportTraceServiceRequest] = field(default_factory=list)

    @property
    def spans(self) -> list[dict[str, Any]]:
        return [
            {"name": span.name, **_attributes(span)}
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


def _attributes(span: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes}


@contextmanager
def http_sink() -> Iterator[Sink]:
    sink = Sink("http/protobuf")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None: ...

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/v1/traces":
                sink.requests.append(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    sink.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    yield sink
    server.shutdown()
    server.server_close()


@contextmanager
def grpc_sink() -> Iterator[Sink]:
    sink = Sink("grpc")

    class Service(trace_service_pb2_grpc.TraceServiceServicer):  # type: ignore[misc]
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol names it
            sink.requests.append(request)
            return trace_service_pb2.ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Service(), server)
    sink.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield sink
    server.stop(0).wait()


def run_example(
    protocol: str, endpoint: str, *, double: ProviderDouble | None = None, arguments: str = ""
) -> list[str]:
    """Run the example and return what it printed, line by line."""
    ours = ("OTEL_", "OPENAI_", "ANTHROPIC_", "TOKENPNL_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment |= {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    if double is not None:
        environment |= {"OPENAI_API_KEY": "key", "OPENAI_BASE_URL": double.openai_url}
        environment |= {"ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": double.url}
    command = [sys.executable, "-W", "error", str(EXAMPLE), *arguments.split()]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.splitlines()


@dataclass
class Performance:
    """One run of the example: what it printed, what arrived, what the double billed."""

    printed: list[str]
    spans: list[dict[str, Any]]
    charges: tuple[Charge, ...]

    @property
    def model_spans(self) -> list[dict[str, Any]]:
        return [span for span in self.spans if "gen_ai.request.model" in span]


@pytest.fixture(scope="module", params=[http_sink, grpc_sink], ids=["http", "grpc"])
def performance(request: pytest.FixtureRequest) -> Performance:
    with request.param() as sink, staged_double() as double:
        printed = run_example(sink.protocol, sink.endpoint, double=double)
        return Performance(printed, sink.spans, double.charges)


def test_example_sends_one_run_per_ticket(performance: Performance) -> None:
    told = [line.split()[1] for line in performance.printed if line.startswith("run ")]
    sent = [span["tokenpnl.run.id"] for span in performance.spans if "gen_ai.workflow.name" in span]
    assert len(told) == 5
    assert sent == told


def test_every_billed_answer_of_the_example_is_reported_once(performance: Performance) -> None:
    billed = Counter(
        (charge.model, charge.usage.input_total, charge.usage.output_total)
        for charge in performance.charges
        if charge.usage
    )
    reported = Counter(
        (span["gen_ai.response.model"], span["gen_ai.usage.input_tokens"], span["gen_ai.usage.output_tokens"])
        for span in performance.model_spans
        if "gen_ai.usage.input_tokens" in span
    )
    assert reported == billed


def test_every_request_of_the_example_is_an_attempt_with_its_reason(performance: Performance) -> None:
    reasons = Counter(span["tokenpnl.attempt.reason"] for span in performance.model_spans)
    assert reasons == {"first": 10, "retry": 2, "fallback": 1, "schema": 1}
    assert len(performance.charges) == 14


def test_every_span_of_the_example_knows_its_run(performance: Performance) -> None:
    assert all("tokenpnl.run.id" in span for span in performance.spans)


def test_example_tells_four_successes_and_a_failure(performance: Performance) -> None:
    verdicts = [line.split()[2] for line in performance.printed if line.startswith("run ")]
    assert verdicts == ["success"] * 4 + ["failure"]


def test_example_needs_no_key_and_no_collector_and_says_what_it_did() -> None:
    printed = run_example("http/protobuf", "http://127.0.0.1:9", arguments="--tickets 1")
    assert printed[0] == "Against the provider double: synthetic answers, nothing is paid."
    assert printed[1].endswith("success  Where is my parcel?")
    assert "tokenpnl report summary" in printed[-1]


def test_example_is_instrumented_in_under_twenty_lines() -> None:
    code = EXAMPLE.read_text().split('"""', 2)[2]
    verbs = ("tokenpnl", "run.outcome", "with attempt", "attempt.reject")
    assert sum(any(verb in line for verb in verbs) for line in code.splitlines()) < 20
