"""The table contract: every table and column of the product, with type, unit and one sentence.

This module is the one home of the schema: the store compiles it to DDL, the journal to Arrow, analytics to Polars.
Facts (`spans`, `outcomes`, `evaluations`) are stored as they arrived; derived tables can always be rebuilt from them.
A column is nullable unless `required`; NULL means unknown, never zero.
"""

from tokenpnl.model import UsageKind
from tokenpnl.schema import Table, boolean, integer, money, must, real, text, time

_TENANT = must(text("tenant", "Owner of the row; `default` until tenants exist."))
_FLAGS = must(text("flags", "Sorted, comma separated `Flag` values; empty when there is nothing to say."))

_OWNERS = (
    text("workflow", "Named kind of work: `gen_ai.workflow.name`, else the root span's name."),
    text("customer_id", "Customer that the run worked for."),
    text("feature", "Product feature that the run belongs to."),
    text("environment", "Deployment environment, such as production."),
    text("release", "Version of the service."),
    text("service_name", "Service that emitted the spans."),
    text("user_id", "End user, if the emitter tells."),
    text("session_id", "Conversation or session."),
)

REPORTED_USAGE = (
    integer("input_tokens", "All input, cached tokens included, after the dialect made it inclusive."),
    integer("cache_read_tokens", "Input read from the provider's prompt cache; inside `input_tokens`."),
    integer("cache_write_tokens", "Input written to the prompt cache, any lifetime; inside `input_tokens`."),
    integer("cache_write_5m_tokens", "Part of the cache write kept 5 minutes."),
    integer("cache_write_30m_tokens", "Part of the cache write kept 30 minutes."),
    integer("cache_write_1h_tokens", "Part of the cache write kept 1 hour."),
    integer("cache_write_12h_tokens", "Part of the cache write kept 12 hours."),
    integer("input_audio_tokens", "Audio part of the input, cached audio included."),
    integer("input_audio_cache_read_tokens", "Cached audio; inside both `input_audio_tokens` and `cache_read_tokens`."),
    integer("input_image_tokens", "Image part of the input."),
    integer("input_video_tokens", "Video part of the input."),
    integer("output_tokens", "All output, reasoning included."),
    integer("reasoning_tokens", "Reasoning; inside `output_tokens`."),
    integer("output_audio_tokens", "Audio part of the output."),
    integer("output_image_tokens", "Image part of the output."),
)

