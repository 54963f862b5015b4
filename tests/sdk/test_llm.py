import asyncio
import gc
from collections.abc import AsyncIterator, Iterator

import anthropic
import httpx2
import openai
import pytest
from google.genai.errors import APIError
from openai.types.chat import ChatCompletion
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

import tokenpnl
from tokenpnl import testing
from tokenpnl.llm import http_status
from tokenpnl.testing import SECOND, Recording

ANSWER = ChatCompletion.model_validate(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-5-2026",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "top secret"}}],
        "usage": {"prompt_tokens": 101, "completion_tokens": 53, "total_tokens": 154},
    }
)


def chunks() -> Iterator[dict[str, object]]:
    yield {"id": "c1", "choices": [{"delta": {"content": "top secret"}}]}
    yield {"id": "c1", "choices": [{"delta": {}, "finish_reason": "stop"}]}
    yield {"id": "c1", "choices": [], "usage": {"prompt_tokens": 101, "completion_tokens": 53}}


async def chunks_later() -> AsyncIterator[dict[str, object]]:
    for chunk in chunks():
        await asyncio.sleep(0)
        yield chunk


def test_a_call_writes_the_newest_genai_names_and_no_content(recorded: Recording) -> None:
    with tokenpnl.llm_call("openai", "gpt-5", prompt="also secret", prompt_name="reply", prompt_version="3") as call:
        call.record(ANSWER)
    span = recorded.span("chat gpt-5")
    assert span.kind is SpanKind.CLIENT
    prompt_hash = span.attributes["tokenpnl.prompt.hash"]
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.prompt.name": "reply",
        "gen_ai.prompt.version": "3",
        "gen_ai.response.model": "gpt-5-2026",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 101,
        "gen_ai.usage.output_tokens": 53,
        "tokenpnl.prompt.hash": prompt_hash,
    }
    assert "secret" not in span.to_json()


def test_a_later_call_holds_an_earlier_answer_among_its_messages(recorded: Recording) -> None:
    with tokenpnl.llm_call("openai", "gpt-5", prompt="question") as call:
        call.output(content="the answer")
    with tokenpnl.llm_call("openai", "gpt-5-mini", prompt=[{"role": "user", "content": "the answer"}]):
        pass
    first, second = (recorded.span(f"chat {model}").attributes for model in ("gpt-5", "gpt-5-mini"))
    assert second["tokenpnl.prompt.messages"] == (first["tokenpnl.output.hash"],)
    assert "tokenpnl.prompt.messages" not in first


def test_a_decorated_function_has_its_returned_response_read(recorded: Recording) -> None:
    @tokenpnl.llm_call("openai", "gpt-5")
    def ask() -> ChatCompletion:
        return ANSWER

    assert ask() is ANSWER
    assert recorded.span("chat gpt-5").attributes["gen_ai.usage.input_tokens"] == 101


def usage_of(span: ReadableSpan) -> tuple[object, object]:
    return span.attributes.get("gen_ai.usage.input_tokens"), span.attributes.get("gen_ai.usage.output_tokens")


def test_a_stream_is_read_while_the_host_reads_it(recorded: Recording) -> None:
    with tokenpnl.llm_call("openai", "gpt-5") as call:
        assert len(list(call.stream(chunks()))) == 3
    span = recorded.span("chat gpt-5")
    assert usage_of(span) == (101, 53)
    assert span.attributes["gen_ai.request.stream"] is True
    assert span.status.status_code is StatusCode.UNSET


def test_the_first_chunk_is_timed_in_seconds(recorded: Recording) -> None:
    def slow() -> Iterator[dict[str, object]]:
        recorded.clock.advance(0.25)
        yield from chunks()

    recorded.clock.step_ns = 0
    with tokenpnl.llm_call("openai", "gpt-5") as call:
        list(call.stream(slow()))
    assert recorded.span("chat gpt-5").attributes["gen_ai.response.time_to_first_chunk"] == 0.25


async def test_an_asynchronous_stream_is_read_too(recorded: Recording) -> None:
    async with tokenpnl.llm_call("openai", "gpt-5") as call:
        assert len([chunk async for chunk in call.stream(chunks_later())]) == 3
    assert usage_of(recorded.span("chat gpt-5")) == (101, 53)


def test_a_stream_left_half_read_counts_as_cancelled(recorded: Recording) -> None:
    with tokenpnl.llm_call("openai", "gpt-5") as call:
        next(iter(call.stream(chunks())))
    span = recorded.span("chat gpt-5")
    assert span.attributes["error.type"] == "CancelledError"
    assert span.attributes["gen_ai.response.id"] == "c1"
    assert usage_of(span) == (None, None)


def test_a_stream_handed_out_of_its_block_is_read_to_its_end(recorded: Recording) -> None:
    def ask() -> Iterator[dict[str, object]]:
        with tokenpnl.llm_call("openai", "gpt-5") as call:
            return call.stream(chunks())

    answer = ask()
    assert recorded.spans == []
    recorded.clock.advance(3)
    assert len(list(answer)) == 3
    span = recorded.span("chat gpt-5")
    assert usage_of(span) == (101, 53)
    assert span.end_time - span.start_time > 3 * SECOND


