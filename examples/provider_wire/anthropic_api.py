"""Anthropic messages. Cache reads and writes count beside the input, thinking inside the output."""

import json
from collections.abc import Iterator
from typing import Final

from provider_wire.model import Json, Reply, Usage, server_sent


def _anthropic_usage(usage: Usage, output_tokens: int) -> Json:
    return {
        "input_tokens": usage.input_uncached,
        "cache_read_input_tokens": usage.input_cache_read,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.input_cache_write_5m,
            "ephemeral_1h_input_tokens": usage.input_cache_write_1h,
        },
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


def _anthropic_content(reply: Reply) -> list[Json]:
    content: list[Json] = []
    if reply.usage.output_reasoning:
        content.append({"type": "thinking", "thinking": "…", "signature": "c3ludGhldGlj"})
    if not reply.tools:
        content.append({"type": "text", "text": reply.text})
    content.extend(
        {
            "type": "tool_use",
            "id": f"toolu_{reply.response_id}_{index}",
            "name": tool.name,
            "input": dict(tool.arguments),
        }
        for index, tool in enumerate(reply.tools)
    )
    return content


def _anthropic_message(reply: Reply, content: list[Json], stop: str | None, output_tokens: int) -> Json:
    return {
        "id": reply.response_id,
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": _anthropic_usage(reply.usage, output_tokens),
    }


def anthropic_body(reply: Reply) -> Json:
    """Return the message as one JSON object."""
    stop = reply.finish("end_turn", "tool_use", "max_tokens")
    return _anthropic_message(reply, _anthropic_content(reply), stop, reply.usage.output_total)


_EMPTY_BLOCK: Final[dict[str, Json]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}


def _anthropic_deltas(block: Json, reply: Reply) -> list[Json]:
    match block["type"]:
        case "text":
            return [{"type": "text_delta", "text": word} for word in reply.words]
        case "thinking":
            return [
                {"type": "thinking_delta", "thinking": block["thinking"]},
                {"type": "signature_delta", "signature": block["signature"]},
            ]
        case _:
            return [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]


def _anthropic_events(reply: Reply) -> Iterator[Json]:
    # The first event counts one provisional output token; the last one counts them all again, not on top.
    yield {"type": "message_start", "message": _anthropic_message(reply, [], None, 1)}
    for index, block in enumerate(_anthropic_content(reply)):
        empty = {**block, **_EMPTY_BLOCK[block["type"]]}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in _anthropic_deltas(block, reply):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    usage = _anthropic_usage(reply.usage, reply.usage.output_total)
    del usage["cache_creation"], usage["service_tier"]
    stop = {"stop_reason": reply.finish("end_turn", "tool_use", "max_tokens"), "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": usage}
    yield {"type": "message_stop"}


def anthropic_stream(reply: Reply) -> Iterator[bytes]:
    """Return the message as server-sent events."""
    return (server_sent(event, event["type"]) for event in _anthropic_events(reply))
