"""A raw span to a canonical row: gather, let the dialect speak, fold, make usage inclusive, drop content."""

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import orjson

from tokenpnl.model import BILLABLE_OPERATIONS, Flag, Operation
from tokenpnl_ingest.content import DEFAULT_SECRET, Content, fingerprint, without_credentials
from tokenpnl_ingest.dialects import convert, endings
from tokenpnl_ingest.dialects.aliases import ALIASES, RESOURCE_COLUMNS
from tokenpnl_ingest.dialects.deployments import deployment_of
from tokenpnl_ingest.dialects.operations import operation_of
from tokenpnl_ingest.dialects.plan import PLANS, USAGE_COLUMNS
from tokenpnl_ingest.dialects.providers import serving_provider
from tokenpnl_ingest.dialects.reading import Dialect, Reading, gather, plain
from tokenpnl_ingest.dialects.registry import dialect_of
from tokenpnl_ingest.dialects.usage import forget_usage, make_inclusive
from tokenpnl_ingest.raw import RawSpan

_T = TypeVar("_T", bool, bool | None)
MAX_EVENTS = 256
MAX_NAME_CHARS = 512
_SAMPLING_KEYS = tuple(name.partition("|")[0] for name in ALIASES["adjusted_count"])
_HTTP_METHODS = ("http.request.method", "http.method")
_STEP_OPERATIONS = {
    "tool": Operation.TOOL,
    "retrieval": Operation.RETRIEVAL,
    "agent": Operation.AGENT,
    "guardrail": Operation.GUARDRAIL,
    "evaluation": Operation.EVALUATION,
}
_NO_EVENTS = "[]"
_NO_ATTRIBUTES = "{}"


