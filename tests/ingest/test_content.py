"""What is content, what replaces it, and what never enters at all."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_ingest.content import Content, content_of, fingerprint, without_credentials


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("gen_ai.input.messages", Content.PROMPT),
        ("gen_ai.prompt.0.content", Content.PROMPT),
        ("llm.input_messages.0.message.tool_calls.0.tool_call.function.arguments", Content.PROMPT),
        ("input.value", Content.PROMPT),
        ("ai.prompt.messages", Content.PROMPT),
        ("traceloop.entity.input", Content.PROMPT),
        ("langfuse.observation.input", Content.PROMPT),
        ("gcp.vertex.agent.llm_request", Content.PROMPT),
        ("user_prompt", Content.PROMPT),
        ("gen_ai.output.messages", Content.OUTPUT),
        ("gen_ai.completion.0.content", Content.OUTPUT),
        ("ai.response.text", Content.OUTPUT),
        ("final_result", Content.OUTPUT),
        ("gen_ai.tool.call.result", Content.OUTPUT),
        ("gen_ai.tool.call.arguments", Content.ARGUMENTS),
        ("ai.toolCall.args", Content.ARGUMENTS),
        ("error.message", Content.OTHER),
        ("ai.response.providerMetadata", Content.OTHER),
        ("http.request.header.authorization", Content.CREDENTIAL),
        ("openai_api_key", Content.CREDENTIAL),
        ("process.command_args", Content.CREDENTIAL),
    ],
)
def test_content_is_known_by_the_words_of_its_key(key: str, kind: Content) -> None:
    assert content_of(key) is kind


@pytest.mark.parametrize(
    "key",
    [
        "gen_ai.usage.input_tokens",
        "gen_ai.prompt.name",
        "input.mime_type",
        "prompt_length",
        "gen_ai.request.reasoning.level",
        "server.address",
        "tokenpnl.prompt.blocks",
        "tokenpnl.prompt.messages",
        "metadata.user_api_key_alias",
        "embedding.model_name",
    ],
)
def test_a_measure_or_label_of_content_is_plain(key: str) -> None:
    assert content_of(key) is None


@given(st.binary(max_size=100), st.text(max_size=50))
def test_a_fingerprint_is_hmac_sha256(secret: bytes, said: str) -> None:
    expected = hmac.new(secret, f"k={said}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()
    assert fingerprint(secret, [("k", said)]) == expected


def test_a_fingerprint_knows_neither_order_nor_other_secrets() -> None:
    texts: list[tuple[str, object]] = [("b", "2"), ("a", ["1"])]
    assert fingerprint(b"s", texts) == fingerprint(b"s", texts[::-1]) != fingerprint(b"t", texts)


@pytest.mark.parametrize(
    "planted",
    [
        "sk-proj-FAKEFAKEFAKEFAKE",
        "ghp_0000000000000000000000",
        "AKIAIOSFODNN7EXAMPLE",
        "jane@example.com",
        "4111 1111 1111 1111",
        "Bearer abc.def",
        "https://u:p4ssw0rd@h/",
        "https://h/?api_key=abcdef",
    ],
)
def test_credentials_inside_a_value_are_redacted(planted: str) -> None:
    cleaned = without_credentials(f'{{"url": "{planted}", "model": "gpt-5"}}')
    assert "[redacted]" in cleaned
    assert cleaned.endswith('"model": "gpt-5"}')


def test_ordinary_names_are_left_alone() -> None:
    text = '{"model": "us.anthropic.claude-sonnet-5-v1:0", "id": "chatcmpl-4111-1111", "task": "risk-assessment"}'
    assert without_credentials(text) == text
