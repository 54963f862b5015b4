"""Log records that report what a model call used or how a request ended, dressed as spans for the same dialects."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from tokenpnl_ingest.content import DEFAULT_SECRET
from tokenpnl_ingest.dialects import convert
from tokenpnl_ingest.dialects.read import read_span
from tokenpnl_ingest.raw import RawLog, RawSpan

_SESSION_KEYS = ("session.id", "gen_ai.conversation.id", "conversation.id")


@dataclass(frozen=True, slots=True)
class Event:
    """How one kind of log event becomes a row.

    Attributes:
        operation: the emitter's word for the operation, as `gen_ai.operation.name` would hold it.
        failed: whether the event says that the request failed.
        wanted: whether this record is one to read; default every one.
    """

    operation: str
    failed: bool = False
    wanted: Callable[[RawLog], bool] | None = None


def _reports_usage(log: RawLog) -> bool:
    return any(key.startswith("gen_ai.usage.") and value for key, value in log.attributes.items())


def _completed(log: RawLog) -> bool:
    # The end of a stream is written twice, once with the counts.
    return log.attributes.get("event.kind") == "response.completed" and "input_token_count" in log.attributes


def _says_more_than_a_span(log: RawLog) -> bool:
    # Gemini CLI writes `gemini_cli.api_response` too, which knows the thoughts that this event leaves out; OpenLIT
    # writes its span too, and only there an estimate can be told from a count.
    return _reports_usage(log) and not log.scope_name.startswith(("gemini-cli", "openlit."))


EVENTS: dict[str, Event] = {
    "claude_code.api_request": Event("llm_request"),
    "claude_code.api_error": Event("llm_request", failed=True),
    "codex.sse_event": Event("response", wanted=_completed),
    "codex.api_request": Event("http"),
    "gemini_cli.api_response": Event("generate_content"),
    "gemini_cli.api_error": Event("generate_content", failed=True),
    "gen_ai.client.inference.operation.details": Event("chat", wanted=_says_more_than_a_span),
}


def read_log(log: RawLog, *, secret: bytes = DEFAULT_SECRET) -> dict[str, Any] | None:
    """Return the `spans` row (signal `log`) of a record that reports usage or a request; None for any other record.

    The row's span id is a hash of the record, its parent the span it was written under; without a trace the trace id
    is a hash of the session, so that records of one session stay together.
    """
    name = event_name_of(log)
    event = EVENTS.get(name)
    if event is None or (event.wanted is not None and not event.wanted(log)):
        return None
    return read_span(_as_span(log, name, event), secret=secret, signal="log")


def event_name_of(log: RawLog) -> str:
    """Return the event's full name: `eventName`, else `event.name`, else the body; with the emitter's prefix."""
    stated = log.attributes.get("event.name")
    for name in (log.event_name, stated, log.body):
        if isinstance(name, str) and name in EVENTS:
            return name
    if isinstance(stated, str) and log.scope_name.startswith("com.anthropic.claude_code"):
        return f"claude_code.{stated}"
    return log.event_name


def _as_span(log: RawLog, name: str, event: Event) -> RawSpan:
    attributes = dict(log.attributes)
    attributes.setdefault("gen_ai.operation.name", event.operation)
    ended_ns = log.time_ns or convert.instant(attributes.get("event.timestamp"))
    took_ms = convert.milliseconds(attributes.get("duration_ms")) or 0.0
    told = orjson.dumps(
        [log.trace_id, log.span_id, name, ended_ns, sorted(attributes.items(), key=_key)],
        default=str,
        option=orjson.OPT_NON_STR_KEYS,
    )
    return RawSpan(
        trace_id=log.trace_id or _hashed(_session(log) or told, 16),
        span_id=_hashed(told, 8),
        parent_span_id=log.span_id or None,
        name=name,
        kind="",
        start_ns=max(0, ended_ns - int(took_ms * 1e6)),
        end_ns=ended_ns,
        status_code="error" if event.failed else "unset",
        status_message="",
        scope_name=log.scope_name,
        scope_version=log.scope_version,
        attributes=attributes,
        resource=log.resource,
    )


def _key(item: tuple[str, Any]) -> str:
    return item[0]


def _session(log: RawLog) -> bytes:
    for holder in (log.attributes, log.resource):
        for key in _SESSION_KEYS:
            if holder.get(key):
                return str(holder[key]).encode("utf-8", "replace")
    return b""


def _hashed(told: bytes, size: int) -> str:
    return hashlib.blake2b(told, digest_size=size).hexdigest()
