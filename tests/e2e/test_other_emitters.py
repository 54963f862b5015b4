"""Emitters that no capture holds, in the shapes that their documentation and source show: read and resolved."""

import json
from typing import Any

import polars as pl

from tokenpnl.tables import SPANS
from tokenpnl_analytics.frames import conform
from tokenpnl_analytics.resolving.resolve import Resolution, resolve
from tokenpnl_ingest.dialects.read import read_span
from tokenpnl_ingest.raw import RawEvent, RawSpan
from tokenpnl_ingest.rows import arrow_table

SECOND = 10**9
ERROR = RawEvent("exception", 0, {"exception.type": "InternalServerError", "exception.message": "500"})


class Trace:
    """A trace of one scope, written span by span; times are seconds."""

    def __init__(self, scope: str, trace_id: str = "a" * 32) -> None:
        self.scope, self.trace_id, self.spans = scope, trace_id, list[RawSpan]()

    def span(self, name: str, parent: str | None, at: float, until: float, **more: Any) -> str:
        """Add a span and return its id; `attributes`, `scope`, `failed` may be given."""
        span_id = f"{len(self.spans) + 1:015x}{self.trace_id[0]}"
        failed = more.get("failed", False)
        self.spans.append(
            RawSpan(
                self.trace_id,
                span_id,
                parent,
                name,
                more.get("kind", "internal"),
                1_790_000_000 * SECOND + int(at * SECOND),
                1_790_000_000 * SECOND + int(until * SECOND),
                "error" if failed else "unset",
                "500" if failed else "",
                more.get("scope", self.scope),
                "1",
                more.get("attributes", {}),
                {"service.name": "app"},
                [ERROR] if failed else [],
            )
        )
        return span_id


def books(*traces: Trace) -> Resolution:
    rows = [read_span(span) for trace in traces for span in trace.spans]
    return resolve(conform(pl.DataFrame(arrow_table(SPANS, rows, 0, 0)), SPANS))


def totals(result: Resolution) -> tuple[int, int, int]:
    attempts = result.attempts
    return result.calls.height, attempts["input_total_tokens"].sum(), attempts["output_total_tokens"].sum()


def genai(operation: str | None, tokens: tuple[int, int] | None = None, **more: Any) -> dict[str, Any]:
    told = {} if tokens is None else {"gen_ai.usage.input_tokens": tokens[0], "gen_ai.usage.output_tokens": tokens[1]}
    named = {} if operation is None else {"gen_ai.operation.name": operation}
    return named | told | {key.replace("__", "."): value for key, value in more.items()}


def test_adk_names_each_call_twice_and_runs_tools_inside_the_first() -> None:
    trace = Trace("gcp.vertex.agent")
    model = {"gen_ai.system": "gcp.vertex.agent", "gen_ai.request.model": "gemini-2.5-flash"}
    root = trace.span("invocation", None, 0, 10)
    agent = trace.span("invoke_agent weather", root, 0, 10, attributes=genai("invoke_agent"))
    one = trace.span("call_llm", agent, 1, 3.1, attributes=genai(None, (131, 17)) | model)
    trace.span("generate_content gemini-2.5-flash", one, 1, 3, attributes=genai("generate_content", (131, 17)) | model)
    trace.span("execute_tool get_weather", one, 3, 3.1, attributes=genai("execute_tool"))
    trace.span("call_llm", agent, 3.2, 5, attributes=genai(None, (173, 23)) | model)
    result = books(trace)
    assert totals(result) == (2, 304, 40)
    assert not result.attempts["flags"].str.contains("usage_partial").any()
    assert result.runs.height == 1


def test_adk_shows_one_failure_as_three_spans() -> None:
    trace = Trace("gcp.vertex.agent")
    agent = trace.span("invoke_agent weather", None, 0, 3, attributes=genai("invoke_agent"), failed=True)
    model = {"gen_ai.system": "gcp.vertex.agent", "gen_ai.request.model": "gemini-2.5-flash"}
    llm = trace.span("call_llm", agent, 0, 2, attributes=model, failed=True)
    trace.span("generate_content", llm, 0, 2, attributes=genai("generate_content") | model, failed=True)
    result = books(trace)
    assert (result.calls.height, result.calls["failed"].sum()) == (1, 1)


def test_strands_repeats_the_usage_of_its_calls_on_the_agent() -> None:
    trace = Trace("strands.telemetry.tracer")
    system = {"gen_ai.system": "strands-agents", "gen_ai.request.model": "us.anthropic.claude-sonnet-5"}
    root = trace.span("invoke_agent helper", None, 0, 9, attributes=genai("invoke_agent", (304, 40)) | system)
    for at, tokens in ((0, (131, 17)), (4, (173, 23))):
        cycle = trace.span("execute_event_loop_cycle", root, at, at + 3)
        trace.span("chat", cycle, at, at + 2, attributes=genai("chat", tokens) | system)
    assert totals(books(trace)) == (2, 304, 40)


