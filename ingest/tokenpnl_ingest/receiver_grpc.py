"""OTLP over gRPC on a loopback port: the three export services, read as raw bytes."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
from google.rpc.code_pb2 import Code

from tokenpnl.errors import ConfigurationError, OverloadedError, RefusedInputError, TooLargeError
from tokenpnl_ingest import limits
from tokenpnl_ingest.answers import PROTOBUF, response, retry_trailers
from tokenpnl_ingest.collector import Collector
from tokenpnl_ingest.home import GRPC_PORT, LOOPBACK
from tokenpnl_ingest.limits import refuse_beyond_loopback
from tokenpnl_ingest.otlp import Signal

log = logging.getLogger(__name__)
_SERVICES = {
    "opentelemetry.proto.collector.trace.v1.TraceService": Signal.TRACES,
    "opentelemetry.proto.collector.logs.v1.LogsService": Signal.LOGS,
    "opentelemetry.proto.collector.metrics.v1.MetricsService": Signal.METRICS,
}
# A worker waits for the fsync of its request, so there are more of them than cores.
_WORKERS = 32
_DRAIN_SECONDS = 5.0
_OPTIONS = (
    ("grpc.max_receive_message_length", limits.GRPC_MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", 100),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.http2.max_frame_size", 16 * 1024),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.so_reuseport", 0),
)


class GrpcReceiver:
    """The gRPC server.

    Attributes:
        port: where it listens.
    """

    def __init__(self, collector: Collector, *, host: str = LOOPBACK, port: int = GRPC_PORT) -> None:
        refuse_beyond_loopback(host)
        self._collector = collector
        self._address = f"[{host}]" if ":" in host else host
        self.port = port
        self._server = grpc.server(
            ThreadPoolExecutor(_WORKERS, thread_name_prefix="tokenpnl-grpc"),
            options=_OPTIONS,
            compression=grpc.Compression.NoCompression,
        )
        # Raw bytes in: a message that gRPC itself cannot parse would be answered INTERNAL instead of INVALID_ARGUMENT.
        for service, signal in _SERVICES.items():
            handler = grpc.unary_unary_rpc_method_handler(self._export(signal))
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))

    def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: the port is taken.
        """
        try:
            self.port = self._server.add_insecure_port(f"{self._address}:{self.port}")
        except RuntimeError as error:
            raise ConfigurationError(
                f"cannot listen on {self._address}:{self.port}: {error}; choose another port"
            ) from None
        self._server.start()

    def stop(self) -> None:
        """Answer what is in hand, then close every connection."""
        self._server.stop(_DRAIN_SECONDS).wait()

    def _export(self, signal: Signal) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def export(body: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                return response(signal, self._collector.submit(signal, body, PROTOBUF).result(), PROTOBUF)
            except TooLargeError as error:
                refused = grpc.StatusCode.RESOURCE_EXHAUSTED, str(error)
            except RefusedInputError as error:
                refused = grpc.StatusCode.INVALID_ARGUMENT, str(error)
            except OverloadedError as error:
                refused = _ask_again(context, str(error))
            except Exception:
                log.exception("an export of %s failed; the client is asked to send again", signal)
                refused = _ask_again(context, "an unexpected error; it is in the collector's log")
            context.abort(*refused)
            raise AssertionError("abort raises")

        return export


def _ask_again(context: grpc.ServicerContext, text: str) -> tuple[grpc.StatusCode, str]:
    context.set_trailing_metadata(retry_trailers(Code.UNAVAILABLE, text))
    return grpc.StatusCode.UNAVAILABLE, text
