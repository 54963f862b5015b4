"""The table contract: every table and column of the product, with type, unit and one sentence.

This module is the one home of the schema: the store compiles it to DDL, the journal to Arrow, analytics to Polars.
Facts (`spans`, `outcomes`, `evaluations`) are stored as they arrived; derived tables can always be rebuilt from them.
A column is nullable unless `required`; NULL means unknown, never zero.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from tokenpnl.model import UsageKind


class Type(StrEnum):
    """Column types; each engine has one rendering of each."""

    TEXT = "text"
    INT = "int"  # signed 64 bit
    FLOAT = "float"  # double; estimates and durations, never money
    BOOL = "bool"
    MONEY = "money"  # Decimal(38, 12)
    TIME = "time"  # UTC, nanoseconds


@dataclass(frozen=True)
class Column:
    """One column: its name carries the unit, `doc` says what it holds."""

    name: str
    type: Type
    doc: str
    required: bool = False


@dataclass(frozen=True)
class Table:
    """One table: `grain` says what one row is."""

    name: str
    grain: str
    columns: tuple[Column, ...] = field(repr=False)

    def __getitem__(self, name: str) -> Column:
        """Return the column of that name.

        Raises:
            KeyError: when the table has no such column.
        """
        return {column.name: column for column in self.columns}[name]

    @property
    def names(self) -> tuple[str, ...]:
        """The column names in order."""
        return tuple(column.name for column in self.columns)


def _text(name: str, doc: str) -> Column:
    return Column(name, Type.TEXT, doc)


def _int(name: str, doc: str) -> Column:
    return Column(name, Type.INT, doc)


def _float(name: str, doc: str) -> Column:
    return Column(name, Type.FLOAT, doc)


def _bool(name: str, doc: str) -> Column:
    return Column(name, Type.BOOL, doc)


def _money(name: str, doc: str) -> Column:
    return Column(name, Type.MONEY, doc)


def _time(name: str, doc: str) -> Column:
    return Column(name, Type.TIME, doc)


def _must(column: Column) -> Column:
    return Column(column.name, column.type, column.doc, required=True)


_TENANT = _must(_text("tenant", "Owner of the row; `default` until tenants exist."))
_FLAGS = _must(_text("flags", "Sorted, comma separated `Flag` values; empty when there is nothing to say."))

_OWNERS = (
    _text("workflow", "Named kind of work: `gen_ai.workflow.name`, else the root span's name."),
    _text("customer_id", "Customer that the run worked for."),
    _text("feature", "Product feature that the run belongs to."),
    _text("environment", "Deployment environment, such as production."),
    _text("release", "Version of the service."),
    _text("service_name", "Service that emitted the spans."),
    _text("user_id", "End user, if the emitter tells."),
    _text("session_id", "Conversation or session."),
)

REPORTED_USAGE = (
    _int("input_tokens", "All input, cached tokens included, after the dialect made it inclusive."),
    _int("cache_read_tokens", "Input read from the provider's prompt cache; inside `input_tokens`."),
    _int("cache_write_tokens", "Input written to the prompt cache, any lifetime; inside `input_tokens`."),
    _int("cache_write_5m_tokens", "Part of the cache write kept 5 minutes."),
    _int("cache_write_30m_tokens", "Part of the cache write kept 30 minutes."),
    _int("cache_write_1h_tokens", "Part of the cache write kept 1 hour."),
    _int("cache_write_12h_tokens", "Part of the cache write kept 12 hours."),
    _int("input_audio_tokens", "Audio part of the input, cached audio included."),
    _int("input_audio_cache_read_tokens", "Cached audio; inside both `input_audio_tokens` and `cache_read_tokens`."),
    _int("input_image_tokens", "Image part of the input."),
    _int("input_video_tokens", "Video part of the input."),
    _int("output_tokens", "All output, reasoning included."),
    _int("reasoning_tokens", "Reasoning; inside `output_tokens`."),
    _int("output_audio_tokens", "Audio part of the output."),
    _int("output_image_tokens", "Image part of the output."),
)

SPANS = Table(
    "spans",
    "one version of one span, or of one log record that reports usage; content-free",
    (
        _TENANT,
        _must(_text("trace_id", "32 hex digits; for a log record without a trace, a hash of its session.")),
        _must(_text("span_id", "16 hex digits; for a log record, a hash of the record.")),
        _text("parent_span_id", "16 hex digits; NULL for a root; for a log record, the span it was written under."),
        _must(_text("signal", "`span` or `log`.")),
        _must(_text("name", "Span name or event name.")),
        _text("span_kind", "internal, server, client, producer, consumer."),
        _must(_time("started_at", "Start; for a log record its time minus the duration it reports.")),
        _time("ended_at", "End; NULL when the span never ended."),
        _text("status_code", "unset, ok, error."),
        _text("scope_name", "Instrumentation scope."),
        _text("scope_version", "Version of the scope."),
        _must(_text("dialect", "Reader that mapped the row, for example `openinference`.")),
        _must(_text("operation", "One of `Operation`.")),
        _text("operation_name", "The emitter's own word for the operation."),
        _text("provider", "Normalised provider id as genai-prices spells it; NULL when only a framework was named."),
        _text("request_model", "Model that was asked for."),
        _text("response_model", "Model that served."),
        _text("service_tier", "Tier of the response: flex, priority, batch, fast."),
        _text("region", "Region or inference geography of the response."),
        _text("server_address", "Host that was called."),
        _text("response_id", "Provider's id of the answer; equal ids are one answer."),
        *REPORTED_USAGE,
        _bool("cache_reported", "Whether an absent cache count means none here: the emitter always tells."),
        _bool("reasoning_reported", "Whether an absent reasoning count means none here."),
        _money("reported_cost_usd", "The emitter's own cost of a model call; kept apart, never added."),
        _money("fee_usd", "`tokenpnl.cost_usd`: cost of something not priced by tokens; NULL on model spans."),
        _text("finish_reason", "stop, length, tool_calls, content_filter, error; else the raw word."),
        _text("error_type", "Exception class or error code of a failed span."),
        _int("http_status", "HTTP status of the answer, where visible."),
        _bool("timed_out", "Ended by a client timeout or deadline."),
        _bool("cancelled", "Cancelled or abandoned by the client."),
        _bool("streamed", "Whether the answer was a stream."),
        _float("ttft_ms", "Time to the first chunk, milliseconds."),
        _float("queue_ms", "Time in queue before work began, milliseconds."),
        _int("attempts_reported", "Wire attempts that this one span says it covers, itself included."),
        _text("run_id", "`tokenpnl.run.id`."),
        _text("call_id", "`tokenpnl.call.id`."),
        _int("attempt_number", "From 1."),
        _text("attempt_reason", "One of `AttemptReason`."),
        _bool("attempt_billed", "False when the provider certainly did not bill it."),
        _text("workflow_name", "Workflow named on this span."),
        _text("step_name", "Step named on this span."),
        _text("step_kind", "One of `StepKind`."),
        _text("agent_name", "Agent named on this span."),
        _text("tool_name", "Tool that was executed."),
        _text("tool_call_id", "Id of the tool call."),
        *_OWNERS[1:],
        _text("prompt_hash", "Fingerprint of the request."),
        _text("output_hash", "Fingerprint of the answer or the tool's result."),
        _text("arguments_hash", "Fingerprint of a tool call's arguments."),
        _bool("output_valid", "Whether structured output validated."),
        _text("parse_error", "What failed downstream on the output."),
        _text("cache_kind", "Application cache: response or semantic."),
        _bool("cache_hit", "Answered from the application's cache."),
        _int("cache_avoided_input_tokens", "Input tokens that the hit avoided."),
        _int("cache_avoided_output_tokens", "Output tokens that the hit avoided."),
        _text("deployment", "managed_api, cloud, self_host, optimized, edge."),
        _FLAGS,
        _must(_text("attributes_json", "Other attributes, content keys removed, as a JSON object.")),
        _must(_text("events_json", "Events, content removed, as a JSON array of {name, time, attributes}.")),
        _must(_text("links_json", "Links as a JSON array of {trace_id, span_id}.")),
        _must(_text("resource_hash", "Key into `resources`.")),
        _must(_text("content_hash", "Hash of the row as decoded; equal key and hash is a replay.")),
        _must(_time("received_at", "When the collector took it.")),
        _must(_int("batch_no", "Journal batch that holds it.")),
    ),
)

RESOURCES = Table(
    "resources",
    "one distinct OpenTelemetry resource",
    (
        _TENANT,
        _must(_text("resource_hash", "Hash of the attributes.")),
        _must(_text("attributes_json", "JSON object.")),
    ),
)

OUTCOMES = Table(
    "outcomes",
    "one statement about the outcome of a run; the newest `effective_at` wins, all are kept",
    (
        _TENANT,
        _must(_text("outcome_id", "Idempotency key; default a hash of run, status, time and source.")),
        _text("run_id", "Run it speaks of."),
        _text("trace_id", "Trace it speaks of, when no run id is given."),
        _text("span_id", "Span that carried it."),
        _must(_text("status", "One of `OutcomeStatus`.")),
        _money("value_usd", "Stated value."),
        _bool("value_given", "True when the statement carries a value, also when it removes one (value NULL)."),
        _float("score", "0 to 1 by convention."),
        _text("source", "One of `OutcomeSource`."),
        _text("reason", "Why, in the reporter's short code."),
        _must(_time("effective_at", "When it became true: `tokenpnl.outcome.at`, else the event's own time.")),
        _must(_time("recorded_at", "When the collector took it.")),
        _must(_text("content_hash", "Hash of the statement; breaks ties, so that arrival order decides nothing.")),
        _must(_int("batch_no", "Journal batch that holds it.")),
    ),
)

EVALUATIONS = Table(
    "evaluations",
    "one evaluation score; not an outcome",
    (
        _TENANT,
        _text("trace_id", "Trace it speaks of."),
        _text("span_id", "Span it speaks of."),
        _text("response_id", "Answer it speaks of."),
        _must(_text("name", "`gen_ai.evaluation.name`.")),
        _float("score", "`gen_ai.evaluation.score.value`."),
        _text("label", "`gen_ai.evaluation.score.label`."),
        _must(_time("evaluated_at", "Time of the event.")),
        _must(_text("content_hash", "Hash of the record.")),
        _must(_int("batch_no", "Journal batch that holds it.")),
    ),
)

QUARANTINE = Table(
    "quarantine",
    "one refused record, or one accepted record that was flagged",
    (
        _TENANT,
        _must(_text("reason", "One of `quarantine.Reason`.")),
        _must(_text("signal", "traces, logs or metrics.")),
        _bool("refused", "True: not stored. False: stored and flagged."),
        _text("trace_id", "Hex, as far as it could be read."),
        _text("span_id", "Hex, as far as it could be read."),
        _must(_text("detail", "What was expected and what came.")),
        _must(_time("received_at", "When.")),
        _must(_int("batch_no", "Journal batch that holds it.")),
    ),
)

BATCHES = Table(
    "batches",
    "one journal batch that is loaded: the watermark and the arrival counters",
    (
        _must(_int("batch_no", "From 1, without gaps.")),
        _must(_time("received_at", "When the journal took it.")),
        _must(_int("spans", "Span and usage log rows in the batch, replays included.")),
        _must(_int("replayed", "Rows that were already stored with the same content.")),
        _must(_int("log_records", "Log records accepted.")),
        _must(_int("metric_points", "Metric data points accepted.")),
        _must(_int("refused", "Records refused.")),
    ),
)

KIND_COLUMNS = tuple(_int(kind.column, f"Disjoint usage kind `{kind}`, tokens.") for kind in UsageKind)

ATTEMPTS = Table(
    "attempts",
    "one wire request of a call: the billing grain",
    (
        _TENANT,
        _must(_text("attempt_id", "trace:span, with #n when one span covers several requests.")),
        _must(_text("call_key", "`tokenpnl.call.id`, else the attempt_id of the call's first attempt.")),
        _must(_text("trace_id", "Trace of the span.")),
        _must(_text("span_id", "Span that carries the bill.")),
        _text("run_id", "Run it belongs to; NULL: unattributed."),
        *_OWNERS,
        _must(_text("step", "Nearest step span, else agent, else operation without the model.")),
        _text("agent_name", "Nearest agent."),
        _must(_text("operation", "inference, embedding or rerank.")),
        _text("provider", "Who served."),
        _text("model", "Response model, else request model."),
        _text("request_model", "Model that was asked for."),
        _text("service_tier", "Tier of the response."),
        _text("region", "Region of the response."),
        _text("deployment", "managed_api, cloud, self_host, optimized, edge."),
        _must(_time("started_at", "Start; its price, hour and day are those of this moment.")),
        _time("ended_at", "End."),
        _float("latency_ms", "End minus start, milliseconds."),
        _float("ttft_ms", "Time to the first chunk, milliseconds."),
        _must(_int("attempt_number", "From 1 within the call.")),
        _must(_text("attempt_reason", "One of `AttemptReason`.")),
        _must(_text("attempt_source", "One of `AttemptSource`.")),
        _must(_text("served_reason", "One of `ServedReason`.")),
        _bool("billed", "False: certainly not billed; NULL: not known to be unbilled."),
        _must(_text("status", "One of `AttemptStatus`.")),
        _text("error_type", "Exception class or error code."),
        _int("http_status", "HTTP status."),
        _text("finish_reason", "Why the model stopped."),
        _must(_bool("superseded", "A later attempt of the same call followed.")),
        _must(_bool("gave_up", "Last attempt of a call that ended without a usable answer.")),
        _bool("output_valid", "Whether structured output validated."),
        _text("evaluation", "inline or offline below an evaluation or guardrail step, else NULL."),
        _must(_bool("looped", "Repeats the previous identical call of the same run and step.")),
        _must(_bool("rejected", "Answer of a cheaper model that a stronger one replaced.")),
        _int("input_total_tokens", "All input."),
        _int("output_total_tokens", "All output."),
        *KIND_COLUMNS,
        _must(_bool("usage_missing", "The call reached a model but its usage is not known.")),
        _money("reported_cost_usd", "The emitter's own cost; kept apart."),
        _text("prompt_hash", "Fingerprint of the request."),
        _must(_text("dialect", "Reader that mapped the span.")),
        _FLAGS,
    ),
)

CALLS = Table(
    "calls",
    "one logical model operation that the program asked for, also when a cache answered it",
    (
        _TENANT,
        _must(_text("call_key", "Key of the call.")),
        _must(_text("trace_id", "Trace of its first span.")),
        _must(_text("span_id", "Its first span.")),
        _text("run_id", "Run it belongs to."),
        *_OWNERS,
        _must(_text("step", "Step it belongs to.")),
        _text("provider", "Who served last."),
        _text("model", "Model that served last, else asked for."),
        _must(_time("started_at", "Start of the first attempt.")),
        _time("ended_at", "End of the last attempt."),
        _must(_int("n_attempts", "Known wire attempts; 0 for a hit of the application's cache.")),
        _must(_bool("failed", "Ended in an error for the program.")),
        _must(_bool("cached", "Answered by the application's cache.")),
        _int("cache_avoided_input_tokens", "Input tokens that the hit avoided."),
        _int("cache_avoided_output_tokens", "Output tokens that the hit avoided."),
        _FLAGS,
    ),
)

FEES = Table(
    "fees",
    "one reported cost that is not priced by tokens: a paid tool, a search, a human review",
    (
        _TENANT,
        _must(_text("trace_id", "Trace of the span.")),
        _must(_text("span_id", "Span that reported it.")),
        _text("run_id", "Run it belongs to; NULL: unattributed."),
        *_OWNERS,
        _must(_text("step", "Step it belongs to.")),
        _text("tool_name", "Tool, or the span's name."),
        _must(_time("started_at", "Start of the span.")),
        _text("evaluation", "inline or offline, else NULL."),
        _must(_bool("looped", "Repeats the previous identical tool call of the same run and step.")),
        _must(_bool("failed", "The tool ended in an error.")),
        _money("fee_usd", "Reported cost."),
        _FLAGS,
    ),
)

RUNS = Table(
    "runs",
    "one execution of a workflow: one outcome is expected of it",
    (
        _TENANT,
        _must(_text("run_id", "`tokenpnl.run.id`, else the trace id (with /span id where a trace holds several).")),
        _must(_text("trace_id", "Trace of the run span.")),
        _must(_text("span_id", "The run span.")),
        *_OWNERS,
        _must(_bool("workflow_derived", "The workflow is only the root span's name.")),
        _must(_time("started_at", "Start of the run span.")),
        _time("ended_at", "End of the run span."),
        _float("latency_ms", "End minus start, milliseconds."),
        _must(_bool("failed", "The run span ended in an error.")),
        _must(_int("n_spans", "Spans in the run.")),
        _must(_int("n_calls", "Logical model calls.")),
        _must(_int("n_attempts", "Wire attempts.")),
        _must(_int("n_usage_missing", "Attempts with unknown usage.")),
        _must(_int("n_unpriced", "Attempts with usage and without a price.")),
        _text("outcome", "One of `OutcomeStatus`; NULL: none yet."),
        _money("value_usd", "Stated value of the outcome."),
        _float("score", "Score of the outcome."),
        _text("outcome_source", "Who stated it."),
        _time("outcome_at", "When it became true."),
        _time("outcome_recorded_at", "When the collector took the first statement about the run."),
        _money("cost_usd", "Sum of its priced line items; NULL when none is priced."),
        _money("without_result_usd", "Part of it in the categories without direct result."),
        _text("models", "Sorted, comma separated models that served."),
        _FLAGS,
    ),
)

LINE_ITEMS = Table(
    "line_items",
    "one priced usage kind of one attempt, or one fee; every question is a group_by of this table",
    (
        _TENANT,
        _must(_text("line_id", "attempt_id/usage kind, or trace:span/fee.")),
        _text("attempt_id", "Attempt; NULL for a fee."),
        _text("call_key", "Call; NULL for a fee."),
        _must(_text("trace_id", "Trace.")),
        _must(_text("span_id", "Span.")),
        _text("run_id", "Run; NULL: unattributed."),
        *_OWNERS,
        _must(_text("step", "Step.")),
        _text("provider", "Who served."),
        _text("model", "Model that served."),
        _text("deployment", "managed_api, cloud, self_host, optimized, edge."),
        _must(_time("started_at", "Start of the attempt.")),
        _must(_text("charge_category", "FOCUS: Usage, Purchase, Credit, Tax, Adjustment.")),
        _must(_text("usage_kind", "One of `UsageKind`, or `fee`.")),
        _must(_int("quantity", "Tokens; 1 for a fee.")),
        _money("list_unit_usd_per_million", "List price of a million of the kind; NULL: unpriced or a fee."),
        _money("list_cost_usd", "Quantity at list."),
        _money("cost_usd", "Effective cost; NULL: unpriced, or certainly unbilled usage costs 0."),
        _money("uncached_cost_usd", "The same tokens at the uncached input price; memo of cache savings."),
        _must(_text("cost_source", "One of `CostSource`.")),
        _text("price_version", "Source, version and hash of the rate card."),
        _must(_text("cost_category", "One of `CostCategory`.")),
        _must(_text("category_rule", "The rule that matched, in one short phrase.")),
        _text("cause", "timeout, invalid_output, provider_error, refusal, limit."),
        _text("evaluation", "inline or offline, else NULL."),
        _must(_text("served_reason", "One of `ServedReason`.")),
        _FLAGS,
    ),
)

FACTS = (SPANS, RESOURCES, OUTCOMES, EVALUATIONS, QUARANTINE, BATCHES)
DERIVED = (ATTEMPTS, CALLS, FEES, RUNS, LINE_ITEMS)
TABLES = FACTS + DERIVED
