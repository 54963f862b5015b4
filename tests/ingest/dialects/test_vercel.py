"""The Vercel AI SDK, versions 4 to 6."""

import json

from tests.ingest.raw_spans import row_of


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
