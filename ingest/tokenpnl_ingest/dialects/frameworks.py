"""Agent frameworks and tracing SDKs with names of their own: pydantic-ai, Logfire, Langfuse, LangSmith, Strands."""

from typing import Any

from tokenpnl.model import BILLABLE_OPERATIONS, Operation
from tokenpnl_ingest.dialects.conventions import count_resends, excludes_cache
from tokenpnl_ingest.dialects.convert import instant, tokens, usd
from tokenpnl_ingest.dialects.payload import Answer, answer_in, parsed, usage_of
from tokenpnl_ingest.dialects.reading import Dialect, Reading, adopt

_AGGREGATED = {
    "gen_ai.aggregated_usage.input_tokens": "input_tokens",
    "gen_ai.aggregated_usage.output_tokens": "output_tokens",
    "gen_ai.aggregated_usage.cache_read.input_tokens": "cache_read_tokens",
    "gen_ai.aggregated_usage.cache_creation.input_tokens": "cache_write_tokens",
    "gen_ai.aggregated_usage.details.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
    "gen_ai.aggregated_usage.details.reasoning_tokens": "reasoning_tokens",
}
# Langfuse's own usage types are disjoint; the totals are their sums.
_LANGFUSE_TYPES = {
    "cache_read_tokens": (
        "input_cached_tokens",
        "input_cached",
        "input_cache_read",
        "input_cache_read_tokens",
        "cache_read_input_tokens",
    ),
    "cache_write_tokens": (
        "input_cache_creation",
        "input_cache_creation_tokens",
        "input_cache_write",
        "cache_creation_input_tokens",
    ),
    "input_audio_tokens": ("input_audio", "input_audio_tokens"),
    "input_image_tokens": ("input_image", "input_image_tokens"),
    "reasoning_tokens": ("output_reasoning", "output_reasoning_tokens"),
    "output_audio_tokens": ("output_audio", "output_audio_tokens"),
}


def _amend_pydantic_ai(reading: Reading) -> None:
    row = reading.row
    count_resends(reading)
    if reading.operation is Operation.AGENT:
        for key, column in _AGGREGATED.items():
            if row[column] is None and type(reading.get(key)) is int:
                row[column] = tokens(max(0, reading.get(key)))
    written, long = row["cache_write_tokens"], row["cache_write_1h_tokens"]
    if written is not None and long is not None and row["cache_write_5m_tokens"] is None and written >= long:
        # Of Anthropic's two lifetimes it writes the longer one and the total.
        row["cache_write_5m_tokens"] = written - long


def _amend_logfire(reading: Reading) -> None:
    if reading.operation is Operation.OTHER and "response_data" in reading.span.attributes:
        reading.operation = Operation.INFERENCE
    adopt(reading, answer_in(reading.get("response_data")))
    asked = parsed(reading.get("request_data"))
    if reading.row["request_model"] is None and isinstance(asked, dict) and isinstance(asked.get("model"), str):
        reading.row["request_model"] = asked["model"][:128]


def _amend_langfuse(reading: Reading) -> None:
    row = reading.row
    said = parsed(reading.get("langfuse.observation.usage_details"))
    if isinstance(said, dict) and said:
        adopt(reading, Answer(_langfuse_usage(said)))
    cost = parsed(reading.get("langfuse.observation.cost_details"))
    if row["reported_cost_usd"] is None and isinstance(cost, dict) and isinstance(cost.get("total"), int | float):
        row["reported_cost_usd"] = usd(max(0, cost["total"]))
    started = reading.get("langfuse.observation.completion_start_time")
    if row["ttft_ms"] is None and isinstance(started, str):
        at_ns = instant(started.strip('"'))
        row["ttft_ms"] = (at_ns - reading.span.start_ns) / 1e6 if at_ns > reading.span.start_ns else None
    if reading.get("langfuse.observation.level") == "ERROR" and row["error_type"] is None:
        row["error_type"] = "error"


def _langfuse_usage(said: dict[str, Any]) -> dict[str, int]:
    if "input" not in said and "output" not in said:
        return usage_of(said)
    found: dict[str, int] = {}
    for column, names in _LANGFUSE_TYPES.items():
        count = next((said[name] for name in names if type(said.get(name)) is int and said[name] >= 0), None)
        if count is not None:
            found[column] = count
    for column, word in (("input_tokens", "input"), ("output_tokens", "output")):
        starts = ("input_", "cache_") if word == "input" else ("output_",)
        parts = [value for key, value in said.items() if key.startswith(starts)]
        if type(said.get(word)) is int and said[word] >= 0:
            found[column] = said[word] + sum(part for part in parts if type(part) is int and part > 0)
    return found


def _amend_langsmith(reading: Reading) -> None:
    row = reading.row
    details = {
        "input_token_details": parsed(reading.get("gen_ai.usage.input_token_details")),
        "output_token_details": parsed(reading.get("gen_ai.usage.output_token_details")),
    }
    if any(isinstance(value, dict) for value in details.values()):
        totals = {"input_tokens": row["input_tokens"], "output_tokens": row["output_tokens"]}
        adopt(reading, Answer(usage_of({**totals, **details})))
    if reading.operation in BILLABLE_OPERATIONS and row["input_tokens"] is None:
        adopt(reading, answer_in(reading.get("langsmith.usage_metadata") or reading.get("gen_ai.completion")))


def _amend_strands(reading: Reading) -> None:
    count_resends(reading)
    said = reading.get("gen_ai.server.time_to_first_token")
    if type(said) in (int, float) and said >= 0:
        # Milliseconds here, seconds elsewhere under the same name.
        reading.row["ttft_ms"] = float(said)


PYDANTIC_AI = Dialect("pydantic_ai", amend=_amend_pydantic_ai, excludes_cache=False, cache_reported=True)
LOGFIRE = Dialect("logfire", amend=_amend_logfire, excludes_cache=excludes_cache)
LANGFUSE = Dialect("langfuse", amend=_amend_langfuse, excludes_cache=excludes_cache)
LANGSMITH = Dialect("langsmith", amend=_amend_langsmith, excludes_cache=False)
STRANDS = Dialect("strands", amend=_amend_strands, excludes_cache=False)