def test_a_stream_handed_out_and_dropped_ends_as_cancelled(recorded: Recording) -> None:
    def ask() -> Iterator[dict[str, object]]:
        with tokenpnl.llm_call("openai", "gpt-5") as call:
            return call.stream(chunks())

    answer = ask()
    del answer
    gc.collect()
    assert recorded.span("chat gpt-5").attributes["error.type"] == "CancelledError"


def test_an_error_in_mid_stream_is_the_calls_error(recorded: Recording) -> None:
    def broken() -> Iterator[dict[str, object]]:
        yield from chunks()
        raise ConnectionError

    with pytest.raises(ConnectionError), tokenpnl.llm_call("openai", "gpt-5") as call:
        list(call.stream(broken()))
    span = recorded.span("chat gpt-5")
    assert span.attributes["error.type"] == "ConnectionError"
    assert usage_of(span) == (101, 53)


REQUEST = httpx2.Request("POST", "http://127.0.0.1/v1")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (openai.RateLimitError("slow", response=httpx2.Response(429, request=REQUEST), body=None), 429),
        (anthropic.InternalServerError("no", response=httpx2.Response(500, request=REQUEST), body=None), 500),
        (APIError(503, {"error": {"message": "busy"}}), 503),
        (openai.APITimeoutError(request=REQUEST), None),
        (ValueError("x"), None),
    ],
)
def test_the_status_of_a_clients_error_is_found(error: Exception, status: int | None) -> None:
    assert http_status(error) == status


def test_the_status_of_a_botocore_error_is_found() -> None:
    error = RuntimeError("throttled")
    error.response = {"ResponseMetadata": {"HTTPStatusCode": 429}}  # type: ignore[attr-defined]
    assert http_status(error) == 429


def test_a_failed_call_tells_its_error_and_status(recorded: Recording) -> None:
    error = openai.RateLimitError("slow", response=httpx2.Response(429, request=REQUEST), body=None)
    with pytest.raises(openai.RateLimitError), tokenpnl.llm_call("openai", "gpt-5"):
        raise error
    span = recorded.span("chat gpt-5")
    assert (span.attributes["error.type"], span.attributes["http.response.status_code"]) == (
        "openai.RateLimitError",
        429,
    )


def test_what_the_program_knows_of_a_call_can_be_told(recorded: Recording) -> None:
    with tokenpnl.llm_call("openai", "gpt-5") as call:
        call.usage(10, 2, cache_read=4, cache_write_5m=3)
        call.cached("semantic", avoided_input_tokens=7, avoided_output_tokens=8)
        call.output(schema="Invoice", valid=False, parse_error="missing_total", content="secret").confidence(0.4)
        call.route("router-2", arm="small", propensity=0.9, candidates=["small", "large"], inputs={"length": 12})
    told = dict(recorded.span("chat gpt-5").attributes)
    assert told.pop("tokenpnl.output.hash") not in {None, "secret"}
    assert {name: value for name, value in told.items() if not name.startswith("gen_ai.")} == {
        "tokenpnl.usage.cache_write_5m.input_tokens": 3,
        "tokenpnl.cache.kind": "semantic",
        "tokenpnl.cache.hit": True,
        "tokenpnl.cache.avoided_input_tokens": 7,
        "tokenpnl.cache.avoided_output_tokens": 8,
        "tokenpnl.output.schema": "Invoice",
        "tokenpnl.output.valid": False,
        "tokenpnl.output.parse_error": "missing_total",
        "tokenpnl.confidence": 0.4,
        "tokenpnl.route.policy": "router-2",
        "tokenpnl.route.arm": "small",
        "tokenpnl.route.propensity": 0.9,
        "tokenpnl.route.candidates": ("small", "large"),
        "tokenpnl.route.inputs": '{"length":12}',
    }
    assert told["gen_ai.usage.cache_read.input_tokens"] == 4


@pytest.mark.parametrize("propensity", [0, -0.1, 1.2, float("nan"), "often"], ids=str)
def test_a_propensity_that_is_none_is_left_out_and_the_call_goes_on(propensity: float) -> None:
    with testing.recording(raise_faults=False) as recorded, tokenpnl.llm_call("openai", "gpt-5") as call:
        call.route("router-2", arm="small", propensity=propensity).confidence(0.4)
    told = recorded.span("chat gpt-5").attributes
    assert "tokenpnl.route.propensity" not in told
    assert (told["tokenpnl.route.arm"], told["tokenpnl.confidence"]) == ("small", 0.4)


@pytest.mark.parametrize("score", [-0.1, 3, float("nan"), None], ids=str)
def test_a_confidence_that_is_none_is_left_out(score: float) -> None:
    with testing.recording(raise_faults=False) as recorded, tokenpnl.llm_call("openai", "gpt-5") as call:
        call.confidence(score)
    assert "tokenpnl.confidence" not in recorded.span("chat gpt-5").attributes


def test_a_test_sees_a_propensity_out_of_range(recorded: Recording) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"), tokenpnl.llm_call("openai", "gpt-5") as call:
        call.route("router-2", propensity=1.5)
