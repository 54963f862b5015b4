"""Claude Code, Codex CLI and Gemini CLI: one call told by span, log record and metric, each with its own words."""

from tokenpnl.model import BILLABLE_OPERATIONS, Flag, Operation
from tokenpnl_ingest.dialects.convert import text, tokens, whole
from tokenpnl_ingest.dialects.endings import timed_out
from tokenpnl_ingest.dialects.reading import Dialect, Reading

_CODEX_OPERATIONS = {"handle_responses": Operation.INFERENCE, "session_task.turn": Operation.AGENT}


def _amend_claude_code(reading: Reading) -> None:
    row = reading.row
    row["provider"] = row["provider"] or "anthropic"
    if reading.operation in BILLABLE_OPERATIONS:
        # What it calls the response's id is the id of the HTTP request; span and log record share it, no one else does.
        requested = reading.get("request_id") or row["response_id"]
        row["response_id"] = f"request:{requested}" if requested else None
        row["attempts_reported"] = whole(reading.get("attempt"))
        if reading.get("speed") == "fast":
            row["service_tier"] = "fast"
    if reading.span.status_code == "error" and row["error_type"] is None:
        row["error_type"] = str(row["http_status"] or "api_error")
        row["timed_out"] = timed_out(str(reading.get("error") or ""))
    if reading.get("success") is False and row["error_type"] is None:
        row["error_type"] = "error"


def _amend_codex(reading: Reading) -> None:
    row, span = reading.row, reading.span
    if row["signal"] == "span":
        # One span per event of the stream has this name; the one with usage closes the request.
        counted = row["output_tokens"] is not None
        reading.operation = _CODEX_OPERATIONS.get(span.name, Operation.OTHER) if counted else Operation.OTHER
        if row["tool_name"] and "tool_source" in span.attributes:
            reading.operation = Operation.TOOL
            row["tool_call_id"] = text(reading.get("call_id"))
    elif reading.operation is Operation.HTTP:
        numbered = whole(reading.get("attempt"))
        row["attempt_number"] = numbered + 1 if numbered is not None else None
        if row["http_status"] is not None and row["http_status"] >= 400:
            row["error_type"] = row["error_type"] or str(row["http_status"])


def _amend_gemini_cli(reading: Reading) -> None:
    row = reading.row
    row["provider"] = row["provider"] or "google"
    if reading.operation not in BILLABLE_OPERATIONS:
        return
    if row["signal"] == "span":
        # The span leaves the thoughts out and does not say how many there were; the log record does.
        reading.flags.add(Flag.REASONING_UNKNOWN)
        return
    if row["output_tokens"] is not None:
        row["output_tokens"] += row["reasoning_tokens"] or 0
    prompted_by_tools = reading.get("tool_token_count")
    if row["input_tokens"] is not None and type(prompted_by_tools) is int and prompted_by_tools > 0:
        row["input_tokens"] += tokens(prompted_by_tools) or 0
    if reading.span.status_code == "error":
        row["error_type"] = row["error_type"] or str(row["http_status"] or "api_error")


def _is_log(reading: Reading) -> bool:
    return bool(reading.row["signal"] == "log")


CLAUDE_CODE = Dialect("claude_code", amend=_amend_claude_code, excludes_cache=True, cache_reported=True)
CODEX = Dialect("codex", amend=_amend_codex, excludes_cache=False, cache_reported=True, reasoning_reported=True)
GEMINI_CLI = Dialect(
    "gemini_cli",
    amend=_amend_gemini_cli,
    excludes_cache=False,
    cache_reported=_is_log,
    reasoning_reported=_is_log,
)
