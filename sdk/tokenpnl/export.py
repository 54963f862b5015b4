"""Where spans and outcomes go: OTLP by the OTEL_* variables, loopback by default, flushed at exit in bounded time.

Exporters are imported here and nowhere else, and only while `init` runs.
"""

import atexit
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from tokenpnl.errors import ConfigurationError
from tokenpnl.guard import Shield, log

_PATHS: Final = {"traces": "/v1/traces", "logs": "/v1/logs"}
_EXIT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Route:
    """How one signal leaves: its exporter (`otlp`, `console` or an entry point), protocol and endpoint.

    `endpoint` None means that the exporter reads it from the OTEL_EXPORTER_OTLP_* variables itself.
    """

    exporter: str
    protocol: str
    endpoint: str | None

    @property
    def shown(self) -> str:
        """The address for people."""
        named = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        return self.endpoint or named or "the exporter's default"


def _setting(signal: str, name: str) -> str | None:
    """Return an OTLP variable of the signal, else the general one, else None; empty counts as absent."""
    own = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}", "").strip()
    return own or os.environ.get(f"OTEL_EXPORTER_OTLP_{name}", "").strip() or None


def _protocol(signal: str, endpoint: str | None) -> str:
    wanted = _setting(signal, "PROTOCOL")
    if wanted == "http/json":
        log.warning("http/json has no Python exporter; tokenpnl sends http/protobuf")
        return "http/protobuf"
    if wanted in {"grpc", "http/protobuf"}:
        return wanted
    if wanted is not None:
        msg = f"OTEL_EXPORTER_OTLP_PROTOCOL is grpc or http/protobuf, got {wanted!r}"
        raise ConfigurationError(msg)
    # 4317 is gRPC by registration, so the usual mix-up of ports costs nobody their spans.
    address = endpoint or _setting(signal, "ENDPOINT") or ""
    return "grpc" if address.rstrip("/").endswith(":4317") else "http/protobuf"


def _address(signal: str, protocol: str, endpoint: str | None) -> str | None:
    """Return the full address of the signal, or None where the exporter's own variables name it."""
    if endpoint is None:
        if _setting(signal, "ENDPOINT") is not None:
            return None
        endpoint = "http://127.0.0.1:4317" if protocol == "grpc" else "http://127.0.0.1:4318"
    if protocol == "grpc" or urlsplit(endpoint).path.strip("/"):
        return endpoint
    return endpoint.rstrip("/") + _PATHS[signal]


def routes(signal: str, endpoint: str | None = None) -> list[Route]:
    """Return the ways by which a signal leaves this process: one per exporter of OTEL_TRACES_EXPORTER or the like.

    Args:
        signal: `traces` or `logs`.
        endpoint: overrides the variables; a bare address gets the signal's path under HTTP.

    Raises:
        ConfigurationError: for an unknown protocol.
    """
    wanted = os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").lower().split(",")
    exporters = [name.strip() for name in wanted if name.strip()] or ["otlp"]
    protocol = _protocol(signal, endpoint)
    address = _address(signal, protocol, endpoint)
    return [Route(name, protocol, address) for name in exporters if name != "none"]


def span_exporter(way: Route) -> Any:
    """Return the span exporter of a route."""
    if way.exporter == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    if way.exporter != "otlp":
        return _named("opentelemetry_traces_exporter", way.exporter)()
    if way.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

        return GrpcExporter(endpoint=way.endpoint)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

    return HttpExporter(endpoint=way.endpoint)


def log_exporter(way: Route) -> Any:
    """Return the log exporter of a route."""
    if way.exporter == "console":
        from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter

        return ConsoleLogRecordExporter()
    if way.exporter != "otlp":
        return _named("opentelemetry_logs_exporter", way.exporter)()
    if way.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcExporter

        return GrpcExporter(endpoint=way.endpoint)
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpExporter

    return HttpExporter(endpoint=way.endpoint)


def _named(group: str, name: str) -> Callable[[], Any]:
    from importlib.metadata import entry_points

    found = list(entry_points(group=group, name=name))
    if not found:
        msg = f"no exporter {name!r} is installed in the group {group}; known: {entry_points(group=group).names}"
        raise ConfigurationError(msg)
    made: Callable[[], Any] = found[0].load()
    return made


def goes_there_already(provider: Any, exporter: Any) -> bool:
    """Return whether the provider already sends its spans to the exporter's address, so that a second send is waste.

    The SDK keeps its processors private; where they cannot be seen the answer is no, and the collector removes doubles.
    """
    address = getattr(exporter, "_endpoint", None)
    processors = getattr(getattr(provider, "_active_span_processor", None), "_span_processors", ())
    sending = [getattr(getattr(processor, "span_exporter", None), "_endpoint", None) for processor in processors]
    return address is not None and address in sending


class AtExit:
    """Ends processors at interpreter exit, within 5 seconds for all of them, whatever the network does.

    ``TOKENPNL_EXIT_SECONDS`` sets another limit.
    """

    def __init__(self) -> None:
        self._processors: list[Any] = []

    def add(self, processor: Any) -> None:
        """Flush and shut this processor down at exit."""
        if not self._processors:
            atexit.register(self.run)
        self._processors.append(processor)

    def run(self) -> None:
        """Flush and shut down."""
        patience_s = _EXIT_SECONDS
        with Shield("read TOKENPNL_EXIT_SECONDS"):
            patience_s = float(os.environ.get("TOKENPNL_EXIT_SECONDS") or _EXIT_SECONDS)
        with Shield("flush at exit"):
            deadline = time.monotonic() + patience_s
            for processor in self._processors:
                # The batch processors' public shutdown waits for 30 s; the inner one takes the time we have.
                inner = getattr(processor, "_batch_processor", None)
                if inner is None:
                    processor.shutdown()
                else:
                    inner.shutdown(timeout_millis=max(0, round(1000 * (deadline - time.monotonic()))))

    def flush(self) -> bool:
        """Send what is queued now; return whether every processor managed."""
        sent = [processor.force_flush() for processor in self._processors]
        return all(sent)


at_exit = AtExit()
