"""A stand-in for OpenAI, Anthropic, Gemini and Bedrock on loopback, which keeps the bill of what it answered.

    with ProviderDouble([Answer(status=429), Answer(usage=Usage(input_uncached=101, output_text=53))]) as double:
        client = openai.OpenAI(base_url=double.openai_url, api_key="double")
        ...
    assert double.charges[-1].usage == Usage(input_uncached=101, output_text=53)

Scripted answers are taken one per request, in order, retries included. Without a script usage follows from the request
alone: four bytes are a token, and a prefix that was sent before is read from the prompt cache where the real API would.
Run as a program it serves until interrupted: `python examples/provider_double.py --port 18080`.
"""

import argparse
import itertools
import json
import secrets
import select
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self, cast
from urllib.parse import unquote, urlsplit

from provider_cache import PromptCache
from provider_wire import BODIES, STREAMS, Api, Json, Reply, ToolCall, Usage, error_body

__all__ = ["Answer", "Api", "Charge", "ProviderDouble", "Request", "ToolCall", "Usage"]

SCRIPT_HEADER: Final = "x-double-answer"
DEFAULT_TEXT: Final = "This is a synthetic answer of the provider double."


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the double does with one request.

    Args:
        status: HTTP status; anything but 200 is an error of that API and is not billed.
        text: the model's words; invalid JSON for a structured output is said here.
        tools: tool calls instead of text.
        usage: what is billed; None derives it from the request and the text.
        model: the model that served; None is the one asked for.
        delay_s: seconds before the answer; a client that gives up earlier is billed all the same.
        retry_after_s: seconds of the Retry-After header of an error.
        cut_off: the answer ended at the length limit.
        malformed: the HTTP body is no JSON.
        drop_after_chunks: close the connection after so many pieces of a stream; the answer is billed in full.
    """

    status: int = 200
    text: str = DEFAULT_TEXT
    tools: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    model: str | None = None
    delay_s: float = 0.0
    retry_after_s: float | None = None
    cut_off: bool = False
    malformed: bool = False
    drop_after_chunks: int | None = None

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the answer that the header `x-double-answer` of a request asks for."""
        given = json.loads(text)
        if "usage" in given:
            given["usage"] = Usage(**given["usage"])
        given["tools"] = tuple(ToolCall(**tool) for tool in given.get("tools", ()))
        return cls(**given)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as the double understood it."""

    api: Api
    model: str
    body: Json
    streamed: bool
    headers: dict[str, str]

    @property
    def include_usage(self) -> bool:
        """Whether a stream of OpenAI's chat API shall end with its usage."""
        return bool((self.body.get("stream_options") or {}).get("include_usage"))


@dataclass(frozen=True, kw_only=True)
class Charge:
    """One request on the double's own bill.

    `usage` is None where nothing is billed. `received` is False once the client has closed the connection early.
    """

    number: int
    api: Api
    requested_model: str
    model: str
    status: int
    streamed: bool
    usage: Usage | None
    response_id: str
    at_ns: int
    received: bool = True


@dataclass
class _Ledger:
    """Charges in order of arrival; the lock also orders the script."""

    charges: list[Charge] = field(default_factory=list)
    script: list[Answer] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class ProviderDouble:
    """The server: a context manager, or `start` and `stop`.

    Args:
        script: answers to the next requests, in order.
        reply: answers the requests that no script covers; default a fixed sentence.
        port: 0 takes a free one.
    """

    def __init__(
        self, script: Iterable[Answer] = (), *, reply: Callable[[Request], Answer] | None = None, port: int = 0
    ) -> None:
        self._ledger = _Ledger(script=list(script))
        self._reply = reply or (lambda _request: Answer())
        self._cache = PromptCache()
        self._numbers = itertools.count(1)
        # Response ids must differ between two doubles: equal ids are one answer to every reader of telemetry.
        self._name = secrets.token_hex(4)
        self._server = _Server(("127.0.0.1", port), self)

    def __enter__(self) -> Self:
        """Start to serve in a thread."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop to serve."""
        self.stop()

    def start(self) -> None:
        """Serve in a daemon thread."""
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop to serve and free the port."""
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Base address; Anthropic's, Gemini's and Bedrock's clients take this one."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def openai_url(self) -> str:
        """Base address for OpenAI's client."""
        return f"{self.url}/v1"

    @property
    def charges(self) -> tuple[Charge, ...]:
        """Every request so far, unbilled ones included."""
        with self._ledger.lock:
            return tuple(self._ledger.charges)

    @property
    def billed(self) -> tuple[Charge, ...]:
        """The requests that cost something."""
        return tuple(charge for charge in self.charges if charge.usage is not None)

    def script(self, *answers: Answer) -> None:
        """Append answers for the next requests."""
        with self._ledger.lock:
            self._ledger.script.extend(answers)

    def take(self, request: Request) -> tuple[Answer, Charge]:
        """Choose the answer to a request, bill it and return both."""
        with self._ledger.lock:
            answer = self._scripted(request)
            number = next(self._numbers)
            usage = self._usage(request, answer) if answer.status == 200 else None
            charge = Charge(
                number=number,
                api=request.api,
                requested_model=request.model,
                model=answer.model or request.model,
                status=answer.status,
                streamed=request.streamed,
                usage=usage,
                response_id=f"{request.api.name.lower()}-{self._name}-{number}",
                at_ns=time.time_ns(),
            )
            self._ledger.charges.append(charge)
        return answer, charge

    def not_received(self, charge: Charge) -> None:
        """Note that the client had gone before the answer was complete."""
        with self._ledger.lock:
            self._ledger.charges[charge.number - 1] = replace(charge, received=False)

    def _scripted(self, request: Request) -> Answer:
        if header := request.headers.get(SCRIPT_HEADER):
            return Answer.from_json(header)
        return self._ledger.script.pop(0) if self._ledger.script else self._reply(request)

    def _usage(self, request: Request, answer: Answer) -> Usage:
        if answer.usage is not None:
            return answer.usage
        return self._cache.usage(request.api, request.model, request.body, _answer_text(request, answer))


