"""Servers that run weights on somebody's own accelerators: they repeat the client's usage and add times and replicas.

Names: vLLM and SGLang from their tracing modules, TensorRT-LLM from `llmapi/otel_tracing.py`, Triton from `tracer.cc`
and its trace guide, Dynamo from its runtime's spans, TGI and TEI from their routers.
"""

from typing import Final

from tokenpnl.model import Operation
from tokenpnl_ingest.dialects.convert import seconds, text
from tokenpnl_ingest.dialects.reading import Dialect, Reading

NAME: Final = "inference_server"
SELF_HOST, OPTIMIZED, EDGE = "self_host", "optimized", "edge"
_REPLICA_KEYS = ("service.instance.id", "k8s.pod.name", "host.name")
# Stages of one request that are spans of their own (SGLang): at work, or waiting for it.
_WORKING = frozenset({"prefill_forward", "chunked_prefill", "decode_forward", "decode_loop", "compute"})
_WAITING = frozenset({"prefill_waiting", "decode_waiting"})
# One span for each request, without token counts: nothing else tells that the server was at work.
_REQUESTS = frozenset(
    {
        *("generate", "generate_stream", "chat_completions", "completions", "compat_generate", "vertex_compatibility"),
        *("embed", "embed_sparse", "embed_all", "rerank", "openai_embed", "predict", "InferRequest"),
    }
)


def _server(provider: str | None, deployment: str) -> Dialect:
    """Return the dialect of a server; `provider` is how the books name it."""

    def amend(reading: Reading) -> None:
        row = reading.row
        row["deployment"] = row["deployment"] or deployment
        row["provider"] = provider or row["provider"]
        counted = row["input_tokens"] is not None or row["output_tokens"] is not None
        _tell_times(reading, counted=counted)
        _tell_replica(reading)
        if reading.operation is Operation.INFERENCE and not counted:
            # Phases of a request and servers that count no tokens carry no bill.
            reading.operation = Operation.OTHER
        if not counted and reading.span.name in _REQUESTS and _names_the_request(reading):
            reading.operation = Operation.INFERENCE

    return Dialect(NAME, amend=amend, excludes_cache=False)


def _names_the_request(reading: Reading) -> bool:
    return reading.row["inference_ms"] is not None or reading.span.name == "InferRequest"


def _tell_times(reading: Reading, *, counted: bool) -> None:
    """Set time in queue and time at work, queue excluded, as far as the server tells them."""
    row, span = reading.row, reading.span
    took_ms = (span.end_ns - span.start_ns) / 1e6 if span.end_ns > span.start_ns else None
    if row["queue_ms"] is None:
        row["queue_ms"] = took_ms if span.name in _WAITING else _between(reading, "QUEUE_START", "COMPUTE_START")
    if row["inference_ms"] is None:
        row["inference_ms"] = _inference_ms(reading, counted=counted)
    if row["inference_ms"] is None and span.name in _WORKING:
        row["inference_ms"] = _between(reading, "COMPUTE_START", "COMPUTE_END") or took_ms


def _inference_ms(reading: Reading, *, counted: bool) -> float | None:
    stages = [seconds(reading.get(f"gen_ai.latency.time_in_model_{stage}")) for stage in ("prefill", "decode")]
    told = [stage for stage in stages if stage is not None]
    if told:
        return sum(told)
    whole, queued = seconds(reading.get("gen_ai.latency.e2e")), reading.row["queue_ms"]
    # Only the span that counts the tokens speaks of the whole request.
    return max(whole - queued, 0.0) if counted and whole is not None and queued is not None else None


def _between(reading: Reading, begin: str, end: str) -> float | None:
    times = {event.name: event.time_ns for event in reading.span.events}
    begun, ended = times.get(begin), times.get(end)
    return (ended - begun) / 1e6 if begun and ended and ended >= begun else None


def _tell_replica(reading: Reading) -> None:
    if reading.row["gpu_replica"] is None:
        resource = reading.span.resource
        told = [reading.get("instance_id"), *(resource.get(key) for key in _REPLICA_KEYS)]
        reading.row["gpu_replica"] = next((name for name in map(text, told) if name), None)


SERVER = _server(None, SELF_HOST)
VLLM = _server("vllm", SELF_HOST)
SGLANG = _server("sglang", SELF_HOST)
TGI = _server("tgi", SELF_HOST)
TEI = _server("tei", SELF_HOST)
TRITON = _server("triton", OPTIMIZED)
TENSORRT_LLM = _server("tensorrt_llm", OPTIMIZED)
DYNAMO = _server("dynamo", OPTIMIZED)

# Servers whose spans only their resource names, by its usual service.name.
BY_SERVICE: dict[str, Dialect] = {
    "text-generation-inference.router": TGI,
    "text-generation-inference.server": TGI,
    "text-embeddings-inference.server": TEI,
    "triton-inference-server": TRITON,
    "dynamo": DYNAMO,
    "dynamo-frontend": DYNAMO,
    "dynamo-worker": DYNAMO,
}