SPANS = Table(
    "spans",
    "one version of one span, or of one log record that reports usage; content-free",
    (
        _TENANT,
        must(text("trace_id", "32 hex digits; for a log record without a trace, a hash of its session.")),
        must(text("span_id", "16 hex digits; for a log record, a hash of the record.")),
        text("parent_span_id", "16 hex digits; NULL for a root; for a log record, the span it was written under."),
        must(text("signal", "`span` or `log`.")),
        must(text("name", "Span name or event name.")),
        text("span_kind", "internal, server, client, producer, consumer."),
        must(time("started_at", "Start; for a log record its time minus the duration it reports.")),
        time("ended_at", "End; NULL when the span never ended."),
        text("status_code", "unset, ok, error."),
        text("scope_name", "Instrumentation scope."),
        text("scope_version", "Version of the scope."),
        must(text("dialect", "Reader that mapped the row, for example `openinference`.")),
        must(text("operation", "One of `Operation`.")),
        text("operation_name", "The emitter's own word for the operation."),
        text("provider", "Normalised provider id as genai-prices spells it; NULL when only a framework was named."),
        text("request_model", "Model that was asked for."),
        text("response_model", "Model that served."),
        text("service_tier", "Tier of the response: flex, priority, batch, fast."),
        text("region", "Region or inference geography of the response."),
        text("server_address", "Host that was called."),
        text("response_id", "Provider's id of the answer; equal ids are one answer."),
        *REPORTED_USAGE,
        boolean("cache_reported", "Whether an absent cache count means none here: the emitter always tells."),
        boolean("reasoning_reported", "Whether an absent reasoning count means none here."),
        money("reported_cost_usd", "The emitter's own cost of a model call; kept apart, never added."),
        money("fee_usd", "`tokenpnl.cost_usd`: cost of something not priced by tokens, on any span."),
        text("finish_reason", "stop, length, tool_calls, content_filter, error; else the raw word."),
        text("error_type", "Exception class or error code of a failed span."),
        integer("http_status", "HTTP status of the answer, where visible."),
        boolean("timed_out", "Ended by a client timeout or deadline."),
        boolean("cancelled", "Cancelled or abandoned by the client."),
        boolean("streamed", "Whether the answer was a stream."),
        real("ttft_ms", "Time to the first chunk, milliseconds."),
        real("queue_ms", "Time in queue before work began, milliseconds."),
        integer("attempts_reported", "Wire attempts that this one span says it covers, itself included."),
        text("run_id", "`tokenpnl.run.id`."),
        text("call_id", "`tokenpnl.call.id`."),
        integer("attempt_number", "From 1."),
        text("attempt_reason", "One of `AttemptReason`."),
        boolean("attempt_billed", "False when the provider certainly did not bill it."),
        text("workflow_name", "Workflow named on this span."),
        text("step_name", "Step named on this span."),
        text("step_kind", "One of `StepKind`."),
        text("agent_name", "Agent named on this span."),
        text("tool_name", "Tool that was executed."),
        text("tool_call_id", "Id of the tool call."),
        *_OWNERS[1:],
        text("prompt_hash", "Fingerprint of the request."),
        text("output_hash", "Fingerprint of the answer or the tool's result."),
        text("arguments_hash", "Fingerprint of a tool call's arguments."),
        boolean("output_valid", "Whether structured output validated."),
        text("parse_error", "What failed downstream on the output."),
        text("cache_kind", "Application cache: response or semantic."),
        boolean("cache_hit", "Answered from the application's cache."),
        integer("cache_avoided_input_tokens", "Input tokens that the hit avoided."),
        integer("cache_avoided_output_tokens", "Output tokens that the hit avoided."),
        text("deployment", "managed_api, cloud, self_host, optimized, edge."),
        _FLAGS,
        must(text("attributes_json", "Other attributes, content keys removed, as a JSON object.")),
        must(text("events_json", "Events, content removed, as a JSON array of {name, time, attributes}.")),
        must(text("links_json", "Links as a JSON array of {trace_id, span_id}.")),
        must(text("resource_hash", "Key into `resources`.")),
        must(text("content_hash", "Hash of the row as decoded; equal key and hash is a replay.")),
        must(time("received_at", "When the collector took it.")),
        must(integer("batch_no", "Journal batch that holds it.")),
    ),
)

RESOURCES = Table(
    "resources",
    "one distinct OpenTelemetry resource",
    (
        _TENANT,
        must(text("resource_hash", "Hash of the attributes.")),
        must(text("attributes_json", "JSON object.")),
    ),
)

OUTCOMES = Table(
    "outcomes",
    "one statement about the outcome of a run; the newest `effective_at` wins, all are kept",
    (
        _TENANT,
        must(text("outcome_id", "Idempotency key; default a hash of run, status, time and source.")),
        text("run_id", "Run it speaks of."),
        text("trace_id", "Trace it speaks of, when no run id is given."),
        text("span_id", "Span that carried it."),
        must(text("status", "One of `OutcomeStatus`.")),
        money("value_usd", "Stated value."),
        boolean("value_given", "True when the statement carries a value, also when it removes one (value NULL)."),
        real("score", "0 to 1 by convention."),
        text("source", "One of `OutcomeSource`."),
        text("reason", "Why, in the reporter's short code."),
        must(time("effective_at", "When it became true: `tokenpnl.outcome.at`, else the event's own time.")),
        must(time("recorded_at", "When the collector took it.")),
        must(text("content_hash", "Hash of the statement; breaks ties, so that arrival order decides nothing.")),
        must(integer("batch_no", "Journal batch that holds it.")),
    ),
)

