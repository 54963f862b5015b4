"""Gemini (cached tokens inside the input, thoughts beside the output) and Bedrock Converse (as Anthropic counts)."""

from collections.abc import Iterator

from provider_wire.model import Json, Reply, server_sent

# --- Gemini


def _gemini_chunk(reply: Reply, parts: list[Json], text_tokens: int, *, last: bool) -> Json:
    usage = reply.usage
    counts: Json = {
        "promptTokenCount": usage.input_total,
        "candidatesTokenCount": text_tokens,
        "totalTokenCount": usage.input_total + text_tokens + usage.output_reasoning,
    }
    if usage.input_cache_read:
        counts["cachedContentTokenCount"] = usage.input_cache_read
    if usage.output_reasoning:
        counts["thoughtsTokenCount"] = usage.output_reasoning
    candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
    if last:
        candidate["finishReason"] = reply.finish("STOP", "STOP", "MAX_TOKENS")
    return {
        "candidates": [candidate],
        "usageMetadata": counts,
        "modelVersion": reply.model,
        "responseId": reply.response_id,
    }


def _gemini_parts(reply: Reply) -> list[Json]:
    if not reply.tools:
        return [{"text": word} for word in reply.words]
    return [{"functionCall": {"name": tool.name, "args": dict(tool.arguments)}} for tool in reply.tools]


def gemini_body(reply: Reply) -> Json:
    """Return Gemini's answer as one JSON object."""
    parts = _gemini_parts(reply) if reply.tools else [{"text": reply.text}]
    return _gemini_chunk(reply, parts, reply.usage.output_text, last=True)


def gemini_stream(reply: Reply) -> Iterator[bytes]:
    """Return Gemini's answer in chunks."""
    parts = _gemini_parts(reply)
    for number, part in enumerate(parts, start=1):
        # Every chunk repeats the usage so far; the last one is the bill.
        so_far = reply.usage.output_text * number // len(parts)
        yield server_sent(_gemini_chunk(reply, [part], so_far, last=number == len(parts)))


# --- Bedrock Converse


def bedrock_body(reply: Reply) -> Json:
    """Return the answer of Bedrock's Converse."""
    usage = reply.usage
    content: list[Json] = [
        {"toolUse": {"toolUseId": f"tooluse_{reply.response_id}_{i}", "name": tool.name, "input": dict(tool.arguments)}}
        for i, tool in enumerate(reply.tools)
    ] or [{"text": reply.text}]
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": reply.finish("end_turn", "tool_use", "max_tokens"),
        "usage": {
            "inputTokens": usage.input_uncached,
            "outputTokens": usage.output_total,
            "totalTokens": usage.input_total + usage.output_total,
            "cacheReadInputTokens": usage.input_cache_read,
            "cacheWriteInputTokens": usage.cache_write,
        },
        "metrics": {"latencyMs": 1},
    }
