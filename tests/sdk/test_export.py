import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

from tokenpnl.errors import ConfigurationError
from tokenpnl.export import AtExit, Route, goes_there_already, log_exporter, routes, span_exporter


def route(signal: str, endpoint: str | None = None) -> Route:
    """Return the one way of a signal."""
    (way,) = routes(signal, endpoint)
    return way


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENDPOINT", "PROTOCOL", "TRACES_ENDPOINT", "TRACES_PROTOCOL", "LOGS_ENDPOINT", "LOGS_PROTOCOL"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)
    for name in ("OTEL_TRACES_EXPORTER", "OTEL_LOGS_EXPORTER"):
        monkeypatch.delenv(name, raising=False)


def test_the_default_is_loopback_over_http() -> None:
    assert route("traces") == Route("otlp", "http/protobuf", "http://127.0.0.1:4318/v1/traces")
    assert route("logs") == Route("otlp", "http/protobuf", "http://127.0.0.1:4318/v1/logs")


@pytest.mark.parametrize(
    ("endpoint", "protocol", "expected"),
    [
        ("http://c:4318", None, Route("otlp", "http/protobuf", "http://c:4318/v1/traces")),
        ("http://c:4318/", None, Route("otlp", "http/protobuf", "http://c:4318/v1/traces")),
        ("http://c/custom/path", None, Route("otlp", "http/protobuf", "http://c/custom/path")),
        ("http://c:4317", None, Route("otlp", "grpc", "http://c:4317")),
        ("http://c:4317", "http/protobuf", Route("otlp", "http/protobuf", "http://c:4317/v1/traces")),
        ("http://c:9999", "grpc", Route("otlp", "grpc", "http://c:9999")),
        (None, "grpc", Route("otlp", "grpc", "http://127.0.0.1:4317")),
        (None, "http/json", Route("otlp", "http/protobuf", "http://127.0.0.1:4318/v1/traces")),
    ],
)
def test_an_endpoint_and_a_protocol_make_a_route(
    monkeypatch: pytest.MonkeyPatch, endpoint: str | None, protocol: str | None, expected: Route
) -> None:
    if protocol is not None:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    assert route("traces", endpoint) == expected


def test_the_variables_of_the_signal_beat_the_general_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")
    assert (route("traces").protocol, route("logs").protocol) == ("http/protobuf", "grpc")


def test_an_endpoint_in_a_variable_is_left_to_the_exporter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/base")
    way = route("traces")
    assert (way.endpoint, way.shown) == (None, "http://c:4318/base")
    exporter = span_exporter(way)
    assert exporter._endpoint == "http://c:4318/base/v1/traces"
    exporter.shutdown()


def test_a_variable_with_the_grpc_port_means_grpc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317")
    assert route("traces").protocol == "grpc"


def test_an_unknown_protocol_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon")
    with pytest.raises(ConfigurationError, match="carrier-pigeon"):
        route("traces")


def test_the_exporter_variables_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "console")
    assert routes("traces") == []
    assert isinstance(log_exporter(route("logs")), ConsoleLogRecordExporter)


def test_several_exporters_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp, console")
    otlp, console = (span_exporter(way) for way in routes("traces"))
    assert isinstance(otlp, OTLPSpanExporter)
    assert isinstance(console, ConsoleSpanExporter)
    otlp.shutdown()


def test_an_exporter_of_an_entry_point_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp_proto_http")
    exporter = span_exporter(route("traces"))
    assert isinstance(exporter, OTLPSpanExporter)
    exporter.shutdown()


def test_an_exporter_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "fax")
    with pytest.raises(ConfigurationError, match="fax"):
        log_exporter(route("logs"))


def test_grpc_and_http_exporters_are_made_for_their_protocols() -> None:
    grpc = span_exporter(Route("otlp", "grpc", "http://127.0.0.1:1"))
    http = log_exporter(Route("otlp", "http/protobuf", "http://127.0.0.1:1/v1/logs"))
    assert isinstance(grpc, GrpcSpanExporter)
    assert isinstance(http, OTLPLogExporter)
    grpc.shutdown()
    http.shutdown()
    logs = log_exporter(Route("otlp", "grpc", "http://127.0.0.1:1"))
    assert isinstance(logs, GrpcLogExporter)
    logs.shutdown()


def test_a_second_send_to_the_same_address_is_seen() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter("http://127.0.0.1:1/v1/traces")))
    same, other = OTLPSpanExporter("http://127.0.0.1:1/v1/traces"), OTLPSpanExporter("http://127.0.0.1:2/v1/traces")
    assert goes_there_already(provider, same)
    assert not goes_there_already(provider, other)
    assert not goes_there_already(object(), same)
    provider.shutdown()


def test_a_processor_without_batches_is_shut_down_too() -> None:
    ended = []

    class Plain:
        def shutdown(self) -> None:
            ended.append("shutdown")

        def force_flush(self) -> bool:
            return False

    at_exit = AtExit()
    at_exit._processors.append(Plain())
    assert at_exit.flush() is False
    at_exit.run()
    assert ended == ["shutdown"]