def _answer_text(request: Request, answer: Answer) -> str:
    if request.api is Api.OPENAI_EMBEDDINGS:
        return ""
    return "".join(json.dumps(asdict(tool)) for tool in answer.tools) or answer.text


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], double: ProviderDouble) -> None:
        super().__init__(address, _Handler)
        self.double = double

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that hangs up is part of the play."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Write no access log."""

    def do_GET(self) -> None:
        """Return the bill as JSON under `/charges`."""
        double = cast(_Server, self.server).double
        self._send_json(200, {"charges": [asdict(charge) for charge in double.charges]})

    def do_POST(self) -> None:
        """Answer one request of any of the APIs."""
        request = self._request()
        if request is None:
            self._send_json(404, {"error": {"message": f"the provider double does not know {self.path}"}})
            return
        double = cast(_Server, self.server).double
        answer, charge = double.take(request)
        time.sleep(answer.delay_s)
        try:
            if answer.delay_s and self._client_has_gone():
                raise ConnectionAbortedError("the client gave up")
            self._answer(request, answer, charge)
        except ConnectionError:
            double.not_received(charge)
            self.close_connection = True

    def _client_has_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""

    def _request(self) -> Request | None:
        body = self._body()
        path = urlsplit(self.path).path
        route = _route(path, body)
        if route is None:
            return None
        api, model = route
        return Request(
            api=api,
            model=model,
            body=body,
            streamed=bool(body.get("stream")) or path.endswith(":streamGenerateContent"),
            headers={name.lower(): value for name, value in self.headers.items()},
        )

    def _body(self) -> Json:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            raw = b"".join(self._chunks())
        else:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("content-encoding") == "gzip":
            raw = zlib.decompress(raw, wbits=31)
        return cast(Json, json.loads(raw or b"{}"))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().strip() or b"0", 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _answer(self, request: Request, answer: Answer, charge: Charge) -> None:
        if answer.status != 200:
            after = {} if answer.retry_after_s is None else {"retry-after": str(answer.retry_after_s)}
            self._send_json(answer.status, error_body(request.api, answer.status), after)
        elif answer.malformed:
            self._send(200, b'{"choices": [{"mess', {})
        elif request.streamed and request.api in STREAMS:
            self._send_stream(STREAMS[request.api](_reply(request, answer, charge)), answer.drop_after_chunks)
        else:
            self._send_json(200, BODIES[request.api](_reply(request, answer, charge)))

    def _send_json(self, status: int, body: Json, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(body).encode(), headers or {})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _send_stream(self, pieces: Iterator[bytes], drop_after: int | None) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number, piece in enumerate(pieces):
            if number == drop_after:
                raise ConnectionAbortedError("scripted")
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")


_PATHS: Final = {
    "/chat/completions": Api.OPENAI_CHAT,
    "/responses": Api.OPENAI_RESPONSES,
    "/embeddings": Api.OPENAI_EMBEDDINGS,
    "/messages": Api.ANTHROPIC,
}


def _route(path: str, body: Json) -> tuple[Api, str] | None:
    last = path.rsplit("/", 1)[-1]
    if last.endswith((":generateContent", ":streamGenerateContent")):
        return Api.GEMINI, last.split(":")[0]
    if path.startswith("/model/") and last == "converse":
        return Api.BEDROCK, unquote(path.split("/")[2])
    api = next((api for ending, api in _PATHS.items() if path.endswith(ending)), None)
    return None if api is None else (api, str(body.get("model", "")))


def _reply(request: Request, answer: Answer, charge: Charge) -> Reply:
    inputs = request.body.get("input")
    return Reply(
        response_id=charge.response_id,
        model=charge.model,
        text=answer.text,
        tools=answer.tools,
        cut_off=answer.cut_off,
        usage=charge.usage or Usage(),
        created_s=charge.at_ns // 1_000_000_000,
        include_usage=request.include_usage,
        inputs=len(inputs) if isinstance(inputs, list) else 1,
        as_base64=request.body.get("encoding_format") == "base64",
    )


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A loopback stand-in for OpenAI, Anthropic, Gemini and Bedrock.")
    parser.add_argument("--port", type=int, default=18080)
    double = ProviderDouble(port=parser.parse_args().port)
    double.start()
    print(f"OPENAI_BASE_URL={double.openai_url} ANTHROPIC_BASE_URL={double.url}  (bill: {double.url}/charges)")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        double.stop()


if __name__ == "__main__":
    main()
