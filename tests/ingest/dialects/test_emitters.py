"""Emitter families by convention: what each means, on spans written from their documentation or captures."""

import json
from decimal import Decimal

import pytest
from tests.ingest.raw_spans import END_NS, START_NS, exception, log_row_of, row_of

from tokenpnl_ingest.raw import RawEvent

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-sonnet-5"}
ANTHROPIC = {**CHAT, "gen_ai.provider.name": "anthropic"}


@pytest.mark.parametrize(
    ("scope", "attributes"),
    [
        ("opentelemetry.instrumentation.bedrock", {"gen_ai.usage.cache_read_input_tokens": 1009}),
        ("opentelemetry.instrumentation.botocore.bedrock-runtime", {"gen_ai.usage.cache_read.input_tokens": 1009}),
        ("openlit.instrumentation.anthropic", {"gen_ai.usage.cache_read.input_tokens": 1009}),
        ("com.anthropic.claude_code.tracing", {"cache_read_tokens": 1009}),
    ],
)
def test_scopes_that_leave_the_cache_out_of_input_get_it_added(scope: str, attributes: dict[str, int]) -> None:
    row = row_of(
        {**ANTHROPIC, "gen_ai.usage.input_tokens": 2000, "gen_ai.usage.output_tokens": 5, **attributes}, scope=scope
    )
    assert row["input_tokens"] == 3009


def test_more_cache_than_input_proves_that_input_leaves_it_out() -> None:
    row = row_of(
        {
            **ANTHROPIC,
            "gen_ai.usage.input_tokens": 5,
            "gen_ai.usage.cache_read.input_tokens": 128_955,
            "gen_ai.usage.cache_creation.input_tokens": 1_253,
        }
    )
    assert (row["input_tokens"], row["flags"]) == (130_213, "input_semantics_proved")


def test_an_unknown_scope_with_cache_and_no_proof_is_flagged_as_assumed() -> None:
    row = row_of({**ANTHROPIC, "gen_ai.usage.input_tokens": 130_213, "gen_ai.usage.cache_read.input_tokens": 128_955})
    assert (row["input_tokens"], row["flags"]) == (130_213, "input_semantics_assumed")


def test_openai_counts_cached_tokens_inside_input_whoever_reports_it() -> None:
    row = row_of(
        {
            "gen_ai.system": "openai",
            "gen_ai.usage.prompt_tokens": 17_903,
            "gen_ai.usage.completion_tokens": 4,
            "gen_ai.usage.cache_read_input_tokens": 17_817,
        }
    )
    assert (row["operation"], row["input_tokens"], row["cache_read_tokens"], row["flags"]) == (
        "inference",
        17_903,
        17_817,
        "",
    )


def test_reasoning_larger_than_output_proves_that_output_leaves_it_out() -> None:
    row = row_of({**CHAT, "gen_ai.usage.output_tokens": 41, "gen_ai.usage.reasoning.output_tokens": 307})
    assert (row["output_tokens"], row["flags"]) == (348, "output_semantics_proved")


def test_reading_a_stored_response_again_counts_nothing() -> None:
    row = row_of(
        {"gen_ai.operation.name": "fetch_response", "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 3}
    )
    assert (row["operation"], row["input_tokens"], row["output_tokens"]) == ("other", None, None)


def test_langfuse_raw_openai_usage_is_read_with_its_details() -> None:
    usage = {
        "prompt_tokens": 1110,
        "completion_tokens": 348,
        "total_tokens": 1458,
        "prompt_tokens_details": {"cached_tokens": 1009},
        "completion_tokens_details": {"reasoning_tokens": 307},
    }
    row = row_of(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": "gpt-5-mini",
            "langfuse.observation.usage_details": json.dumps(usage),
            "langfuse.observation.input": '"Say hello."',
            "langfuse.observation.completion_start_time": '"2025-11-24T16:00:00.250000Z"',
            "langfuse.observation.cost_details": '{"total": 0.01}',
            "langfuse.session.id": "s-1",
        },
        scope="langfuse-sdk",
    )
    assert (row["operation"], row["provider"], row["input_tokens"], row["cache_read_tokens"]) == (
        "inference",
        "openai",
        1110,
        1009,
    )
    assert (row["output_tokens"], row["reasoning_tokens"], row["ttft_ms"]) == (348, 307, 250.0)
    assert (row["reported_cost_usd"], row["session_id"]) == (Decimal("0.01"), "s-1")


