"""The load process of `ingest.py`: real protobuf batches over HTTP or gRPC, one JSON report on standard output.

A span has 20 attributes under the names of the GenAI convention and of OpenInference, 10 spans make a trace, about
850 bytes a span.
"""

import argparse
import http.client
import json
import queue
import random
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SPANS_PER_TRACE = 10
MODELS = ("gpt-4o-mini", "gpt-4o", "claude-sonnet-4-5", "gemini-2.5-flash")
PROVIDERS = ("openai", "openai", "anthropic", "gcp.gemini")
FILLER = "customer asks about an invoice that arrived twice and wants to know which one to pay; "


def attribute(key: str, value: str | float) -> KeyValue:
    """Return one attribute."""
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    if isinstance(value, float):
        return KeyValue(key=key, value=AnyValue(double_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=value))


def add_span(spans: list[Span], number: int, dice: random.Random, start_ns: int) -> None:
    """Append span `number` of a batch: a root for each trace, then nine model calls and tools below it."""
    position = number % SPANS_PER_TRACE
    root = spans[number - position] if position else None
    which = dice.randrange(len(MODELS))
    span = Span(
        trace_id=root.trace_id if root is not None else dice.randbytes(16),
        span_id=dice.randbytes(8),
        parent_span_id=root.span_id if root is not None else b"",
        name=f"chat {MODELS[which]}" if position else "invoke_workflow support reply",
        kind=Span.SPAN_KIND_CLIENT if position else Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=start_ns + position * 1_000_000,
        end_time_unix_nano=start_ns + position * 1_000_000 + dice.randrange(10**8, 3 * 10**9),
    )
    usage = dice.randrange(200, 6000), dice.randrange(20, 900)
    told: dict[str, str | float] = {
        "gen_ai.operation.name": "chat" if position else "invoke_workflow",
        "gen_ai.provider.name": PROVIDERS[which],
        "gen_ai.request.model": MODELS[which],
        "gen_ai.response.model": MODELS[which],
        "gen_ai.response.id": f"resp-{dice.getrandbits(64):x}",
        "gen_ai.conversation.id": f"conversation-{dice.randrange(500)}",
        "gen_ai.workflow.name": "support reply",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.response.finish_reasons": "stop",
        "server.address": "api.example.com",
        "server.port": 443,
        "openinference.span.kind": "LLM" if position else "CHAIN",
        "session.id": f"session-{dice.randrange(500)}",
        "user.id": f"user-{dice.randrange(2000)}",
        "tag.tags": "support,production",
        "input.mime_type": "text/plain",
        "input.value": FILLER[: dice.randrange(40, len(FILLER))],
    }
    if position:
        told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"] = usage
    else:
        told["tokenpnl.customer.id"], told["tokenpnl.feature"] = f"customer-{dice.randrange(40)}", "support"
    span.attributes.extend(attribute(key, value) for key, value in told.items())
    spans.append(span)


def batch(spans: int, dice: random.Random, start_ns: int) -> bytes:
    """Return one export request."""
    request = ExportTraceServiceRequest()
    sent = request.resource_spans.add()
    sent.resource.attributes.extend([attribute("service.name", "support"), attribute("service.version", "1.4.2")])
    scope = sent.scope_spans.add()
    scope.scope.name = "tokenpnl.benchmark"
    made: list[Span] = []
    for number in range(spans):
        add_span(made, number, dice, start_ns + number * 1000)
    scope.spans.extend(made)
    return request.SerializeToString()


def http_sender(address: str) -> Callable[[bytes], None]:
    """Return a function that posts a batch over one kept connection and fails unless it is acknowledged."""
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname or "", where.port)

    def send(body: bytes) -> None:
        connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200 or content:
            raise RuntimeError(f"{answer.status} {content[:200]!r}")

    return send


def grpc_sender(address: str) -> Callable[[bytes], None]:
    """Return a function that exports a batch over one channel and fails unless it is acknowledged."""
    channel = grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
    export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")

    def send(body: bytes) -> None:
        if content := export(body, timeout=60):
            raise RuntimeError(f"not fully taken: {content[:200]!r}")

    return send


def run(
    make: Callable[[], Callable[[bytes], None]], bodies: list[bytes], clients: int, pause_s: float
) -> dict[str, object]:
    """Send every batch with `clients` connections; with a pause, open loop: one batch is due each `pause_s`."""
    due: queue.SimpleQueue[tuple[float, bytes] | None] = queue.SimpleQueue()
    latencies: list[float] = []
    begun = time.perf_counter()
    for number, body in enumerate(bodies):
        due.put((begun + number * pause_s, body))

    def client() -> None:
        send = make()
        while (item := due.get()) is not None:
            at, body = item
            time.sleep(max(at - time.perf_counter(), 0))
            started = at if pause_s else time.perf_counter()
            send(body)
            latencies.append(time.perf_counter() - started)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for _ in threads:
        due.put(None)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    ordered = sorted(latencies)
    if len(ordered) != len(bodies):
        raise RuntimeError(f"{len(ordered)} of {len(bodies)} batches were acknowledged")
    return {
        "seconds": seconds,
        "ack_p50_ms": 1000 * ordered[len(ordered) // 2],
        "ack_p99_ms": 1000 * ordered[int(len(ordered) * 0.99)],
        "ack_max_ms": 1000 * ordered[-1],
    }


def main() -> None:
    """Make the batches, say `ready`, wait for a line, send, report."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--protocol", choices=("http", "grpc"), required=True)
    arguments.add_argument("--address", required=True)
    arguments.add_argument("--batches", type=int, required=True)
    arguments.add_argument("--spans", type=int, default=512)
    arguments.add_argument("--clients", type=int, default=4)
    arguments.add_argument("--spans-per-second", type=float, default=0.0, help="0: as fast as acknowledged")
    arguments.add_argument("--warm-batches", type=int, default=16, help="sent before the measurement")
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    dice = random.Random(given.seed)
    now = time.time_ns()
    bodies = [batch(given.spans, dice, now + number * 1_000_000) for number in range(given.batches)]
    sender = {"http": http_sender, "grpc": grpc_sender}[given.protocol]
    warm = [batch(given.spans, dice, now + number) for number in range(given.warm_batches)]
    run(lambda: sender(given.address), warm, given.clients, 0.25)
    print(json.dumps({"ready": True, "bytes_per_span": sum(map(len, bodies)) / len(bodies) / given.spans}), flush=True)
    input()
    pause_s = given.spans / given.spans_per_second if given.spans_per_second else 0.0
    print(json.dumps(run(lambda: sender(given.address), bodies, given.clients, pause_s)))


if __name__ == "__main__":
    main()
