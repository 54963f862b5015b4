"""The read API and outcomes: what the dashboard, the command line and business systems call."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
from aiohttp import web
from pydantic import ValidationError

from tokenpnl.errors import RefusedInputError
from tokenpnl_ingest.bodies import BodyReader
from tokenpnl_ingest.collector import Collector
from tokenpnl_ingest.statements import decoded_statements

ARROW = "application/vnd.apache.arrow.stream"
_READERS = 4


def add_routes(application: web.Application, collector: Collector, bodies: BodyReader) -> None:
    """Add `GET /healthz`, `GET /api/version`, `POST /api/query` and `POST /v1/outcomes`."""
    routes = _Routes(collector, bodies)
    application.router.add_get("/healthz", routes.health)
    application.router.add_get("/api/version", routes.version)
    application.router.add_post("/api/query", routes.query)
    application.router.add_post("/v1/outcomes", routes.outcomes)
    application.on_cleanup.append(routes.close)


class _Routes:
    def __init__(self, collector: Collector, bodies: BodyReader) -> None:
        self._collector = collector
        self._bodies = bodies
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="tokenpnl-read")

    async def close(self, _: web.Application) -> None:
        self._readers.shutdown()

    async def health(self, _: web.Request) -> web.Response:
        """Answer how the collector is; 503 while it shuts down."""
        health = self._collector.health()
        return web.json_response(health, status=503 if health["status"] == "draining" else 200)

    async def version(self, _: web.Request) -> web.Response:
        """Answer the data version, which grows with every change of the store, and how far behind the books are."""
        store = self._collector.store
        marks = {"loaded_batch_no": store.loaded_batch_no, "batches_behind": self._collector.batches_behind}
        return web.json_response({"version": store.version, **marks})

    async def query(self, request: web.Request) -> web.Response:
        """Answer `{"name": ..., "params": {...}}` with an Arrow IPC stream; the version is in `X-Data-Version`."""
        asked = _json_object(await self._bodies.read(request))
        name, params = asked.get("name"), asked.get("params") or {}
        if not isinstance(name, str) or not isinstance(params, dict):
            raise RefusedInputError('expected {"name": text, "params": object}')
        version = self._collector.store.version
        content = await asyncio.get_running_loop().run_in_executor(self._readers, self._answer, name, params)
        return web.Response(body=content, content_type=ARROW, headers={"X-Data-Version": str(version)})

    async def outcomes(self, request: web.Request) -> web.Response:
        """Take one outcome or a list of them, all or none; answer when they are on disk."""
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text=f"expected application/json, got {request.content_type!r}")
        body = await self._bodies.read(request)
        try:
            decoded = decoded_statements(body)
        except ValidationError as error:
            raise RefusedInputError(_first_faults(error)) from None
        await asyncio.wrap_future(self._collector.submit_rows(decoded))
        return web.json_response({"accepted": len(decoded.outcomes)})

    def _answer(self, name: str, params: dict[str, Any]) -> bytes:
        rows = self._collector.store.query(name, **params)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as stream:
            stream.write_table(rows)
        content: bytes = sink.getvalue().to_pybytes()
        return content


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusedInputError(f"expected JSON: {error}") from None
    if not isinstance(asked, dict):
        raise RefusedInputError("expected a JSON object")
    return asked


def _first_faults(error: ValidationError) -> str:
    faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()[:5]]
    return "nothing was stored; " + "; ".join(faults)