def test_langfuse_own_usage_types_are_disjoint() -> None:
    usage = {"input": 101, "input_cache_read": 1009, "output": 41, "output_reasoning": 307}
    row = row_of({"langfuse.observation.type": "generation", "langfuse.observation.usage_details": json.dumps(usage)})
    assert (row["input_tokens"], row["output_tokens"], row["reasoning_tokens"]) == (1110, 348, 307)


def test_langfuse_anthropic_usage_leaves_the_cache_out() -> None:
    usage = {
        "input_tokens": 101,
        "cache_read_input_tokens": 1009,
        "cache_creation_input_tokens": 714,
        "output_tokens": 53,
    }
    row = row_of({"langfuse.observation.type": "generation", "langfuse.observation.usage_details": json.dumps(usage)})
    assert (row["input_tokens"], row["cache_write_tokens"]) == (1824, 714)


def test_langsmith_details_are_read_and_its_project_is_no_session() -> None:
    row = row_of(
        {
            "langsmith.span.kind": "llm",
            "langsmith.trace.session_id": "project-1",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.usage.input_tokens": 1110,
            "gen_ai.usage.output_tokens": 348,
            "gen_ai.usage.input_token_details": '{"cache_read": 1009}',
            "gen_ai.usage.output_token_details": '{"reasoning": 307}',
        },
        scope="langsmith",
    )
    assert (row["cache_read_tokens"], row["reasoning_tokens"], row["session_id"], row["operation"]) == (
        1009,
        307,
        None,
        "inference",
    )


def test_strands_time_to_first_token_is_in_milliseconds_and_its_name_is_no_provider() -> None:
    row = row_of(
        {
            **CHAT,
            "gen_ai.system": "strands-agents",
            "gen_ai.server.time_to_first_token": 250,
            "gen_ai.usage.input_tokens": 1824,
            "gen_ai.usage.cache_write_input_tokens": 714,
        },
        scope="strands.telemetry.tracer",
    )
    assert (row["provider"], row["ttft_ms"], row["input_tokens"], row["cache_write_tokens"]) == (
        "anthropic",
        250.0,
        1824,
        714,
    )


def test_the_google_adk_call_is_inference_and_its_framework_no_provider() -> None:
    row = row_of(
        {
            "gen_ai.system": "gcp.vertex.agent",
            "gen_ai.operation.name": "generate_content",
            "gen_ai.request.model": "gemini-3-flash",
            "gen_ai.usage.input_tokens": 1110,
            "gen_ai.usage.output_tokens": 348,
            "gcp.vertex.agent.llm_request": '{"contents": "Say hello."}',
            "gcp.vertex.agent.session_id": "s-1",
        },
        scope="gcp.vertex.agent",
    )
    assert (row["provider"], row["operation"], row["session_id"]) == ("google", "inference", "s-1")
    assert "hello" not in row["attributes_json"]


def test_traceloop_bedrock_leaves_the_cache_out_and_strips_the_vendor_of_the_model() -> None:
    row = row_of(
        {
            "gen_ai.system": "AWS",
            "gen_ai.request.model": "claude-sonnet-5",
            "llm.request.type": "chat",
            "gen_ai.usage.input_tokens": 101,
            "gen_ai.usage.cache_read_input_tokens": 1009,
            "gen_ai.usage.cache_creation_input_tokens": 714,
            "gen_ai.usage.output_tokens": 53,
        },
        scope="opentelemetry.instrumentation.bedrock",
    )
    assert (row["provider"], row["operation"], row["input_tokens"], row["flags"]) == ("aws", "inference", 1824, "")


def test_traceloop_workflow_agent_and_tool_are_named_by_their_entity() -> None:
    named = {"traceloop.entity.name": "triage", "traceloop.workflow.name": "support"}
    kinds = {kind: row_of({"traceloop.span.kind": kind, **named}) for kind in ("workflow", "agent", "tool", "task")}
    assert [row["operation"] for row in kinds.values()] == ["workflow", "agent", "tool", "other"]
    assert kinds["workflow"]["workflow_name"] == kinds["agent"]["agent_name"] == kinds["tool"]["tool_name"] == "triage"
    assert kinds["task"]["step_name"] == "triage"


def test_crewai_tasks_and_outputs_are_content() -> None:
    row = row_of(
        {"crew_key": "k", "crew_inputs": "tell me", "task_output": "a poem", "formatted_description": "write a poem"},
        scope="crewai.telemetry",
        name="Crew Created",
    )
    assert json.loads(row["attributes_json"]) == {"crew_key": "k"}


