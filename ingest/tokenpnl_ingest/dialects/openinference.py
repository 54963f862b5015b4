"""OpenInference (Arize): `llm.token_count.*`, inclusive for every provider; the raw answer in `output.value`."""

from typing import Any

from tokenpnl.model import BILLABLE_OPERATIONS
from tokenpnl_ingest.dialects.convert import truth
from tokenpnl_ingest.dialects.payload import answer_in, parsed
from tokenpnl_ingest.dialects.reading import Dialect, Reading, adopt


def _amend(reading: Reading) -> None:
    row = reading.row
    if reading.operation not in BILLABLE_OPERATIONS:
        return
    settings = parsed(reading.get("llm.invocation_parameters"))
    if row["streamed"] is None and isinstance(settings, dict):
        row["streamed"] = truth(settings.get("stream"))
    _read_answer(reading)
    for event in reading.span.events:
        if event.name == "First Token Stream Event" and row["ttft_ms"] is None:
            row["ttft_ms"] = max(0, event.time_ns - reading.span.start_ns) / 1e6


def _read_answer(reading: Reading) -> None:
    row = reading.row
    answer: Any = parsed(reading.get("output.value"))
    if not isinstance(answer, dict):
        return
    held = answer_in(answer)
    if held is not None and row["input_tokens"] is not None and held.usage.get("input_tokens") != row["input_tokens"]:
        # Both come from one response; where they differ, the instrumentation knows which one it counted.
        held.usage = {}
    adopt(reading, held)
    named = answer.get("id")
    if row["response_id"] is None and isinstance(named, str):
        row["response_id"] = named[:128]


def _anthropic_tells(reading: Reading) -> bool:
    # Its counts of 0 are left out, every other one is written.
    return reading.span.scope_name.endswith(".anthropic")


OPENINFERENCE = Dialect("openinference", amend=_amend, excludes_cache=False, cache_reported=_anthropic_tells)