EVALUATIONS = Table(
    "evaluations",
    "one evaluation score; not an outcome",
    (
        _TENANT,
        text("trace_id", "Trace it speaks of."),
        text("span_id", "Span it speaks of."),
        text("response_id", "Answer it speaks of."),
        must(text("name", "`gen_ai.evaluation.name`.")),
        real("score", "`gen_ai.evaluation.score.value`."),
        text("label", "`gen_ai.evaluation.score.label`."),
        must(time("evaluated_at", "Time of the event.")),
        must(text("content_hash", "Hash of the record.")),
        must(integer("batch_no", "Journal batch that holds it.")),
    ),
)

QUARANTINE = Table(
    "quarantine",
    "one refused record, or one accepted record that was flagged",
    (
        _TENANT,
        must(text("reason", "One of `quarantine.Reason`.")),
        must(text("signal", "traces, logs or metrics.")),
        boolean("refused", "True: not stored. False: stored and flagged."),
        text("trace_id", "Hex, as far as it could be read."),
        text("span_id", "Hex, as far as it could be read."),
        must(text("detail", "What was expected and what came.")),
        must(time("received_at", "When.")),
        must(integer("batch_no", "Journal batch that holds it.")),
    ),
)

BATCHES = Table(
    "batches",
    "one journal batch that is loaded: the watermark and the arrival counters",
    (
        must(integer("batch_no", "From 1, without gaps.")),
        must(time("received_at", "When the journal took it.")),
        must(integer("spans", "Span and usage log rows in the batch, replays included.")),
        must(integer("replayed", "Rows that were already stored with the same content.")),
        must(integer("log_records", "Log records accepted.")),
        must(integer("metric_points", "Metric data points accepted.")),
        must(integer("refused", "Records refused.")),
    ),
)

KIND_COLUMNS = tuple(integer(kind.column, f"Disjoint usage kind `{kind}`, tokens.") for kind in UsageKind)

ATTEMPTS = Table(
    "attempts",
    "one wire request of a call: the billing grain",
    (
        _TENANT,
        must(text("attempt_id", "trace:span, with #n when one span covers several requests.")),
        must(text("call_key", "`tokenpnl.call.id`, else the attempt_id of the call's first attempt.")),
        must(text("trace_id", "Trace of the span.")),
        must(text("span_id", "Span that carries the bill.")),
        text("run_id", "Run it belongs to; NULL: unattributed."),
        *_OWNERS,
        must(text("step", "Nearest step span, else agent, else operation without the model.")),
        text("agent_name", "Nearest agent."),
        must(text("operation", "inference, embedding or rerank.")),
        text("provider", "Who served."),
        text("model", "Response model, else request model."),
        text("request_model", "Model that was asked for."),
        text("service_tier", "Tier of the response."),
        text("region", "Region of the response."),
        text("deployment", "managed_api, cloud, self_host, optimized, edge."),
        must(time("started_at", "Start; its price, hour and day are those of this moment.")),
        time("ended_at", "End."),
        real("latency_ms", "End minus start, milliseconds."),
        real("ttft_ms", "Time to the first chunk, milliseconds."),
        must(integer("attempt_number", "From 1 within the call.")),
        must(text("attempt_reason", "One of `AttemptReason`.")),
        must(text("attempt_source", "One of `AttemptSource`.")),
        must(text("served_reason", "One of `ServedReason`.")),
        boolean("billed", "False: certainly not billed; NULL: not known to be unbilled."),
        must(text("status", "One of `AttemptStatus`.")),
        text("error_type", "Exception class or error code."),
        integer("http_status", "HTTP status."),
        text("finish_reason", "Why the model stopped."),
        must(boolean("superseded", "A later attempt of the same call followed.")),
        must(boolean("gave_up", "Last attempt of a call that ended without a usable answer.")),
        boolean("output_valid", "Whether structured output validated."),
        text("evaluation", "inline or offline below an evaluation or guardrail step, else NULL."),
        must(boolean("looped", "Repeats the previous identical call of the same run and step.")),
        must(boolean("rejected", "Answer of a cheaper model that a stronger one replaced.")),
        integer("input_total_tokens", "All input."),
        integer("output_total_tokens", "All output."),
        *KIND_COLUMNS,
        must(boolean("usage_missing", "The call reached a model but its usage is not known.")),
        money("reported_cost_usd", "The emitter's own cost; kept apart."),
        text("prompt_hash", "Fingerprint of the request."),
        must(text("dialect", "Reader that mapped the span.")),
        _FLAGS,
    ),
)