def test_openinference_llama_index_reads_the_older_cache_name_and_kinds() -> None:
    row = row_of(
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "gpt-5-mini",
            "llm.token_count.prompt": 1110,
            "llm.token_count.completion": 53,
            "llm.token_count.prompt_details.cache_input": 1009,
        },
        scope="openinference.instrumentation.llama_index",
    )
    kinds = {
        kind: row_of({"openinference.span.kind": kind})["operation"]
        for kind in ("CHAIN", "RETRIEVER", "RERANKER", "EMBEDDING", "GUARDRAIL", "EVALUATOR", "AGENT", "TOOL")
    }
    assert (row["operation"], row["cache_read_tokens"], row["provider"]) == ("inference", 1009, "openai")
    assert list(kinds.values()) == [
        "other",
        "retrieval",
        "rerank",
        "embedding",
        "guardrail",
        "evaluation",
        "agent",
        "tool",
    ]


def test_openinference_takes_the_answer_id_and_the_lifetimes_out_of_the_raw_answer() -> None:
    answer = {
        "id": "msg-1",
        "usage": {
            "input_tokens": 101,
            "output_tokens": 53,
            "cache_read_input_tokens": 1009,
            "cache_creation_input_tokens": 714,
            "cache_creation": {"ephemeral_5m_input_tokens": 503, "ephemeral_1h_input_tokens": 211},
        },
    }
    row = row_of(
        {
            "openinference.span.kind": "LLM",
            "llm.token_count.prompt": 1824,
            "llm.token_count.completion": 53,
            "output.value": json.dumps(answer),
        }
    )
    assert (row["response_id"], row["cache_write_5m_tokens"], row["cache_write_1h_tokens"]) == ("msg-1", 503, 211)


def test_vercel_five_and_six_agree_on_what_was_read() -> None:
    raw = {
        "anthropic": {
            "usage": {
                "input_tokens": 101,
                "output_tokens": 53,
                "cache_creation_input_tokens": 714,
                "cache_read_input_tokens": 1009,
            }
        }
    }
    common = {
        "ai.operationId": "ai.streamText.doStream",
        "ai.model.provider": "anthropic.messages",
        "ai.usage.outputTokens": 53,
        "ai.response.finishReason": "stop",
    }
    five = row_of(
        {
            **common,
            "ai.usage.inputTokens": 101,
            "ai.usage.cachedInputTokens": 1009,
            "ai.response.providerMetadata": json.dumps(raw),
        },
        scope="ai",
    )
    six = row_of(
        {
            **common,
            "ai.usage.inputTokens": 1824,
            "ai.usage.inputTokenDetails.noCacheTokens": 101,
            "ai.usage.inputTokenDetails.cacheReadTokens": 1009,
            "ai.usage.inputTokenDetails.cacheWriteTokens": 714,
        },
        scope="ai",
    )
    told = (
        "provider",
        "operation",
        "streamed",
        "input_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "output_tokens",
    )
    assert (
        [five[name] for name in told]
        == [six[name] for name in told]
        == ["anthropic", "inference", True, 1824, 1009, 714, 53]
    )


def test_vercel_five_without_provider_metadata_adds_the_cache_it_knows() -> None:
    row = row_of(
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.provider": "anthropic.messages",
            "ai.usage.inputTokens": 2000,
            "ai.usage.cachedInputTokens": 1009,
        },
        scope="ai",
    )
    assert row["input_tokens"] == 3009


def test_vercel_outer_span_is_an_aggregate() -> None:
    assert row_of({"ai.operationId": "ai.generateText"}, scope="ai")["operation"] == "agent"


