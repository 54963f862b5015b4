"""A provider's raw usage, told by its own key names."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_ingest.dialects.payload import answer_in, parsed, usage_of

INCLUSIVE = {"input_tokens": 1110, "cache_read_tokens": 1009, "output_tokens": 348, "reasoning_tokens": 307}


@pytest.mark.parametrize(
    "said",
    [
        {
            "prompt_tokens": 1110,
            "completion_tokens": 348,
            "prompt_tokens_details": {"cached_tokens": 1009},
            "completion_tokens_details": {"reasoning_tokens": 307},
        },
        {
            "input_tokens": 1110,
            "output_tokens": 348,
            "input_tokens_details": {"cached_tokens": 1009},
            "output_tokens_details": {"reasoning_tokens": 307},
        },
        {
            "input_tokens": 1110,
            "output_tokens": 348,
            "input_token_details": {"cache_read": 1009},
            "output_token_details": {"reasoning": 307},
        },
        {
            "promptTokenCount": 1110,
            "candidatesTokenCount": 41,
            "thoughtsTokenCount": 307,
            "cachedContentTokenCount": 1009,
        },
        {
            "input_tokens": 101,
            "output_tokens": 348,
            "cache_read_input_tokens": 1009,
            "output_tokens_details": {"thinking_tokens": 307},
        },
    ],
    ids=["openai chat", "openai responses", "langchain", "gemini", "anthropic"],
)
def test_every_provider_says_the_same_in_its_own_words(said: dict[str, object]) -> None:
    assert usage_of(said) == INCLUSIVE


def test_bedrock_leaves_the_cache_out_and_gemini_the_tools_prompt() -> None:
    bedrock = {"inputTokens": 101, "outputTokens": 53, "cacheReadInputTokens": 1009, "cacheWriteInputTokens": 714}
    gemini = {"promptTokenCount": 100, "toolUsePromptTokenCount": 11, "candidatesTokenCount": 5}
    assert usage_of(bedrock)["input_tokens"] == 1824
    assert usage_of(gemini) == {"input_tokens": 111, "output_tokens": 5}


def test_the_lifetimes_of_openai_and_anthropic_are_read() -> None:
    openai = {
        "input_tokens": 9,
        "input_tokens_details": {
            "cache_write_tokens": 7,
            "cache_write_tokens_details": {"ttl_30m_tokens": 4, "ttl_12h_tokens": 3},
        },
    }
    assert usage_of(openai)["cache_write_30m_tokens"] == 4
    assert usage_of(openai)["cache_write_12h_tokens"] == 3


def test_langchain_tells_anthropic_writes_by_lifetime_only() -> None:
    said = {
        "input_tokens": 1824,
        "input_token_details": {
            "cache_creation": 0,
            "ephemeral_5m_input_tokens": 503,
            "ephemeral_1h_input_tokens": 211,
        },
    }
    assert usage_of(said)["cache_write_tokens"] == 714


def test_a_payload_with_two_different_answers_says_nothing() -> None:
    one, two = ({"usage": {"prompt_tokens": count, "completion_tokens": 1}} for count in (1, 2))
    assert answer_in([one, two]) is None
    assert answer_in([one, one]) is not None


def test_searches_that_the_provider_ran_are_counted_beside_the_tokens() -> None:
    used = {"input_tokens": 50, "output_tokens": 239, "server_tool_use": {"web_search_requests": 2}}
    assert answer_in({"usage": used}).usage["web_searches"] == 2  # type: ignore[union-attr]
    calls = [
        {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "web_search_call", "status": "completed", "action": {"type": "open_page", "url": "u"}},
        {"type": "web_search_call", "status": "failed"},
        {"type": "message"},
    ]
    answer = answer_in({"output": calls, "usage": {"input_tokens": 1, "output_tokens": 1}})
    assert answer is not None
    assert answer.usage["web_searches"] == 1


def test_a_run_id_of_langchain_is_no_answer_id() -> None:
    answer = answer_in({"id": "lc_run--1", "usage": {"input_tokens": 1, "output_tokens": 1}})
    assert answer is not None
    assert answer.response_id is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["usage", "prompt_tokens", "id", "input_tokens", "cache_creation"]), inner, max_size=4
            )
        ),
    )
)
def test_any_payload_is_read_or_ignored(payload: object) -> None:
    answer = answer_in(json.dumps(payload))
    assert answer is None or all(count >= 0 for count in answer.usage.values())


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_ignored(text: str) -> None:
    for opened in ("{", "["):
        parsed(opened + text)