def read_span(
    span: RawSpan,
    *,
    secret: bytes = DEFAULT_SECRET,
    signal: str = "span",
    resource_columns: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the row of a span: every column of `spans` but `received_at` and `batch_no`.

    Args:
        span: as the wire gave it.
        secret: key of the fingerprints that replace content.
        signal: `span`, or `log` for a log record that was dressed as a span.
        resource_columns: `columns_of(span.resource)`, if the caller has it.
    """
    reading = gather(span)
    dialect = dialect_of(span)
    row = reading.row
    _identify(reading, dialect, signal)
    for column, value in (columns_of(span.resource) if resource_columns is None else resource_columns).items():
        if row[column] is None:
            row[column] = value
    _settle_sampling(reading)
    _name_provider(reading)
    _settle_operation(reading)
    if dialect.amend is not None:
        try:
            dialect.amend(reading)
        except ValueError:
            # A converter met a number that cannot be true; the span stays, and so do the others of its request.
            reading.flags.add(Flag.USAGE_IMPLAUSIBLE)
    _settle_deployment(reading)
    _settle_ending(reading)
    _settle_usage(reading, dialect)
    _replace_content(reading, secret)
    _close(reading)
    return row


def _identify(reading: Reading, dialect: Dialect, signal: str) -> None:
    span, row, flags = reading.span, reading.row, reading.flags
    row["tenant"] = "default"
    row["trace_id"] = span.trace_id
    row["span_id"] = span.span_id
    row["parent_span_id"] = span.parent_span_id
    row["signal"] = signal
    row["name"] = span.name[:MAX_NAME_CHARS]
    row["span_kind"] = span.kind or None
    row["started_at"] = span.start_ns
    row["status_code"] = span.status_code
    row["scope_name"] = span.scope_name or None
    row["scope_version"] = span.scope_version or None
    row["dialect"] = dialect.name
    if not span.end_ns:
        flags.add(Flag.NEVER_ENDED)
    elif span.end_ns < span.start_ns:
        flags.add(Flag.END_BEFORE_START)
        reading.kept["tokenpnl.original.ended_at_ns"] = span.end_ns
    else:
        row["ended_at"] = span.end_ns


def _settle_sampling(reading: Reading) -> None:
    """Set how many traces this one stands for; a sampler that says that it chose, but not how often, is flagged."""
    row, state = reading.row, reading.span.trace_state
    if state:
        try:
            row["adjusted_count"] = convert.of_trace_state(state) or row["adjusted_count"]
        except ValueError:
            reading.flags.add(Flag.SAMPLING_UNKNOWN)
    if row["adjusted_count"] is None and any(key in reading.span.attributes for key in _SAMPLING_KEYS):
        reading.flags.add(Flag.SAMPLING_UNKNOWN)


def columns_of(resource: dict[str, Any]) -> dict[str, Any]:
    """Return what a resource says about every span below it, by column."""
    found: dict[str, tuple[int, Any]] = {}
    for key, value in resource.items():
        plan = PLANS.get(key)
        if plan is not None and plan.column in RESOURCE_COLUMNS and value:
            converted = plan.convert(value)
            if converted is not None and found.get(plan.column, (plan.rank + 1, None))[0] > plan.rank:
                found[plan.column] = (plan.rank, converted)
    return {column: value for column, (_, value) in found.items()}


def _name_provider(reading: Reading) -> None:
    """Set who served: a public host knows better than the flavour of the API, a model's name is the last resort."""
    row = reading.row
    said = sorted(reading.words.get("provider", ()))
    names = tuple(str(name) for _, _, name in said)
    row["provider"] = serving_provider(names, row["server_address"], row["response_model"] or row["request_model"])
    if said and names[0] != row["provider"]:
        reading.kept[said[0][1]] = names[0][:MAX_NAME_CHARS]


def _settle_operation(reading: Reading) -> None:
    """Set the operation from the emitter's words, else from what the span carries."""
    row = reading.row
    folded: Operation | None = None
    said = reading.words.get("operation_name")
    if said:
        said.sort()
        row["operation_name"] = str(said[0][2])[:MAX_NAME_CHARS]
        for _, _, word in said:
            folded = folded or operation_of(word)
    if folded is None:
        folded = _STEP_OPERATIONS.get(row["step_kind"] or "")
    if folded is None and (row["input_tokens"] is not None or row["output_tokens"] is not None):
        folded = Operation.INFERENCE
    if folded is None and any(key in reading.span.attributes for key in _HTTP_METHODS):
        folded = Operation.HTTP if reading.span.kind == "client" else Operation.OTHER
    reading.operation = folded or Operation.OTHER


def _settle_deployment(reading: Reading) -> None:
    row = reading.row
    if row["deployment"] is None and reading.operation in BILLABLE_OPERATIONS:
        named = tuple(str(name) for _, _, name in reading.words.get("provider", ()))
        row["deployment"] = deployment_of(row["provider"], named, row["server_address"], reading.span.resource)


def _settle_ending(reading: Reading) -> None:
    span, row = reading.span, reading.row
    row["finish_reason"] = endings.fold_finish_reason(row["finish_reason"])
    exception, message = endings.exception_of(span)
    if row["error_type"] is None and exception:
        row["error_type"] = exception[:MAX_NAME_CHARS]
    failed = span.status_code == "error" or row["error_type"] is not None
    if failed:
        row["timed_out"] = row["timed_out"] or endings.timed_out(
            row["error_type"], exception, message, span.status_message
        )
        row["cancelled"] = row["cancelled"] or endings.cancelled(row["error_type"], row["finish_reason"])
    elif row["streamed"] and reading.operation in BILLABLE_OPERATIONS and span.status_code == "unset":
        # A stream that nobody finished: no finish reason, or one that its emitter invented when the client left.
        row["cancelled"] = row["cancelled"] or row["finish_reason"] in (None, "error")
    if row["finish_reason"] in endings.CANCELLED_WORDS:
        row["cancelled"] = True


def _settle_usage(reading: Reading, dialect: Dialect) -> None:
    row = reading.row
    if row["operation_name"] == "fetch_response":
        # It reads a stored answer again; what it tells was billed before.
        forget_usage(row, USAGE_COLUMNS)
    if row["cancelled"] and row["finish_reason"] is None and _counts_at_start(row) and row["output_tokens"] is not None:
        # The first event of the stream carries a provisional output count; what was generated after it is unknown.
        reading.kept["tokenpnl.original.output_tokens"] = row["output_tokens"]
        row["output_tokens"] = None
    excludes = dialect.excludes_cache
    excluded = False if reading.inclusive else _holds(excludes, reading)
    make_inclusive(row, reading.flags, excludes_cache=excluded)
    if reading.operation in BILLABLE_OPERATIONS:
        # Embeddings and rerankers read no prompt cache and do not reason.
        plain = reading.operation is not Operation.INFERENCE
        row["cache_reported"] = plain or _holds(dialect.cache_reported, reading)
        row["reasoning_reported"] = plain or _holds(dialect.reasoning_reported, reading)
    if reading.unmapped and _speaks_of_a_model(reading):
        reading.flags.add(Flag.UNMAPPED_USAGE)


def _speaks_of_a_model(reading: Reading) -> bool:
    """Return whether counts of tokens on this span are usage; a lexer counts tokens too."""
    row = reading.row
    named = row["request_model"] or row["response_model"] or row["provider"]
    billable = reading.operation in BILLABLE_OPERATIONS
    return bool(named) or billable or any("usage" in key.lower() for key in reading.unmapped)


def _counts_at_start(row: dict[str, Any]) -> bool:
    return row["provider"] == "anthropic" or "claude" in (row["request_model"] or "")


def _holds(said: _T | Callable[[Reading], _T], reading: Reading) -> _T:
    return said(reading) if callable(said) else said


def _replace_content(reading: Reading, secret: bytes) -> None:
    row = reading.row
    if not reading.contents:
        return
    texts: dict[Content, list[tuple[str, Any]]] = {}
    for kind, key, value in reading.contents:
        texts.setdefault(kind, []).append((key, value))
    if reading.operation is Operation.TOOL and Content.ARGUMENTS not in texts and Content.PROMPT in texts:
        texts[Content.ARGUMENTS] = texts.pop(Content.PROMPT)
    for kind, column in (
        (Content.PROMPT, "prompt_hash"),
        (Content.OUTPUT, "output_hash"),
        (Content.ARGUMENTS, "arguments_hash"),
    ):
        if kind in texts and row[column] is None:
            row[column] = fingerprint(secret, texts[kind])


def _close(reading: Reading) -> None:
    """Fold the operation, flags and what is left into their columns, and hash the row."""
    span, row = reading.span, reading.row
    row["operation"] = reading.operation.value
    row["flags"] = ",".join(sorted(reading.flags)) if reading.flags else ""
    row["attributes_json"] = as_json(reading.kept) if reading.kept else _NO_ATTRIBUTES
    row["events_json"] = _events_json(span) if span.events else _NO_EVENTS
    row["links_json"] = (
        as_json([{"trace_id": trace, "span_id": linked} for trace, linked in span.links[:MAX_EVENTS]])
        if span.links
        else _NO_EVENTS
    )
    row["resource_hash"] = ""
    # Every row has the same columns in the same order, so the values alone tell rows apart.
    row["content_hash"] = hash_of(list(row.values()))


def hash_of(value: Any) -> str:
    """Return 32 hex digits that equal values share."""
    return hashlib.blake2b(orjson.dumps(value, default=str, option=_JSON), digest_size=16).hexdigest()


_JSON = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS


def as_json(value: Any) -> str:
    """Return the value as JSON text without credentials; text that is no UTF-8 is repaired by the wire before."""
    return without_credentials(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode())


def _events_json(span: RawSpan) -> str:
    return as_json(
        [
            {"name": event.name[:MAX_NAME_CHARS], "time": event.time_ns, "attributes": plain(event.attributes)}
            for event in span.events[:MAX_EVENTS]
        ]
    )
