"""OTLP over HTTP, outcomes, and the read API, on one loopback port."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

from aiohttp import web

from tokenpnl.errors import ConfigurationError, OverloadedError, RefusedInputError, TooLargeError
from tokenpnl_ingest import api, limits
from tokenpnl_ingest.answers import JSON, PROTOBUF, refusal, response
from tokenpnl_ingest.batch import Ack
from tokenpnl_ingest.bodies import BodyReader, refuse_announced
from tokenpnl_ingest.collector import Collector
from tokenpnl_ingest.connections import GuardedConnection, GuardedConnections
from tokenpnl_ingest.home import HTTP_PORT, LOOPBACK
from tokenpnl_ingest.limits import refuse_beyond_loopback
from tokenpnl_ingest.otlp import Signal

log = logging.getLogger(__name__)
# What aiohttp itself says: a malformed request is the client's fault, and its traceback would flood the log.
_MALFORMED = logging.getLogger(f"{__name__}.malformed")
_MALFORMED.setLevel(logging.CRITICAL)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_CONTENT_TYPES = {PROTOBUF: PROTOBUF, "application/protobuf": PROTOBUF, JSON: JSON}
_IDLE_SECONDS = 75.0
_DRAIN_SECONDS = 5.0
_LINGER_SECONDS = 2.0  # for the client to read why its body is not read
_STATUS: dict[type[Exception], int] = {
    TooLargeError: 413,
    RefusedInputError: 400,
    TimeoutError: 408,
    OverloadedError: 503,
}
_RETRY = {"Retry-After": str(limits.RETRY_AFTER_SECONDS)}


class HttpReceiver:
    """The HTTP server in a thread with a loop of its own.

    Attributes:
        port: where it listens.
    """

    def __init__(self, collector: Collector, *, host: str = LOOPBACK, port: int = HTTP_PORT) -> None:
        refuse_beyond_loopback(host)
        self._collector = collector
        self._host = host
        self.port = port
        self._bodies = BodyReader()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listening: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, name="tokenpnl-http", daemon=True)

    def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: the port is taken.
        """
        self._thread.start()
        self.port = self._listening.result()

    def stop(self) -> None:
        """Answer what is in hand, then close every connection."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            problem = ConfigurationError(f"cannot listen on {self._host}:{self.port}: {error}; choose another port")
            self._listening.set_exception(problem)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            logger=_MALFORMED,
            auto_decompress=False,  # inflated by us, within the limit
            keepalive_timeout=_IDLE_SECONDS,
            shutdown_timeout=_DRAIN_SECONDS,
            lingering_time=_LINGER_SECONDS,
        )
        await runner.setup()
        assert runner.server is not None
        server = await self._loop.create_server(GuardedConnections(runner.server), self._host, self.port, backlog=1024)
        try:
            self._listening.set_result(server.sockets[0].getsockname()[1])
            await self._stop.wait()
        finally:
            server.close()
            await runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[_clock, self._border, _admitted])
        for signal in Signal:
            application.router.add_post(f"/v1/{signal}", self._export(signal))
        api.add_routes(application, self._collector, self._bodies)
        return application

    def _export(self, signal: Signal) -> _Handler:
        async def export(request: web.Request) -> web.StreamResponse:
            content_type = request.content_type.lower()
            if content_type not in _CONTENT_TYPES:
                raise web.HTTPUnsupportedMediaType(text=f"expected {PROTOBUF} or {JSON}, got {content_type[:64]!r}")
            encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
            if encoding not in ("identity", "gzip"):
                raise web.HTTPUnsupportedMediaType(text=f"expected content-encoding gzip, got {encoding[:64]!r}")
            body = await self._bodies.read(request)
            taking = self._collector.submit(signal, body, request.headers["Content-Type"], encoding=encoding)
            del body
            ack: Ack = await asyncio.wrap_future(taking)
            return web.Response(body=response(signal, ack, _answer_type(request)), content_type=_answer_type(request))

        return export

    @web.middleware
    async def _border(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Turn every error into the answer by which OTLP clients drop or send again, and never into a 500."""
        try:
            return await handler(request)
        except web.HTTPException as error:
            return _refused(request, error.status, error.text or error.reason, dict(error.headers))
        except tuple(_STATUS) as error:
            return _refused(request, _status_of(error), str(error))
        except Exception:
            log.exception("%s %s failed; the client is asked to send again", request.method, request.path)
            return _refused(request, 503, "an unexpected error; it is in the collector's log")


@web.middleware
async def _clock(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Tell the connection that the head is complete, and that the answer is out."""
    protocol = request.transport.get_protocol() if request.transport else None
    if not isinstance(protocol, GuardedConnection):
        return await handler(request)
    protocol.head_complete()
    try:
        return await handler(request)
    finally:
        protocol.answered()


@web.middleware
async def _admitted(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Refuse lengths beyond the limit, and names other than loopback's: no web page shall come by a name of its own."""
    refuse_announced(request)
    try:
        refuse_beyond_loopback(request.url.host or "")
    except (ConfigurationError, ValueError):
        raise RefusedInputError("the Host header names another machine; use localhost or 127.0.0.1") from None
    return await handler(request)


def _status_of(error: BaseException) -> int:
    return next(status for kind, status in _STATUS.items() if isinstance(error, kind))


def _answer_type(request: web.BaseRequest) -> str:
    return _CONTENT_TYPES.get(request.content_type.lower(), JSON)


def _refused(request: web.Request, status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    content_type = _answer_type(request)
    kept = {key: value for key, value in (headers or {}).items() if key.lower() == "allow"}
    answer = web.Response(
        status=status,
        body=refusal(status, text, content_type),
        content_type=content_type,
        headers={**kept, **(_RETRY if status in (429, 503) else {})},
    )
    if status in (408, 413):
        answer.force_close()  # the rest of the body is not read
    return answer
