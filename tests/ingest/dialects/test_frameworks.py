"""Agent frameworks and tracing SDKs with names of their own."""

import json
from decimal import Decimal

from tests.ingest.raw_spans import row_of

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-sonnet-5"}
ANTHROPIC = {**CHAT, "gen_ai.provider.name": "anthropic"}


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


def test_crewai_tasks_and_outputs_are_content() -> None:
    row = row_of(
        {"crew_key": "k", "crew_inputs": "tell me", "task_output": "a poem", "formatted_description": "write a poem"},
        scope="crewai.telemetry",
        name="Crew Created",
    )
    assert json.loads(row["attributes_json"]) == {"crew_key": "k"}


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
