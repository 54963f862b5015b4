import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self

import pytest
from anthropic.types import (
    Message,
    MessageDeltaUsage,
    RawContentBlockDeltaEvent,
    RawMessageDeltaEvent,
    RawMessageStartEvent,
    RawMessageStopEvent,
    TextDelta,
    Usage,
)
from anthropic.types.raw_message_delta_event import Delta
from google.genai import types as gemini
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import Response, ResponseCompletedEvent, ResponseTextDeltaEvent

from tokenpnl.streams import StreamReader, StreamTap
from tokenpnl.usage import Reading


def read_all(chunks: list[Any], provider: str | None = None) -> Reading:
    reader = StreamReader(provider)
    for chunk in chunks:
        reader.add(chunk)
    return reader.reading


def chat_chunk(**body: Any) -> ChatCompletionChunk:
    base = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5", "choices": []}
    return ChatCompletionChunk.model_validate({**base, **body})


def test_openai_chat_usage_comes_in_a_last_chunk_without_choices() -> None:
    reading = read_all(
        [
            chat_chunk(choices=[{"index": 0, "delta": {"content": "hi"}}]),
            chat_chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
            chat_chunk(usage={"prompt_tokens": 101, "completion_tokens": 53, "total_tokens": 154}),
        ]
    )
    assert reading == Reading(101, 53, response_id="c1", response_model="gpt-5", finish_reasons=("stop",))


def test_openai_chat_without_include_usage_stays_unknown() -> None:
    reading = read_all([chat_chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])])
    assert (reading.input_tokens, reading.output_tokens) == (None, None)


def test_openai_responses_say_all_when_completed() -> None:
    usage = {
        "input_tokens": 9,
        "output_tokens": 5,
        "total_tokens": 14,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens_details": {"reasoning_tokens": 2},
    }
    whole = Response.construct(id="resp_1", object="response", model="gpt-5", status="completed", usage=usage)
    text = ResponseTextDeltaEvent.construct(type="response.output_text.delta", delta="hi")
    completed = ResponseCompletedEvent.construct(type="response.completed", response=whole)
    assert read_all([text, completed]) == Reading(
        9, 5, cache_read=4, reasoning=2, response_id="resp_1", response_model="gpt-5", finish_reasons=("stop",)
    )


def anthropic_start(**usage: Any) -> RawMessageStartEvent:
    told = Usage(input_tokens=101, output_tokens=1, **usage)
    message = Message(id="m1", type="message", role="assistant", model="claude-x", content=[], usage=told)
    return RawMessageStartEvent(type="message_start", message=message)


def anthropic_delta(output_tokens: int, **usage: Any) -> RawMessageDeltaEvent:
    told = MessageDeltaUsage(output_tokens=output_tokens, **usage)
    return RawMessageDeltaEvent(type="message_delta", delta=Delta(stop_reason="end_turn"), usage=told)


def test_anthropic_output_is_cumulative_not_added_to_the_provisional_one() -> None:
    text = RawContentBlockDeltaEvent(type="content_block_delta", index=0, delta=TextDelta(type="text_delta", text="x"))
    start = anthropic_start(cache_read_input_tokens=1009, cache_creation_input_tokens=0)
    reading = read_all([start, text, anthropic_delta(53), RawMessageStopEvent(type="message_stop")])
    assert (reading.input_tokens, reading.output_tokens) == (1110, 53)
    assert (reading.response_id, reading.finish_reasons) == ("m1", ("end_turn",))


def test_an_anthropic_delta_that_repeats_input_alone_keeps_the_cache_counts() -> None:
    reading = read_all([anthropic_start(cache_read_input_tokens=1009), anthropic_delta(53, input_tokens=102)])
    assert (reading.input_tokens, reading.cache_read) == (1111, 1009)


