"""Decoding as a whole: encodings agree, nothing but a refusal is raised, statements and refusals are kept apart."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tokenpnl.errors import RefusedInputError
from tokenpnl.tables import SPANS
from tokenpnl_ingest.otlp import Decoded, Signal, decode

PROTOBUF, JSON = "application/x-protobuf", "application/json; charset=utf-8"
NOW_NS = 1_764_000_100 * 10**9
START_NS = 1_764_000_000 * 10**9
NAMES = (
    "gen_ai.operation.name",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.request.model",
    "gen_ai.response.finish_reasons",
    "gen_ai.input.messages",
    "openinference.span.kind",
    "output.value",
    "ai.response.providerMetadata",
    "langfuse.observation.usage_details",
    "metadata.usage_object",
    "http.response.status_code",
    "tokenpnl.cost_usd",
    "user.id",
)
SCOPES = (
    "",
    "ai",
    "litellm",
    "openlit.instrumentation.openai",
    "pydantic-ai",
    "codex_exec",
    "gemini-cli",
    "langfuse-sdk",
)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=30)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
attribute_sets = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=20), values, max_size=8)


def any_value(value: Any) -> dict[str, Any]:  # noqa: PLR0911 - one return for each kind of AnyValue
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case list():
            return {"arrayValue": {"values": [any_value(item) for item in value]}}
        case _:
            return {"kvlistValue": {"values": pairs(value)}}


def pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": any_value(value)} for key, value in attributes.items()]


def span_json(attributes: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {
        "traceId": "A" * 32,
        "spanId": "B" * 16,
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(START_NS),
        "endTimeUnixNano": START_NS + 10**9,
        "attributes": pairs(attributes),
        **changed,
    }


def document(*spans: dict[str, Any], scope: str = "") -> bytes:
    return json.dumps(
        {
            "resourceSpans": [
                {
                    "resource": {"attributes": pairs({"service.name": "s"})},
                    "scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}],
                }
            ]
        }
    ).encode()


def log_document(*records: dict[str, Any]) -> bytes:
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]}).encode()


def taken(*spans: dict[str, Any]) -> Decoded:
    return decode(Signal.TRACES, document(*spans), JSON, received_at_ns=NOW_NS)


def fill(target: Any, value: Any) -> None:
    match value:
        case None:
            pass
        case bool():
            target.bool_value = value
        case int():
            target.int_value = value
        case float():
            target.double_value = value
        case str():
            target.string_value = value
        case list():
            target.array_value.SetInParent()
            for item in value:
                fill(target.array_value.values.add(), item)
        case _:
            target.kvlist_value.SetInParent()
            put(target.kvlist_value.values, value)


def put(target: Any, attributes: dict[str, Any]) -> None:
    for key, value in attributes.items():
        pair = target.add()
        pair.key = key
        pair.value.SetInParent()
        fill(pair.value, value)


def as_protobuf(attributes: dict[str, Any], scope: str) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    put(group.resource.attributes, {"service.name": "s"})
    scoped = group.scope_spans.add()
    scoped.scope.name = scope
    span = scoped.spans.add()
    span.trace_id, span.span_id, span.name, span.kind = bytes.fromhex("aa" * 16), bytes.fromhex("bb" * 8), "chat", 3
    span.start_time_unix_nano, span.end_time_unix_nano = START_NS, START_NS + 10**9
    put(span.attributes, attributes)
    return bytes(request.SerializeToString())


@given(attribute_sets, st.sampled_from(SCOPES))
def test_protobuf_and_json_of_one_span_give_one_row(attributes: dict[str, Any], scope: str) -> None:
    from_json = decode(Signal.TRACES, document(span_json(attributes), scope=scope), JSON, received_at_ns=NOW_NS)
    from_protobuf = decode(Signal.TRACES, as_protobuf(attributes, scope), PROTOBUF, received_at_ns=NOW_NS)
    assert from_json == from_protobuf
    (row,) = from_json.spans
    assert set(row) == set(SPANS.names) - {"received_at", "batch_no"}
    assert [column.name for column in SPANS.columns if column.required and row.get(column.name, "") is None] == []


@given(st.sampled_from(list(Signal)), st.binary(max_size=400), st.sampled_from([PROTOBUF, JSON]))
def test_any_bytes_are_decoded_or_refused(signal: Signal, body: bytes, content_type: str) -> None:
    try:
        decode(signal, body, content_type)
    except RefusedInputError:
        pass


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["stringValue", "intValue", "arrayValue", "kvlistValue", "values", "key", "value"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
odd_spans = st.dictionaries(
    st.sampled_from(
        [
            "traceId",
            "spanId",
            "parentSpanId",
            "name",
            "kind",
            "startTimeUnixNano",
            "endTimeUnixNano",
            "status",
            "attributes",
            "events",
            "links",
        ]
    ),
    json_values
    | st.just("a" * 32)
    | st.just("b" * 16)
    | st.lists(st.fixed_dictionaries({"key": st.sampled_from(NAMES), "value": json_values}), max_size=3),
    max_size=9,
)


@settings(max_examples=300)
@given(st.lists(odd_spans | json_values, max_size=3))
def test_any_json_of_nearly_the_right_shape_is_taken_or_refused_record_by_record(spans: list[Any]) -> None:
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
    decoded = decode(Signal.TRACES, body, JSON)
    assert len(decoded.spans) + decoded.refused == sum(isinstance(span, dict) for span in spans)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["traceId", "timeUnixNano", "eventName", "body", "attributes"]), json_values, max_size=4
        ),
        max_size=3,
    )
)
def test_any_json_log_record_is_taken_or_refused(records: list[Any]) -> None:
    decoded = decode(Signal.LOGS, log_document(*records), JSON)
    assert decoded.log_records + decoded.refused == len(records)


def test_a_bad_id_refuses_its_span_alone_and_says_why() -> None:
    decoded = taken(span_json({}), span_json({}, traceId="0" * 32), span_json({}, spanId="QUJDREVGRw=="))
    assert (len(decoded.spans), decoded.refused) == (1, 2)
    assert [entry["reason"] for entry in decoded.quarantined] == ["trace_id_invalid", "record_malformed"]
    assert "and 1 more" in decoded.refusal_message


def test_the_same_span_decoded_twice_has_one_content_hash_whenever_it_came() -> None:
    body = document(span_json({"user.id": "u"}, startTimeUnixNano=0, endTimeUnixNano=0))
    first, again = (decode(Signal.TRACES, body, JSON, received_at_ns=NOW_NS + later).spans[0] for later in (0, 10**9))
    assert first["content_hash"] == again["content_hash"]


def test_an_outcome_event_becomes_an_outcome_of_the_run() -> None:
    event = {
        "name": "tokenpnl.outcome",
        "timeUnixNano": str(START_NS),
        "attributes": pairs({"tokenpnl.outcome.status": "success", "tokenpnl.outcome.value_usd": "12.50"}),
    }
    (outcome,) = taken(span_json({"tokenpnl.run.id": "run-1"}, events=[event])).outcomes
    assert (outcome["run_id"], outcome["status"], outcome["value_usd"]) == ("run-1", "success", Decimal("12.5"))
    assert (outcome["source"], outcome["effective_at"], outcome["value_given"]) == ("program", START_NS, True)


def test_an_outcome_log_may_remove_its_value_and_say_when_it_became_true() -> None:
    told = {
        "tokenpnl.outcome.status": "failure",
        "tokenpnl.outcome.value_usd": None,
        "tokenpnl.outcome.at": "2025-11-24T16:00:00Z",
        "tokenpnl.run.id": "run-1",
    }
    body = log_document({"eventName": "tokenpnl.outcome", "timeUnixNano": "1", "attributes": pairs(told)})
    decoded = decode(Signal.LOGS, body, JSON)
    (outcome,) = decoded.outcomes
    assert (outcome["value_usd"], outcome["value_given"], outcome["effective_at"]) == (None, True, START_NS)
    assert (decoded.log_records, decoded.spans) == (1, [])


@pytest.mark.parametrize(
    "told",
    [
        {"tokenpnl.outcome.status": "great"},
        {"tokenpnl.outcome.status": "success", "tokenpnl.outcome.value_usd": "much"},
    ],
)
def test_an_outcome_log_that_says_nothing_valid_is_refused(told: dict[str, str]) -> None:
    body = log_document(
        {
            "attributes": pairs({"event.name": "tokenpnl.outcome", "tokenpnl.run.id": "r", **told}),
            "timeUnixNano": str(START_NS),
        }
    )
    decoded = decode(Signal.LOGS, body, JSON)
    assert (decoded.outcomes, decoded.refused, decoded.quarantined[0]["reason"]) == ([], 1, "outcome_invalid")


def test_equal_outcomes_share_an_id_and_a_stated_id_is_kept() -> None:
    event = {
        "name": "tokenpnl.outcome",
        "timeUnixNano": str(START_NS),
        "attributes": pairs({"tokenpnl.outcome.status": "success"}),
    }
    stated = {**event, "attributes": pairs({"tokenpnl.outcome.status": "success", "tokenpnl.outcome.id": "mine"})}
    first, again, named = taken(span_json({}, events=[event, event, stated])).outcomes
    assert first["outcome_id"] == again["outcome_id"] != named["outcome_id"] == "mine"


def test_an_evaluation_event_is_a_score_and_no_outcome() -> None:
    told = {
        "gen_ai.evaluation.name": "relevance",
        "gen_ai.evaluation.score.value": 0.5,
        "gen_ai.evaluation.score.label": "fair",
    }
    event = {"name": "gen_ai.evaluation.result", "timeUnixNano": str(START_NS), "attributes": pairs(told)}
    decoded = taken(span_json({"gen_ai.response.id": "r-1"}, events=[event]))
    (evaluation,) = decoded.evaluations
    assert (evaluation["name"], evaluation["score"], evaluation["label"], evaluation["response_id"]) == (
        "relevance",
        0.5,
        "fair",
        "r-1",
    )
    assert decoded.outcomes == []


def test_resource_attributes_reach_every_span_and_one_resource_row() -> None:
    decoded = taken(span_json({}), span_json({}, spanId="c" * 16))
    assert {row["service_name"] for row in decoded.spans} == {"s"}
    assert [row["resource_hash"] for row in decoded.resources] == [decoded.spans[0]["resource_hash"]]


def test_metrics_are_counted_only() -> None:
    body = json.dumps(
        {
            "resourceMetrics": [
                {"scopeMetrics": [{"metrics": [{"sum": {"dataPoints": [{}, {}]}}, {"gauge": {"dataPoints": [{}]}}]}]}
            ]
        }
    ).encode()
    decoded = decode(Signal.METRICS, body, JSON)
    assert (decoded.metric_points, decoded.spans) == (3, [])


def test_a_log_record_without_a_trace_is_grouped_by_its_session() -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add()
    records.scope.name = "com.anthropic.claude_code.events"
    for tokens in (1, 2):
        record = records.log_records.add()
        record.time_unix_nano = START_NS
        put(
            record.attributes,
            {"event.name": "api_request", "session.id": "s-1", "input_tokens": tokens, "output_tokens": 1},
        )
    rows = decode(Signal.LOGS, request.SerializeToString(), PROTOBUF).spans
    assert len({row["trace_id"] for row in rows}) == 1
    assert len({row["span_id"] for row in rows}) == 2
    assert all(len(row["trace_id"]) == 32 and len(row["span_id"]) == 16 for row in rows)


def test_nan_a_byte_order_mark_and_lone_surrogates_are_tolerated() -> None:
    text = (
        document(span_json({"user.id": "u"})).decode().replace('"u"', '"\\ud800x"').replace('"kind": 3', '"kind": NaN')
    )
    (row,) = decode(Signal.TRACES, b"\xef\xbb\xbf" + text.encode(), JSON).spans
    assert row["user_id"] == "\ufffdx"