CALLS = Table(
    "calls",
    "one logical model operation that the program asked for, also when a cache answered it",
    (
        _TENANT,
        must(text("call_key", "Key of the call.")),
        must(text("trace_id", "Trace of its first span.")),
        must(text("span_id", "Its first span.")),
        text("run_id", "Run it belongs to."),
        *_OWNERS,
        must(text("step", "Step it belongs to.")),
        text("provider", "Who served last."),
        text("model", "Model that served last, else asked for."),
        must(time("started_at", "Start of the first attempt.")),
        time("ended_at", "End of the last attempt."),
        must(integer("n_attempts", "Known wire attempts; 0 for a hit of the application's cache.")),
        must(boolean("failed", "Ended in an error for the program.")),
        must(boolean("cached", "Answered by the application's cache.")),
        integer("cache_avoided_input_tokens", "Input tokens that the hit avoided."),
        integer("cache_avoided_output_tokens", "Output tokens that the hit avoided."),
        money("cache_avoided_usd", "What the avoided tokens would have cost; memo, NULL: no hit or no price."),
        _FLAGS,
    ),
)

FEES = Table(
    "fees",
    "one reported cost that is not priced by tokens: a paid tool, a search, a human review",
    (
        _TENANT,
        must(text("trace_id", "Trace of the span.")),
        must(text("span_id", "Span that reported it.")),
        text("run_id", "Run it belongs to; NULL: unattributed."),
        *_OWNERS,
        must(text("step", "Step it belongs to.")),
        text("tool_name", "Tool, or the span's name."),
        must(time("started_at", "Start of the span.")),
        text("evaluation", "inline or offline, else NULL."),
        must(boolean("looped", "Repeats the previous identical tool call of the same run and step.")),
        must(boolean("failed", "The tool ended in an error.")),
        money("fee_usd", "Reported cost."),
        _FLAGS,
    ),
)

RUNS = Table(
    "runs",
    "one execution of a workflow: one outcome is expected of it",
    (
        _TENANT,
        must(text("run_id", "`tokenpnl.run.id`, else the trace id (with /span id where a trace holds several).")),
        must(text("trace_id", "Trace of the run span.")),
        must(text("span_id", "The run span.")),
        *_OWNERS,
        must(boolean("workflow_derived", "The workflow is only the root span's name.")),
        must(time("started_at", "Start of the run span.")),
        time("ended_at", "End of the run span."),
        real("latency_ms", "End minus start, milliseconds."),
        must(boolean("failed", "The run span ended in an error.")),
        must(integer("n_spans", "Spans in the run.")),
        must(integer("n_calls", "Logical model calls.")),
        must(integer("n_attempts", "Wire attempts.")),
        must(integer("n_usage_missing", "Attempts with unknown usage.")),
        must(integer("n_unpriced", "Attempts with usage and without a price.")),
        text("outcome", "One of `OutcomeStatus`; NULL: none yet."),
        money("value_usd", "Stated value of the outcome."),
        real("score", "Score of the outcome."),
        text("outcome_source", "Who stated it."),
        time("outcome_at", "When it became true."),
        time("outcome_recorded_at", "When the collector took the first statement about the run."),
        money("cost_usd", "Sum of its priced line items, evaluation included; NULL when none is priced."),
        money("inline_evaluation_usd", "Part of it in inline evaluation."),
        money("offline_evaluation_usd", "Part of it in offline evaluation; stays outside unit cost."),
        money("without_result_usd", "Part of it in the categories without direct result."),
        text("models", "Sorted, comma separated models that served."),
        _FLAGS,
    ),
)