def test_gemini_usage_is_cumulative_over_chunks() -> None:
    def chunk(answered: int) -> gemini.GenerateContentResponse:
        metadata = gemini.GenerateContentResponseUsageMetadata(
            prompt_token_count=10, candidates_token_count=answered, thoughts_token_count=2
        )
        return gemini.GenerateContentResponse(usage_metadata=metadata)

    assert read_all([chunk(1), chunk(5)]).output_tokens == 7


def test_bedrock_streams_tell_usage_in_metadata() -> None:
    events = [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "hi"}}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {"usage": {"inputTokens": 101, "outputTokens": 53, "cacheReadInputTokens": 9}, "metrics": {}}},
    ]
    assert read_all(events) == Reading(110, 53, cache_read=9, finish_reasons=("end_turn",))


class Source:
    """A client's stream, with a member of its own and a close."""

    def __init__(self) -> None:
        self.response = "raw"
        self.closed = False

    def __iter__(self) -> Iterator[int]:
        yield from (1, 2)

    async def __aiter__(self) -> AsyncIterator[int]:
        for item in (1, 2):
            yield item

    def close(self) -> None:
        self.closed = True


def tapped(source: Any) -> tuple[StreamTap, list[object], list[tuple[object, bool]]]:
    chunks: list[object] = []
    ends: list[tuple[object, bool]] = []
    return StreamTap(source, chunks.append, lambda error, complete: ends.append((error, complete))), chunks, ends


def test_a_tap_passes_chunks_through_and_hears_the_end_once() -> None:
    tap, chunks, ends = tapped(Source())
    assert list(tap) == [1, 2]
    assert chunks == [1, 2]
    del tap
    assert ends == [(None, True)]


async def test_a_tap_passes_asynchronous_chunks_through() -> None:
    tap, chunks, ends = tapped(Source())
    assert [item async for item in tap] == [1, 2] == chunks
    assert ends == [(None, True)]


def test_a_tap_has_the_members_of_the_stream() -> None:
    source = Source()
    tap, _, ends = tapped(source)
    assert tap.response == "raw"
    tap.close()
    assert source.closed
    assert ends == [(None, False)]


def test_a_dropped_tap_counts_as_not_read_to_its_end() -> None:
    tap, _, ends = tapped(Source())
    next(tap)
    del tap
    gc.collect()
    assert ends == [(None, False)]


def test_an_error_of_the_stream_passes_through() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ConnectionError

    tap, _, ends = tapped(broken())
    with pytest.raises(ConnectionError):
        list(tap)
    assert isinstance(ends[0][0], ConnectionError)


async def test_an_asynchronous_error_of_the_stream_passes_through() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 1
        raise ConnectionError

    tap, _, ends = tapped(broken())
    with pytest.raises(ConnectionError):
        _ = [item async for item in tap]
    assert isinstance(ends[0][0], ConnectionError)


class Managed(Source):
    """A stream that is a context manager, as the Anthropic and OpenAI clients have them."""

    entered = 0

    def __enter__(self) -> Self:
        self.entered += 1
        return self

    def __exit__(self, *raised: object) -> None:
        self.entered -= 1

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *raised: object) -> None:
        self.__exit__()

    async def aclose(self) -> None:
        self.closed = True


async def test_a_tap_is_the_context_manager_that_the_stream_is() -> None:
    source = Managed()
    tap, _, _ = tapped(source)
    with tap:
        assert source.entered == 1
    async with tap:
        assert source.entered == 1
        await tap.aclose()
    assert (source.entered, source.closed) == (0, True)


def test_a_tap_is_a_context_manager_also_when_the_stream_is_not() -> None:
    tap, _, ends = tapped(iter([1]))
    with tap as stream:
        assert list(stream) == [1]
    assert ends == [(None, True)]


def test_a_stream_that_its_own_helper_read_is_not_cancelled() -> None:
    tap, _, ends = tapped(Managed())
    with tap as stream:
        assert list(stream._source) == [1, 2]
    assert ends == [(None, True)]
