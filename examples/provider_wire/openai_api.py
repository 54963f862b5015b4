"""OpenAI: chat completions, responses, embeddings. Cached tokens are inside the input, reasoning inside the output."""

import base64
import json
import struct
from collections.abc import Iterator

from provider_wire.model import Json, Reply, Usage, server_sent

# --- OpenAI chat completions


def _chat_usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.input_total,
        "completion_tokens": usage.output_total,
        "total_tokens": usage.input_total + usage.output_total,
        "prompt_tokens_details": {
            "cached_tokens": usage.input_cache_read,
            "cache_write_tokens": usage.cache_write,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.output_reasoning, "audio_tokens": 0},
    }


def _chat_tools(reply: Reply) -> list[Json]:
    return [
        {
            "index": index,
            "id": f"call_{reply.response_id}_{index}",
            "type": "function",
            "function": {"name": tool.name, "arguments": json.dumps(tool.arguments)},
        }
        for index, tool in enumerate(reply.tools)
    ]


def _chat_base(reply: Reply, kind: str) -> Json:
    return {
        "id": reply.response_id,
        "object": kind,
        "created": reply.created_s,
        "model": reply.model,
        "service_tier": "default",
    }


def chat_body(reply: Reply) -> Json:
    """Return a chat completion."""
    message: Json = {"role": "assistant", "content": None if reply.tools else reply.text, "refusal": None}
    if reply.tools:
        message["tool_calls"] = _chat_tools(reply)
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": reply.finish("stop", "tool_calls", "length"),
        "logprobs": None,
    }
    return {**_chat_base(reply, "chat.completion"), "choices": [choice], "usage": _chat_usage(reply.usage)}


def chat_stream(reply: Reply) -> Iterator[bytes]:
    """Return a chat completion in chunks; its usage comes last, and only if asked for."""
    base = _chat_base(reply, "chat.completion.chunk")
    if reply.include_usage:
        base["usage"] = None

    def chunk(delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return server_sent({**base, "choices": [choice]})

    yield chunk({"role": "assistant", "content": None if reply.tools else ""})
    if reply.tools:
        yield chunk({"tool_calls": _chat_tools(reply)})
    else:
        yield from (chunk({"content": word}) for word in reply.words)
    yield chunk({}, reply.finish("stop", "tool_calls", "length"))
    if reply.include_usage:
        yield server_sent({**base, "choices": [], "usage": _chat_usage(reply.usage)})
    yield b"data: [DONE]\n\n"


# --- OpenAI responses


def _responses_usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.input_total,
        "input_tokens_details": {"cached_tokens": usage.input_cache_read, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output_total,
        "output_tokens_details": {"reasoning_tokens": usage.output_reasoning},
        "total_tokens": usage.input_total + usage.output_total,
    }


def _responses_items(reply: Reply) -> list[Json]:
    items: list[Json] = []
    if reply.usage.output_reasoning:
        items.append({"type": "reasoning", "id": f"rs_{reply.response_id}", "summary": []})
    if not reply.tools:
        content = [{"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}]
        message_id = f"msg_{reply.response_id}"
        items.append(
            {"type": "message", "id": message_id, "role": "assistant", "status": "completed", "content": content}
        )
    items.extend(
        {
            "type": "function_call",
            "id": f"fc_{reply.response_id}_{index}",
            "call_id": f"call_{reply.response_id}_{index}",
            "name": tool.name,
            "arguments": json.dumps(tool.arguments),
            "status": "completed",
        }
        for index, tool in enumerate(reply.tools)
    )
    return items


def _responses_object(reply: Reply, status: str) -> Json:
    done = status != "in_progress"
    return {
        "id": reply.response_id,
        "object": "response",
        "created_at": reply.created_s,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": None,
        "metadata": {},
        "model": reply.model,
        "output": _responses_items(reply) if done else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "service_tier": "default",
        "usage": _responses_usage(reply.usage) if done else None,
    }


def responses_body(reply: Reply) -> Json:
    """Return a response object."""
    return _responses_object(reply, reply.finish("completed", "completed", "incomplete"))


def _responses_events(reply: Reply) -> Iterator[Json]:
    started = _responses_object(reply, "in_progress")
    yield {"type": "response.created", "response": started}
    yield {"type": "response.in_progress", "response": started}
    for index, item in enumerate(_responses_items(reply)):
        yield {"type": "response.output_item.added", "output_index": index, "item": {**item, "content": []}}
        if item["type"] == "message":
            place = {"item_id": item["id"], "output_index": index, "content_index": 0, "logprobs": []}
            part = {"type": "output_text", "text": "", "annotations": []}
            yield {"type": "response.content_part.added", **place, "part": part}
            for word in reply.words:
                yield {"type": "response.output_text.delta", **place, "delta": word}
            yield {"type": "response.output_text.done", **place, "text": reply.text}
            yield {"type": "response.content_part.done", **place, "part": item["content"][0]}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    last = responses_body(reply)
    yield {"type": f"response.{last['status']}", "response": last}


def responses_stream(reply: Reply) -> Iterator[bytes]:
    """Return a response as events; only the last one has usage."""
    for number, event in enumerate(_responses_events(reply)):
        yield server_sent({**event, "sequence_number": number}, event["type"])


# --- OpenAI embeddings


def embeddings_body(reply: Reply) -> Json:
    """Return one fixed vector per input."""
    vector = [0.25, 0.5, 0.75]
    embedding = base64.b64encode(struct.pack("<3f", *vector)).decode() if reply.as_base64 else vector
    rows = [{"object": "embedding", "index": index, "embedding": embedding} for index in range(reply.inputs)]
    tokens = reply.usage.input_total
    return {
        "object": "list",
        "data": rows,
        "model": reply.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
