from typing import Any

import pytest
from anthropic.types import Message, Usage
from anthropic.types.cache_creation import CacheCreation
from anthropic.types.output_tokens_details import OutputTokensDetails
from google.genai import types as gemini
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CompletionUsage, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from tokenpnl.usage import Reading, read_response


def chat(usage: dict[str, Any] | None, **more: Any) -> ChatCompletion:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-5-2026", "choices": [choice]}
    return ChatCompletion.model_validate({**body, "usage": usage, **more})


def test_openai_chat_input_already_holds_the_cache() -> None:
    usage = CompletionUsage.model_validate(
        {
            "prompt_tokens": 17_903,
            "completion_tokens": 482,
            "total_tokens": 18_385,
            "prompt_tokens_details": {"cached_tokens": 17_817, "cache_write_tokens": 20, "audio_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 448, "audio_tokens": 2},
        }
    )
    assert read_response(chat(usage.model_dump(), service_tier="flex")) == Reading(
        input_tokens=17_903,
        output_tokens=482,
        cache_read=17_817,
        cache_write=20,
        reasoning=448,
        input_audio=3,
        output_audio=2,
        response_id="chatcmpl-1",
        response_model="gpt-5-2026",
        service_tier="flex",
        finish_reasons=("stop",),
    )


def test_a_response_without_usage_has_unknown_usage_not_zero() -> None:
    reading = read_response(chat(None))
    assert (reading.input_tokens, reading.output_tokens) == (None, None)
    assert "gen_ai.usage.input_tokens" not in reading.attributes


def test_an_explicit_zero_stays_zero() -> None:
    reading = read_response(chat({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}))
    assert reading.attributes["gen_ai.usage.output_tokens"] == 0


def test_openai_responses_give_the_lifetimes_of_cache_writes() -> None:
    response = Response.model_construct(
        id="resp_1",
        object="response",
        model="gpt-5",
        status="completed",
        service_tier="priority",
        usage=Response.model_fields["usage"]
        .annotation.__args__[0]
        .model_validate(  # type: ignore[union-attr]
            {
                "input_tokens": 100,
                "input_tokens_details": {
                    "cached_tokens": 10,
                    "cache_write_tokens": 50,
                    "cache_write_tokens_details": {"ttl_30m_tokens": 20, "ttl_12h_tokens": 30},
                },
                "output_tokens": 7,
                "output_tokens_details": {"reasoning_tokens": 4},
                "total_tokens": 107,
            }
        ),
    )
    assert read_response(response) == Reading(
        input_tokens=100,
        output_tokens=7,
        cache_read=10,
        cache_write=50,
        cache_write_30m=20,
        cache_write_12h=30,
        reasoning=4,
        response_id="resp_1",
        response_model="gpt-5",
        service_tier="priority",
        finish_reasons=("stop",),
    )


def test_an_incomplete_response_says_why_it_stopped() -> None:
    body = {"object": "response", "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert read_response(body).finish_reasons == ("length",)


def test_an_embedding_has_input_alone() -> None:
    body = {"object": "list", "data": [], "model": "e", "usage": {"prompt_tokens": 9, "total_tokens": 9}}
    reading = read_response(CreateEmbeddingResponse.model_validate(body))
    assert (reading.input_tokens, reading.output_tokens) == (9, None)


def test_anthropic_input_is_made_to_hold_the_cache() -> None:
    message = Message(
        id="msg_1",
        type="message",
        role="assistant",
        model="claude-x",
        content=[],
        stop_reason="tool_use",
        usage=Usage(
            input_tokens=101,
            cache_read_input_tokens=1009,
            cache_creation_input_tokens=714,
            cache_creation=CacheCreation(ephemeral_5m_input_tokens=503, ephemeral_1h_input_tokens=211),
            output_tokens=360,
            output_tokens_details=OutputTokensDetails(thinking_tokens=307),
            service_tier="batch",
            inference_geo="us",
        ),
    )
    assert read_response(message) == Reading(
        input_tokens=1824,
        output_tokens=360,
        cache_read=1009,
        cache_write=714,
        cache_write_5m=503,
        cache_write_1h=211,
        reasoning=307,
        response_id="msg_1",
        response_model="claude-x",
        service_tier="batch",
        region="us",
        finish_reasons=("tool_use",),
    )


def test_anthropic_fast_mode_is_a_tier() -> None:
    usage = {"input_tokens": 1, "output_tokens": 1, "speed": "fast", "service_tier": "standard"}
    assert read_response({"type": "message", "usage": usage}).service_tier == "fast"


def test_bare_anthropic_usage_is_known_by_the_provider() -> None:
    body = {"usage": {"input_tokens": 5, "output_tokens": 3}, "stop_reason": "end_turn"}
    assert read_response(body, "anthropic").finish_reasons == ("end_turn",)


def test_gemini_thoughts_are_added_to_candidates_and_tool_prompts_to_the_prompt() -> None:
    modality = gemini.ModalityTokenCount
    response = gemini.GenerateContentResponse(
        response_id="g1",
        model_version="gemini-3",
        candidates=[gemini.Candidate(finish_reason=gemini.FinishReason.MAX_TOKENS)],
        usage_metadata=gemini.GenerateContentResponseUsageMetadata(
            prompt_token_count=173,
            tool_use_prompt_token_count=7,
            cached_content_token_count=50,
            candidates_token_count=41,
            thoughts_token_count=307,
            prompt_tokens_details=[
                modality(modality=gemini.MediaModality.TEXT, token_count=100),
                modality(modality=gemini.MediaModality.AUDIO, token_count=40),
                modality(modality=gemini.MediaModality.VIDEO, token_count=33),
            ],
            cache_tokens_details=[modality(modality=gemini.MediaModality.AUDIO, token_count=20)],
            candidates_tokens_details=[modality(modality=gemini.MediaModality.IMAGE, token_count=12)],
        ),
    )
    assert read_response(response) == Reading(
        input_tokens=180,
        output_tokens=348,
        cache_read=50,
        reasoning=307,
        input_audio=40,
        input_video=33,
        output_image=12,
        cache_read_audio=20,
        response_id="g1",
        response_model="gemini-3",
        finish_reasons=("MAX_TOKENS",),
    )


def test_gemini_json_reads_like_the_clients_object() -> None:
    body = {
        "candidates": [{"finishReason": "STOP"}],
        "modelVersion": "gemini-3",
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 3},
    }
    reading = read_response(body)
    assert (reading.input_tokens, reading.output_tokens, reading.finish_reasons) == (5, 5, ("STOP",))


def test_bedrock_converse_input_is_made_to_hold_the_cache() -> None:
    body = {
        "ResponseMetadata": {"RequestId": "r-1", "HTTPStatusCode": 200},
        "output": {"message": {}},
        "stopReason": "end_turn",
        "usage": {
            "inputTokens": 101,
            "outputTokens": 53,
            "totalTokens": 1877,
            "cacheReadInputTokens": 1009,
            "cacheWriteInputTokens": 714,
            "cacheDetails": [{"ttl": "5m", "inputTokens": 503}, {"ttl": "1h", "inputTokens": 211}],
        },
    }
    assert read_response(body, "aws.bedrock") == Reading(
        input_tokens=1824,
        output_tokens=53,
        cache_read=1009,
        cache_write=714,
        cache_write_5m=503,
        cache_write_1h=211,
        response_id="r-1",
        finish_reasons=("end_turn",),
    )


@pytest.mark.parametrize("nonsense", [None, 7, "text", [], {}, {"usage": []}, {"usage": {"prompt_tokens": True}}])
def test_a_response_of_no_known_shape_says_nothing(nonsense: object) -> None:
    assert read_response(nonsense) == Reading()


counts = st.none() | st.integers(0, 10**6)


@given(counts, counts, counts)
def test_anthropic_input_is_the_sum_of_its_parts(uncached: int | None, read: int | None, write: int | None) -> None:
    usage = {"input_tokens": uncached, "cache_read_input_tokens": read, "cache_creation_input_tokens": write}
    reading = read_response({"type": "message", "usage": usage})
    if uncached is None:
        assert reading.input_tokens is None
    else:
        assert reading.input_tokens == uncached + (read or 0) + (write or 0)


@given(st.lists(st.builds(Reading, input_tokens=counts, output_tokens=counts), max_size=5))
def test_the_newest_known_count_wins_in_any_stream(readings: list[Reading]) -> None:
    merged = Reading()
    for reading in readings:
        merged = reading.over(merged)
    known = [reading.input_tokens for reading in readings if reading.input_tokens is not None]
    assert merged.input_tokens == (known[-1] if known else None)
