"""Instrumentations that follow the conventions."""

import json
from decimal import Decimal

import pytest
from tests.ingest.raw_spans import END_NS, row_of

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


def test_the_anthropic_sdk_counts_resends_into_one_span() -> None:
    assert (
        row_of({**ANTHROPIC, "http.request.resend_count": 2}, scope="com.anthropic.sdk.python")["attempts_reported"]
        == 3
    )


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
    assert (row["reported_cost_usd"], row["fee_usd"]) == (None, Decimal("0.5"))
    assert json.loads(row["attributes_json"]) == {"tokenpnl.route.policy": "cascade"}


@pytest.mark.parametrize(
    "name",
    [
        "gen_ai.usage.server_tool_use.web_search_requests",
        "anthropic.usage.server_tool_use.web_search_requests",
        "sigil.gen_ai.usage.server_tool_use.web_search_requests",
    ],
)
def test_searches_that_the_provider_ran_are_a_column(name: str) -> None:
    row = row_of({**ANTHROPIC, "gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 5, name: 3})
    assert (row["web_searches"], row["flags"]) == (3, "")
