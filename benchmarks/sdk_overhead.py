"""SDK overhead: CPU time of one traced model call with 20 attributes, ours against plain opentelemetry-sdk.

`python benchmarks/sdk_overhead.py` alternates both (A B A B) in one process, both with a batch processor whose exporter
drops everything, counts the CPU time of the calling thread, and prints JSON and a table of medians. The import of both
is timed in fresh interpreters.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind

import tokenpnl

PLAIN = "opentelemetry-sdk"
CALLS = 3_000
ROUNDS = 7
# Eight attributes are the model call's own on both sides, twelve are the program's.
OURS = {f"app.attribute.{number}": f"value {number}" for number in range(12)}
MODEL_CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5-mini",
    "gen_ai.response.model": "gpt-5-mini",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 300,
    "gen_ai.response.finish_reasons": ("stop",),
}
STATED = {**OURS, **MODEL_CALL}
RESPONSE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-5-mini",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "fine"}}],
    "usage": {"prompt_tokens": 1200, "completion_tokens": 300, "total_tokens": 1500},
}


class Drop(SpanExporter):
    """Takes spans and forgets them, so that only recording is measured."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002  # the exporter's signature
        """Forget the spans."""
        return SpanExportResult.SUCCESS


def provider() -> TracerProvider:
    """Return a provider that exports in batches to nowhere."""
    made = TracerProvider()
    made.add_span_processor(BatchSpanProcessor(Drop(), max_queue_size=65_536))
    return made


def plain_calls(tracer_provider: TracerProvider) -> Callable[[], None]:
    """Return what records one call with the plain SDK."""
    tracer = tracer_provider.get_tracer("bench")

    def call() -> None:
        with tracer.start_as_current_span("chat gpt-5-mini", kind=SpanKind.CLIENT, attributes=STATED):
            pass

    return call


def stated_call() -> None:
    """Record one call with our SDK inside a run, all attributes given: 20 and the run's stamp."""
    with tokenpnl.llm_call("openai", "gpt-5-mini", attributes=STATED):
        pass


def read_call() -> None:
    """Record one call with our SDK inside a run; usage, id, model and finish reason are read from the response."""
    with tokenpnl.llm_call("openai", "gpt-5-mini", attributes=OURS) as model_call:
        model_call.record(RESPONSE)


def microseconds(call: Callable[[], None]) -> float:
    """Return the CPU microseconds of one call, over `CALLS` of them."""
    start = time.thread_time()
    for _ in range(CALLS):
        call()
    return (time.thread_time() - start) / CALLS * 1e6


def import_ms(module: str) -> float:
    """Return the CPU milliseconds of importing a module in a fresh interpreter, the least of a few."""
    program = f"import time; t = time.process_time(); import {module}; print((time.process_time() - t) * 1e3)"
    runs = [subprocess.run([sys.executable, "-c", program], capture_output=True, check=True) for _ in range(ROUNDS)]
    return min(float(done.stdout) for done in runs)


def main() -> None:
    """Measure, print JSON and a table."""
    os.environ["OTEL_TRACES_EXPORTER"] = os.environ["OTEL_LOGS_EXPORTER"] = "none"
    tokenpnl.init("bench", provider=provider(), instrument=False)
    recorders = {PLAIN: plain_calls(provider()), "tokenpnl": stated_call, "tokenpnl, response read": read_call}
    samples: dict[str, list[float]] = {name: [] for name in recorders}
    with tokenpnl.workflow("bench"):
        for _ in range(ROUNDS):
            for name, call in recorders.items():
                samples[name].append(microseconds(call))
    medians = {name: statistics.median(taken) for name, taken in samples.items()}
    imports = {PLAIN: import_ms("opentelemetry.sdk.trace"), "tokenpnl": import_ms("tokenpnl")}
    print(json.dumps({"us": medians, "import_ms": imports, "calls": CALLS, "rounds": ROUNDS}))
    print("| recorder | CPU microseconds a call | ratio | import, CPU ms | ratio |\n|---|---|---|---|---|")
    for name, taken in medians.items():
        row = [name, f"{taken:.1f}", f"{taken / medians[PLAIN]:.2f}"]
        loaded = imports.get(name)
        row += ["", ""] if loaded is None else [f"{loaded:.0f}", f"{loaded / imports[PLAIN]:.2f}"]
        print("|", " | ".join(row), "|")


if __name__ == "__main__":
    main()