LINE_ITEMS = Table(
    "line_items",
    "one priced usage kind of one attempt, or one fee; every question is a group_by of this table",
    (
        _TENANT,
        must(text("line_id", "attempt_id/usage kind, or trace:span/fee.")),
        text("attempt_id", "Attempt; NULL for a fee."),
        text("call_key", "Call; NULL for a fee."),
        must(text("trace_id", "Trace.")),
        must(text("span_id", "Span.")),
        text("run_id", "Run; NULL: unattributed."),
        *_OWNERS,
        must(text("step", "Step.")),
        text("provider", "Who served."),
        text("model", "Model that served."),
        text("deployment", "managed_api, cloud, self_host, optimized, edge."),
        must(time("started_at", "Start of the attempt.")),
        must(text("charge_category", "FOCUS: Usage, Purchase, Credit, Tax, Adjustment.")),
        must(text("usage_kind", "One of `UsageKind`, or `fee`.")),
        must(integer("quantity", "Tokens; 1 for a fee.")),
        money("list_unit_usd_per_million", "List price of a million of the kind; NULL: unpriced or a fee."),
        money("list_cost_usd", "Quantity at list."),
        money("cost_usd", "Effective cost; NULL: unpriced, or certainly unbilled usage costs 0."),
        money("uncached_cost_usd", "The same tokens at the uncached input price; memo of cache savings."),
        money("primary_cost_usd", "Same tokens at the price of the primary that a fallback replaced; else NULL."),
        must(text("cost_source", "One of `CostSource`.")),
        text("price_version", "Source, version and hash of the rate card."),
        must(text("cost_category", "One of `CostCategory`.")),
        must(text("category_rule", "The rule that matched, in one short phrase.")),
        text("cause", "timeout, invalid_output, provider_error, refusal, limit."),
        text("evaluation", "inline or offline, else NULL."),
        must(text("served_reason", "One of `ServedReason`.")),
        _FLAGS,
    ),
)

DUPLICATES = Table(
    "duplicates",
    "one span or log record with usage that does not carry the bill",
    (
        _TENANT,
        must(text("trace_id", "Trace of the span that repeats.")),
        must(text("span_id", "The span that repeats.")),
        must(text("carried_by_trace_id", "Trace of the span that carries the bill.")),
        must(text("carried_by_span_id", "The span that carries the bill.")),
        must(text("rule", "leaf, id, overlap or signal.")),
    ),
)

LINKS = Table(
    "links",
    "one key by which traces must be resolved together, and one trace that carries it",
    (
        _TENANT,
        must(text("key", "Response id, run id, call id, session or usage tuple, with its kind in front.")),
        must(text("trace_id", "Trace that carries the key.")),
        text("scope_name", "Instrumentation scope that carries it there."),
    ),
)

BOOKED = Table(
    "booked",
    "one bookkeeping round: every batch up to `batch_no` is in the derived tables",
    (
        must(integer("batch_no", "Last journal batch of the round.")),
        must(time("booked_at", "When the round was committed.")),
    ),
)

FACTS = (SPANS, RESOURCES, OUTCOMES, EVALUATIONS, QUARANTINE, BATCHES)
DERIVED = (ATTEMPTS, CALLS, FEES, RUNS, LINE_ITEMS, DUPLICATES, LINKS)
TABLES = (*FACTS, *DERIVED, BOOKED)
