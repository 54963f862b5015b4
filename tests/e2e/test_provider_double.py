"""The provider double, seen through the real clients: what they read is what it billed."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from provider_double import Answer, Api, ProviderDouble, ToolCall, Usage

USAGE = Usage(
    input_uncached=101,
    input_cache_read=1009,
    input_cache_write_5m=503,
    input_cache_write_1h=211,
    output_text=53,
    output_reasoning=307,
)
PLAIN = Usage(input_uncached=101, input_cache_read=1009, output_text=53, output_reasoning=307)
QUESTION = [{"role": "user", "content": "Where is my parcel?"}]
LONG_PROMPT = "The terms of the shop. " * 400


@pytest.fixture
def double() -> Iterator[ProviderDouble]:
    with ProviderDouble() as running:
        yield running


@pytest.fixture
def openai_client(double: ProviderDouble) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=double.openai_url, api_key="double", max_retries=2) as client:
        yield client


@pytest.fixture
def anthropic_client(double: ProviderDouble) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=double.url, api_key="double", max_retries=2) as client:
        yield client


@pytest.fixture
def gemini_client(double: ProviderDouble) -> Iterator[genai.Client]:
    client = genai.Client(api_key="double", http_options=types.HttpOptions(base_url=double.url))
    yield client
    client.close()


def test_openai_chat_counts_cached_tokens_inside_the_input(
    double: ProviderDouble, openai_client: openai.OpenAI
) -> None:
    double.script(Answer(usage=PLAIN, text="It left on Monday."))
    done = openai_client.chat.completions.create(model="gpt-5-mini", messages=QUESTION)
    assert done.choices[0].message.content == "It left on Monday."
    assert done.usage.prompt_tokens == 1110
    assert done.usage.prompt_tokens_details.cached_tokens == 1009
    assert done.usage.completion_tokens == 360
    assert done.usage.completion_tokens_details.reasoning_tokens == 307
    assert done.id == double.charges[0].response_id


@pytest.mark.parametrize("include_usage", [True, False])
def test_openai_chat_stream_tells_its_usage_only_when_asked(
    double: ProviderDouble, openai_client: openai.OpenAI, include_usage: bool
) -> None:
    double.script(Answer(usage=PLAIN, text="It left on Monday."))
    options = {"stream_options": {"include_usage": True}} if include_usage else {}
    chunks = list(openai_client.chat.completions.create(model="gpt-5-mini", messages=QUESTION, stream=True, **options))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text.strip() == "It left on Monday."
    assert [chunk.usage.prompt_tokens for chunk in chunks if chunk.usage] == ([1110] if include_usage else [])
    assert double.billed[0].usage == PLAIN


def test_openai_chat_asks_for_a_tool(double: ProviderDouble, openai_client: openai.OpenAI) -> None:
    double.script(Answer(tools=(ToolCall("track", {"parcel": 7}),)))
    choice = openai_client.chat.completions.create(model="gpt-5-mini", messages=QUESTION).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert json.loads(choice.message.tool_calls[0].function.arguments) == {"parcel": 7}


def test_openai_responses_carry_usage(double: ProviderDouble, openai_client: openai.OpenAI) -> None:
    double.script(Answer(usage=PLAIN, text="It left on Monday."))
    done = openai_client.responses.create(model="gpt-5-mini", input="Where is my parcel?")
    assert done.output_text == "It left on Monday."
    assert (done.usage.input_tokens, done.usage.input_tokens_details.cached_tokens) == (1110, 1009)
    assert (done.usage.output_tokens, done.usage.output_tokens_details.reasoning_tokens) == (360, 307)


def test_openai_responses_stream_ends_with_usage(double: ProviderDouble, openai_client: openai.OpenAI) -> None:
    double.script(Answer(usage=PLAIN, text="It left on Monday."))
    events = list(openai_client.responses.create(model="gpt-5-mini", input="Where?", stream=True))
    assert events[-1].type == "response.completed"
    assert events[-1].response.usage.output_tokens == 360
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta").strip() == (
        "It left on Monday."
    )


def test_openai_embeddings_return_a_vector_per_input(double: ProviderDouble, openai_client: openai.OpenAI) -> None:
    done = openai_client.embeddings.create(model="text-embedding-3-small", input=["one two", "three"])
    assert [row.embedding for row in done.data] == [[0.25, 0.5, 0.75]] * 2
    assert done.usage.prompt_tokens == 3
    assert double.billed[0].usage == Usage(input_uncached=3)


def test_anthropic_counts_cached_tokens_beside_the_input(
    double: ProviderDouble, anthropic_client: anthropic.Anthropic
) -> None:
    double.script(Answer(usage=USAGE, text="It left on Monday."))
    done = anthropic_client.messages.create(model="claude-haiku-4-5", max_tokens=99, messages=QUESTION)
    assert done.content[-1].text == "It left on Monday."
    assert (done.usage.input_tokens, done.usage.cache_read_input_tokens) == (101, 1009)
    assert done.usage.cache_creation.ephemeral_5m_input_tokens == 503
    assert done.usage.cache_creation.ephemeral_1h_input_tokens == 211
    assert done.usage.output_tokens == 360


def test_anthropic_stream_ends_with_the_cumulative_usage(
    double: ProviderDouble, anthropic_client: anthropic.Anthropic
) -> None:
    double.script(Answer(usage=USAGE, text="It left on Monday."))
    with anthropic_client.messages.stream(model="claude-haiku-4-5", max_tokens=99, messages=QUESTION) as stream:
        done = stream.get_final_message()
    assert done.content[-1].text.strip() == "It left on Monday."
    assert (done.usage.input_tokens, done.usage.cache_creation_input_tokens, done.usage.output_tokens) == (
        101,
        714,
        360,
    )


def test_gemini_counts_thoughts_beside_the_candidates(double: ProviderDouble, gemini_client: genai.Client) -> None:
    double.script(Answer(usage=PLAIN, text="It left on Monday."))
    done = gemini_client.models.generate_content(model="gemini-2.5-flash", contents="Where is my parcel?")
    assert done.text == "It left on Monday."
    assert done.usage_metadata.prompt_token_count == 1110
    assert done.usage_metadata.cached_content_token_count == 1009
    assert done.usage_metadata.candidates_token_count == 53
    assert done.usage_metadata.thoughts_token_count == 307


def test_gemini_stream_repeats_the_usage_so_far(double: ProviderDouble, gemini_client: genai.Client) -> None:
    double.script(Answer(usage=PLAIN, text="It left on Monday."))
    chunks = list(gemini_client.models.generate_content_stream(model="gemini-2.5-flash", contents="Where?"))
    assert [chunk.usage_metadata.candidates_token_count for chunk in chunks] == [13, 26, 39, 53]
    assert double.billed[0].streamed


def test_bedrock_converse_counts_as_anthropic_does(double: ProviderDouble) -> None:
    double.script(Answer(usage=USAGE))
    body = _post(f"{double.url}/model/eu.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse", {"messages": []})
    assert body["usage"] == {
        "inputTokens": 101,
        "outputTokens": 360,
        "totalTokens": 2184,
        "cacheReadInputTokens": 1009,
        "cacheWriteInputTokens": 714,
    }
    assert double.charges[0].requested_model == "eu.anthropic.claude-haiku-4-5-20251001-v1:0"


def test_a_refused_request_is_recorded_and_not_billed(double: ProviderDouble, openai_client: openai.OpenAI) -> None:
    double.script(Answer(status=429, retry_after_s=0.01), Answer(status=500, retry_after_s=0.01), Answer(usage=PLAIN))
    openai_client.chat.completions.create(model="gpt-5-mini", messages=QUESTION)
    assert [charge.status for charge in double.charges] == [429, 500, 200]
    assert [charge.usage for charge in double.billed] == [PLAIN]


def test_errors_arrive_as_the_clients_own_exceptions(double: ProviderDouble) -> None:
    double.script(Answer(status=429), Answer(status=529))
    with (
        openai.OpenAI(base_url=double.openai_url, api_key="double", max_retries=0) as client,
        pytest.raises(openai.RateLimitError),
    ):
        client.chat.completions.create(model="gpt-5-mini", messages=QUESTION)
    with (
        anthropic.Anthropic(base_url=double.url, api_key="double", max_retries=0) as claude,
        pytest.raises(anthropic.APIStatusError, match="scripted 529"),
    ):
        claude.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=QUESTION)


def test_an_answer_that_comes_too_late_is_billed_all_the_same(double: ProviderDouble) -> None:
    double.script(Answer(delay_s=0.4, usage=PLAIN))
    with (
        openai.OpenAI(base_url=double.openai_url, api_key="double", max_retries=0, timeout=0.1) as client,
        pytest.raises(openai.APITimeoutError),
    ):
        client.chat.completions.create(model="gpt-5-mini", messages=QUESTION)
    assert double.billed[0].usage == PLAIN
    deadline = time.monotonic() + 5
    while double.charges[0].received and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not double.charges[0].received


def test_a_malformed_body_is_no_json(double: ProviderDouble, openai_client: openai.OpenAI) -> None:
    double.script(Answer(malformed=True))
    with pytest.raises(json.JSONDecodeError):
        openai_client.chat.completions.create(model="gpt-5-mini", messages=QUESTION)


def test_a_dropped_stream_is_noted_and_billed(double: ProviderDouble, openai_client: openai.OpenAI) -> None:
    double.script(Answer(drop_after_chunks=2, usage=PLAIN))
    with pytest.raises(openai.APIConnectionError):
        list(openai_client.chat.completions.create(model="gpt-5-mini", messages=QUESTION, stream=True))
    assert not double.charges[0].received
    assert double.charges[0].usage == PLAIN


def test_openai_reads_a_repeated_prefix_from_the_cache(double: ProviderDouble, openai_client: openai.OpenAI) -> None:
    for question in ("first", "other"):
        messages = [{"role": "system", "content": LONG_PROMPT}, {"role": "user", "content": question}]
        openai_client.chat.completions.create(model="gpt-5-mini", messages=messages)
    cold, warm = (charge.usage for charge in double.charges)
    # 9,200 bytes of prompt and five of question: 2,302 tokens, of which 17 steps of 128 repeat.
    assert (cold.input_uncached, cold.input_cache_read) == (2302, 0)
    assert (warm.input_uncached, warm.input_cache_read) == (126, 2176)


def test_anthropic_writes_what_stands_before_the_marker_and_reads_it_next_time(
    double: ProviderDouble, anthropic_client: anthropic.Anthropic
) -> None:
    system = [{"type": "text", "text": LONG_PROMPT, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    for question in ("1234", "5678"):
        anthropic_client.messages.create(
            model="claude-haiku-4-5", max_tokens=9, system=system, messages=[{"role": "user", "content": question}]
        )
    cold, warm = (charge.usage for charge in double.charges)
    assert (cold.input_cache_write_1h, cold.input_cache_read, cold.input_uncached) == (2300, 0, 1)
    assert (warm.input_cache_write_1h, warm.input_cache_read, warm.input_uncached) == (0, 2300, 1)


def test_equal_requests_cost_equal_tokens() -> None:
    bills = []
    for _ in range(2):
        with ProviderDouble() as double:
            _post(f"{double.openai_url}/responses", {"model": "m", "input": "abc", "reasoning": {"effort": "low"}})
            bills.append([(charge.api, charge.usage) for charge in double.charges])
    assert (
        bills[0] == bills[1] == [(Api.OPENAI_RESPONSES, Usage(input_uncached=1, output_text=13, output_reasoning=64))]
    )


def test_a_header_scripts_a_single_request(double: ProviderDouble, openai_client: openai.OpenAI) -> None:
    wanted = {"text": "scripted", "usage": {"input_uncached": 7, "output_text": 2}}
    done = openai_client.chat.completions.create(
        model="gpt-5-mini", messages=QUESTION, extra_headers={"x-double-answer": json.dumps(wanted)}
    )
    assert (done.choices[0].message.content, done.usage.total_tokens) == ("scripted", 9)


def test_the_bill_can_be_fetched(double: ProviderDouble) -> None:
    _post(f"{double.openai_url}/embeddings", {"model": "m", "input": "abcd"})
    with urllib.request.urlopen(f"{double.url}/charges", timeout=5) as answer:
        assert json.load(answer)["charges"][0]["usage"]["input_uncached"] == 1


def test_an_unknown_path_is_refused(double: ProviderDouble) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404") as refused:
        _post(f"{double.url}/v1/images", {})
    refused.value.close()
    assert double.charges == ()


def _post(url: str, body: dict[str, object]) -> dict[str, dict[str, int]]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)
