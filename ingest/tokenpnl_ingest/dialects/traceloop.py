"""Traceloop (OpenLLMetry): GenAI names, `traceloop.*` for workflows, agents, tools and their content."""

from tokenpnl.model import Flag, Operation
from tokenpnl_ingest.dialects.conventions import count_resends, excludes_cache
from tokenpnl_ingest.dialects.convert import text
from tokenpnl_ingest.dialects.reading import Dialect, Reading


def _amend(reading: Reading) -> None:
    row = reading.row
    entity = text(reading.get("traceloop.entity.name"))
    match reading.operation:
        case Operation.WORKFLOW:
            row["workflow_name"] = row["workflow_name"] or entity or text(reading.get("traceloop.workflow.name"))
        case Operation.AGENT:
            row["agent_name"] = row["agent_name"] or entity
        case Operation.TOOL:
            row["tool_name"] = row["tool_name"] or entity
        case Operation.OTHER if reading.get("traceloop.span.kind") == "task":
            row["step_name"] = row["step_name"] or entity
        case _:
            pass
    count_resends(reading)
    for event in reading.span.events:
        if event.name in ("gen_ai.content.completion.chunk", "llm.content.completion.chunk"):
            row["ttft_ms"] = max(0, event.time_ns - reading.span.start_ns) / 1e6
            break


def _amend_anthropic(reading: Reading) -> None:
    _amend(reading)
    if reading.row["streamed"] and reading.row["output_tokens"]:
        # It adds the provisional count of the stream's first event to the cumulative last one.
        reading.flags.add(Flag.USAGE_ESTIMATED)


def _amend_langchain(reading: Reading) -> None:
    _amend(reading)
    row = reading.row
    claude = "claude" in (row["response_model"] or row["request_model"] or "")
    if claude and row["cache_write_tokens"] == 0:
        # LangChain moves Anthropic's cache writes to lifetimes that this library does not read; its 0 says nothing.
        row["cache_write_tokens"] = None


TRACELOOP = Dialect("traceloop", amend=_amend, excludes_cache=excludes_cache)
TRACELOOP_OPENAI = Dialect("traceloop", amend=_amend, excludes_cache=False)
TRACELOOP_ANTHROPIC = Dialect("traceloop", amend=_amend_anthropic, excludes_cache=False, cache_reported=True)
TRACELOOP_BEDROCK = Dialect("traceloop", amend=_amend, excludes_cache=True)
TRACELOOP_LANGCHAIN = Dialect("traceloop", amend=_amend_langchain, excludes_cache=False)