def test_litellm_zero_and_zero_is_unknown_usage() -> None:
    row = row_of(
        {**CHAT, "gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0, "llm.is_streaming": "True"},
        scope="litellm",
    )
    assert (row["input_tokens"], row["output_tokens"], row["streamed"]) == (None, None, True)


def test_litellm_usage_object_is_python_and_read_all_the_same() -> None:
    said = "{'prompt_tokens': 1110, 'completion_tokens': 348, 'prompt_tokens_details': {'cached_tokens': 1009, 'audio_tokens': None}, 'completion_tokens_details': {'reasoning_tokens': 307}}"
    row = row_of(
        {**CHAT, "gen_ai.usage.input_tokens": 1110, "gen_ai.usage.output_tokens": 348, "metadata.usage_object": said},
        scope="litellm",
    )
    assert (row["cache_read_tokens"], row["reasoning_tokens"]) == (1009, 307)


def test_openlit_estimate_is_no_count() -> None:
    row = row_of(
        {
            **CHAT,
            "gen_ai.system": "openai",
            "gen_ai.request.stream": True,
            "gen_ai.usage.input_tokens": 17,
            "gen_ai.usage.output_tokens": 13,
        },
        scope="openlit.instrumentation.openai",
    )
    assert (row["input_tokens"], row["output_tokens"]) == (None, None)
    assert "usage_estimated" in row["flags"]


def test_claude_code_log_and_span_share_the_request_as_response_id() -> None:
    told = {
        "model": "claude-sonnet-4-5",
        "input_tokens": 101,
        "cache_read_tokens": 1009,
        "cache_creation_tokens": 714,
        "output_tokens": 53,
        "request_id": "req_1",
        "session.id": "s-1",
    }
    log = log_row_of(
        {**told, "event.name": "api_request", "cost_usd": 0.00455295, "duration_ms": 163},
        scope="com.anthropic.claude_code.events",
        body="claude_code.api_request",
    )
    span = row_of({**told, "span.type": "llm_request", "attempt": 2}, scope="com.anthropic.claude_code.tracing")
    assert log is not None
    assert log["response_id"] == span["response_id"] == "request:req_1"
    assert (log["signal"], log["input_tokens"], log["reported_cost_usd"], log["session_id"]) == (
        "log",
        1824,
        Decimal("0.00455295"),
        "s-1",
    )
    assert (log["ended_at"] - log["started_at"], span["attempts_reported"]) == (163_000_000, 2)


def test_claude_code_api_error_is_a_failed_call() -> None:
    row = log_row_of(
        {
            "event.name": "api_error",
            "model": "claude-sonnet-4-5",
            "error": "Request timed out.",
            "status_code": "529",
            "attempt": 3,
        },
        scope="com.anthropic.claude_code.events",
    )
    assert row is not None
    assert (row["operation"], row["status_code"], row["http_status"], row["timed_out"], row["attempts_reported"]) == (
        "inference",
        "error",
        529,
        True,
        3,
    )


def test_gemini_cli_log_adds_the_thoughts_that_the_api_leaves_out() -> None:
    row = log_row_of(
        {
            "event.name": "gemini_cli.api_response",
            "model": "gemini-3-flash",
            "input_token_count": 1110,
            "output_token_count": 41,
            "thoughts_token_count": 307,
            "cached_content_token_count": 1009,
            "tool_token_count": 0,
        },
        scope="gemini-cli",
    )
    assert row is not None
    assert (row["output_tokens"], row["reasoning_tokens"], row["input_tokens"], row["provider"]) == (
        348,
        307,
        1110,
        "google",
    )


def test_codex_log_carries_counts_as_text_and_no_total_in_them() -> None:
    row = log_row_of(
        {
            "event.name": "codex.sse_event",
            "event.kind": "response.completed",
            "model": "gpt-5-mini",
            "input_token_count": "1110",
            "output_token_count": "348",
            "cached_token_count": 1009,
            "reasoning_token_count": 307,
            "tool_token_count": "1458",
        },
        scope="codex_otel.log_only",
    )
    assert row is not None
    assert (row["input_tokens"], row["output_tokens"], row["cache_read_tokens"], row["reasoning_tokens"]) == (
        1110,
        348,
        1009,
        307,
    )


def test_a_log_without_usage_is_no_row() -> None:
    assert log_row_of({"event.name": "gen_ai.user.message"}, event_name="gen_ai.user.message") is None
    assert log_row_of({"gen_ai.request.model": "m"}, event_name="gen_ai.client.inference.operation.details") is None


def test_pydantic_ai_short_lifetime_is_the_rest_of_the_cache_write() -> None:
    row = row_of(
        {
            **ANTHROPIC,
            "gen_ai.usage.input_tokens": 1824,
            "gen_ai.usage.cache_creation.input_tokens": 714,
            "gen_ai.usage.details.ephemeral_1h_input_tokens": 211,
        },
        scope="pydantic-ai",
    )
    assert (row["cache_write_5m_tokens"], row["cache_write_1h_tokens"]) == (503, 211)


def test_logfire_reads_usage_out_of_its_response_data() -> None:
    data = {"message": {"content": "hello"}, "usage": {"prompt_tokens": 113, "completion_tokens": 29}}
    row = row_of(
        {"request_data": '{"model": "gpt-5-mini", "messages": []}', "response_data": json.dumps(data)},
        scope="logfire.openai",
    )
    assert (row["operation"], row["request_model"], row["input_tokens"], row["output_tokens"]) == (
        "inference",
        "gpt-5-mini",
        113,
        29,
    )
    assert "hello" not in row["attributes_json"]


def test_vllm_and_sglang_spans_are_self_hosted_and_tell_their_queue() -> None:
    vllm = row_of(
        {
            "gen_ai.usage.prompt_tokens": 113,
            "gen_ai.usage.completion_tokens": 29,
            "gen_ai.latency.time_in_queue": 0.5,
            "gen_ai.latency.time_to_first_token": 0.75,
        },
        scope="vllm.llm_engine",
        name="llm_request",
        kind="server",
    )
    phase = row_of({"gen_ai.latency.e2e": 1.0}, scope="sglang", name="prefill_forward")
    assert (vllm["operation"], vllm["deployment"], vllm["queue_ms"], vllm["ttft_ms"]) == (
        "inference",
        "self_host",
        500.0,
        750.0,
    )
    assert phase["operation"] == "other"


def test_tgi_durations_are_text_and_triton_queues_between_two_events() -> None:
    tgi = row_of({"total_time": "1.2s", "queue_time": "31.5µs", "time_per_token": "10ms"}, name="generate")
    triton = row_of(
        {},
        scope="triton-server",
        events=[RawEvent("QUEUE_START", START_NS, {}), RawEvent("COMPUTE_START", START_NS + 4_000_000, {})],
    )
    assert tgi["queue_ms"] == pytest.approx(0.0315)
    assert triton["queue_ms"] == 4.0


def test_the_anthropic_sdk_counts_resends_into_one_span() -> None:
    assert (
        row_of({**ANTHROPIC, "http.request.resend_count": 2}, scope="com.anthropic.sdk.python")["attempts_reported"]
        == 3
    )


def test_http_client_span_is_http_and_keeps_its_status() -> None:
    row = row_of(
        {"http.method": "POST", "http.status_code": 429}, scope="opentelemetry.instrumentation.httpx", name="POST"
    )
    assert (row["operation"], row["http_status"]) == ("http", 429)


def test_error_type_comes_from_the_exception_event_and_a_timeout_from_any_word() -> None:
    row = row_of(CHAT, status_code="error", events=[exception("httpx.ReadTimeout", "secret words")])
    assert (row["error_type"], row["timed_out"], row["cancelled"]) == ("httpx.ReadTimeout", True, False)
    assert "secret words" not in row["events_json"]


@pytest.mark.parametrize("kind", ["asyncio.CancelledError", "AbortError", "GeneratorExit"])
def test_a_cancelled_call_is_known_by_its_exception(kind: str) -> None:
    assert row_of(CHAT, status_code="error", events=[exception(kind)])["cancelled"] is True


def test_usage_under_a_name_nobody_knows_is_flagged() -> None:
    row = row_of({**CHAT, "gen_ai.usage.prompt_tokens_of_tools": 7, "gen_ai.request.max_tokens": 128})
    assert row["flags"] == "unmapped_usage"


def test_a_known_host_outvotes_the_flavour_of_the_api() -> None:
    row = row_of({**CHAT, "gen_ai.provider.name": "openai", "server.address": "api.groq.com"})
    assert (row["provider"], json.loads(row["attributes_json"])["gen_ai.provider.name"]) == ("groq", "openai")


def test_own_names_of_the_sdk_are_columns() -> None:
    row = row_of(
        {
            "gen_ai.operation.name": "chat",
            "tokenpnl.call.id": "c-1",
            "tokenpnl.attempt.number": 2,
            "tokenpnl.attempt.reason": "retry",
            "tokenpnl.attempt.billed": False,
            "tokenpnl.usage.cache_write_30m.input_tokens": 7,
            "tokenpnl.output.valid": False,
            "tokenpnl.cache.hit": True,
            "tokenpnl.cost_usd": "0.5",
            "tokenpnl.route.policy": "cascade",
        },
        scope="tokenpnl",
        end_ns=END_NS,
    )
    assert (row["call_id"], row["attempt_number"], row["attempt_reason"], row["attempt_billed"]) == (
        "c-1",
        2,
        "retry",
        False,
    )
    assert (row["cache_write_tokens"], row["output_valid"], row["cache_hit"]) == (7, False, True)
    assert (row["reported_cost_usd"], row["fee_usd"]) == (Decimal("0.5"), None)
    assert json.loads(row["attributes_json"]) == {"tokenpnl.route.policy": "cascade"}


def test_cost_of_a_tool_is_a_fee() -> None:
    row = row_of({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "tokenpnl.cost_usd": "0.01"})
    assert (row["operation"], row["fee_usd"], row["reported_cost_usd"]) == ("tool", Decimal("0.01"), None)