def test_llama_index_nests_model_spans_in_model_spans() -> None:
    trace = Trace("openinference.instrumentation.llama_index")
    kind = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-5-mini"}
    used = kind | {"llm.token_count.prompt": 113, "llm.token_count.completion": 29}
    query = trace.span("QueryEngine.query", None, 0, 5, attributes={"openinference.span.kind": "CHAIN"})
    embed = {"openinference.span.kind": "EMBEDDING", "embedding.model_name": "text-embedding-3-small"}
    outer = trace.span("Embedding.get_query_embedding", query, 0, 1, attributes=embed)
    trace.span("Embedding._get_query_embedding", outer, 0, 1, attributes=embed | {"llm.token_count.prompt": 19})
    predict = trace.span("OpenAI.predict", query, 1, 4, attributes=kind)
    trace.span("OpenAI.chat", predict, 1, 4, attributes=used)
    assert totals(books(trace)) == (2, 132, 29)


def test_langfuse_generations_carry_the_providers_own_usage() -> None:
    trace = Trace("langfuse-sdk")
    root = trace.span("chain", None, 0, 5, attributes={"langfuse.observation.type": "chain"})
    usage = {"prompt_tokens": 1110, "completion_tokens": 348, "prompt_tokens_details": {"cached_tokens": 1009}}
    usage["completion_tokens_details"] = {"reasoning_tokens": 307}
    told = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.model.name": "gpt-5-mini",
        "langfuse.observation.usage_details": json.dumps(usage),
    }
    trace.span("OpenAI-generation", root, 1, 3, attributes=told)
    result = books(trace)
    assert totals(result) == (1, 1110, 348)
    (attempt,) = result.attempts.to_dicts()
    assert (attempt["input_cache_read_tokens"], attempt["output_reasoning_tokens"]) == (1009, 307)


def test_traceloop_bedrock_leaves_the_cache_out_of_its_input() -> None:
    trace = Trace("opentelemetry.instrumentation.bedrock")
    told = genai("chat", (101, 53)) | {"gen_ai.system": "AWS", "gen_ai.request.model": "claude-sonnet-5"}
    told |= {"gen_ai.usage.cache_read_input_tokens": 1009, "gen_ai.usage.cache_creation_input_tokens": 714}
    trace.span("bedrock.converse", None, 0, 2, attributes=told)
    assert totals(books(trace)) == (1, 1824, 53)


def test_a_gateway_and_the_client_behind_it_describe_one_call() -> None:
    client = Trace("opentelemetry.instrumentation.genai.openai", "a" * 32)
    told = genai("chat", (113, 29)) | {"gen_ai.request.model": "gpt-5-mini", "gen_ai.response.id": "chatcmpl-1"}
    client.span("chat gpt-5-mini", None, 0, 3, attributes=told)
    gateway = Trace("litellm", "b" * 32)
    received = gateway.span("Received Proxy Server Request", None, 0.1, 2.9, kind="server")
    gateway.span("litellm_request", received, 0.2, 2.8, attributes=told)
    assert totals(books(client, gateway)) == (1, 113, 29)


def test_a_model_server_repeats_the_usage_of_its_client() -> None:
    trace = Trace("opentelemetry.instrumentation.genai.openai")
    told = genai("chat", (113, 29)) | {"gen_ai.request.model": "llama", "gen_ai.response.id": "chatcmpl-1"}
    client = trace.span("chat llama", None, 0, 3, attributes=told, kind="client")
    served = {"gen_ai.usage.prompt_tokens": 113, "gen_ai.usage.completion_tokens": 29, "gen_ai.latency.e2e": 2.5}
    trace.span("llm_request", client, 0.1, 2.9, attributes=served, scope="vllm.llm_engine", kind="server")
    assert totals(books(trace)) == (1, 113, 29)


def test_provider_side_spans_show_the_attempts_of_one_client_span() -> None:
    trace = Trace("com.anthropic.sdk.python")
    told = genai("chat", (113, 29)) | {"gen_ai.request.model": "claude-sonnet-5", "gen_ai.response.id": "msg_1"}
    client = trace.span("anthropic.messages.create", None, 0, 9, attributes=told, kind="client")
    server = {"scope": "com.anthropic.claude-platform", "kind": "server"}
    asked = genai("chat") | {"gen_ai.request.model": "claude-sonnet-5", "gen_ai.provider.name": "anthropic"}
    trace.span("chat claude-sonnet-5", client, 0, 1, attributes=asked, failed=True, **server)
    trace.span("chat claude-sonnet-5", client, 2, 3, attributes=asked, failed=True, **server)
    trace.span("chat claude-sonnet-5", client, 4, 8, attributes=told, **server)
    result = books(trace)
    assert totals(result) == (1, 113, 29)
    assert result.attempts.height == 3


def test_fetching_a_stored_answer_again_bills_nothing() -> None:
    trace = Trace("opentelemetry.instrumentation.genai.openai")
    told = {"gen_ai.request.model": "gpt-5-mini", "gen_ai.response.id": "resp_1"}
    trace.span("chat gpt-5-mini", None, 0, 3, attributes=genai("chat", (113, 29)) | told)
    trace.span("fetch_response", None, 60, 61, attributes=genai("fetch_response", (113, 29)) | told)
    assert totals(books(trace)) == (1, 113, 29)
