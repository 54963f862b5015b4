"""What a provider itself answered, where an emitter keeps the raw answer: its usage, made inclusive, and its id.

Emitters drop what they do not know; the raw usage object still holds it. Every provider's shape is told by its own
key names, whichever emitter carries it.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from tokenpnl_ingest.dialects import convert, server_tools

_MAX_DEPTH = 10
_MAX_LITERAL_CHARS = 20_000
_USAGE_KEYS = ("usage", "usage_metadata", "usageMetadata", "token_usage", "usage_details", "usage_info")


@dataclass(slots=True)
class Answer:
    """A provider's answer: `usage` maps columns to inclusive counts; what is billed by the piece stands in it too."""

    usage: dict[str, int] = field(default_factory=dict)
    response_id: str | None = None
    service_tier: str | None = None
    finish_reason: str | None = None


def parsed(value: Any) -> Any:
    """Return the structure in a text of JSON or of a Python literal; None when it is neither."""
    if not isinstance(value, str):
        return value
    if value[:1] not in ("{", "["):
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        pass
    if len(value) > _MAX_LITERAL_CHARS:
        return None
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def answer_in(value: Any) -> Answer | None:
    """Return the one answer that a payload holds, None when there is none or there are several."""
    answers = [_answer(holder) for holder in _holders(parsed(value), 0)]
    answers = [answer for answer in answers if answer.usage]
    if not answers:
        return None
    richest = max(answers, key=lambda answer: len(answer.usage))
    same = all(answer.usage.get("input_tokens") == richest.usage.get("input_tokens") for answer in answers)
    if not same:
        return None
    richest.response_id = next((answer.response_id for answer in answers if answer.response_id), None)
    return richest


def _holders(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    """Yield the objects that hold a usage object, outermost first."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, dict):
        if any(isinstance(value.get(key), dict) for key in _USAGE_KEYS) or "billed_units" in _inner(value, "meta"):
            yield value
        for item in value.values():
            if isinstance(item, dict | list):
                yield from _holders(item, depth + 1)
    elif isinstance(value, list):
        for item in value[:64]:
            yield from _holders(item, depth + 1)


def _answer(holder: dict[str, Any]) -> Answer:
    usage: dict[str, int] = {}
    for key in _USAGE_KEYS:
        if isinstance(holder.get(key), dict):
            for column, count in usage_of(holder[key]).items():
                usage.setdefault(column, count)
    # A reranker tells no more than its search units.
    usage |= {column: n for column, n in server_tools.told(_inner(holder, "meta")).items() if column not in usage}
    if usage:
        usage = server_tools.pages(holder, server_tools.listed(holder) | usage)
    named = holder.get("id") or holder.get("responseId")
    tier = holder.get("service_tier") or _inner(holder, "usage").get("service_tier")
    return Answer(
        usage=usage,
        # LangChain numbers its own runs in the same place.
        response_id=named if isinstance(named, str) and not named.startswith(("lc_run", "run-", "run_")) else None,
        service_tier=tier if isinstance(tier, str) else None,
        finish_reason=convert.text(holder.get("stop_reason")),
    )


def usage_of(said: dict[str, Any]) -> dict[str, int]:
    """Return a provider's usage object as inclusive counts by column; unknown counts are absent."""
    if "promptTokenCount" in said or "prompt_token_count" in said:
        counts = _gemini(said)
    elif "inputTokens" in said or "cacheWriteInputTokens" in said:
        counts = _bedrock(said)
    elif "prompt_tokens" in said or "completion_tokens" in said:
        counts = _openai(said, "prompt", "completion")
    elif "input_token_details" in said or "output_token_details" in said:
        counts = _langchain(said)
    elif "cache_creation_input_tokens" in said or "cache_read_input_tokens" in said:
        counts = _anthropic(said)
    else:
        counts = _openai(said, "input", "output")
    known = {column: count for column, count in counts.items() if count is not None}
    return known | server_tools.told(said)


def _anthropic(said: dict[str, Any]) -> dict[str, int | None]:
    by_lifetime = _inner(said, "cache_creation")
    read, written = _count(said, "cache_read_input_tokens"), _count(said, "cache_creation_input_tokens")
    return {
        "input_tokens": _sum(_count(said, "input_tokens"), read, written),
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "cache_write_5m_tokens": _count(by_lifetime, "ephemeral_5m_input_tokens"),
        "cache_write_1h_tokens": _count(by_lifetime, "ephemeral_1h_input_tokens"),
        "output_tokens": _count(said, "output_tokens"),
        "reasoning_tokens": _count(_inner(said, "output_tokens_details"), "reasoning_tokens", "thinking_tokens"),
    }


def _openai(said: dict[str, Any], into: str, out: str) -> dict[str, int | None]:
    inside = _inner(said, f"{into}_tokens_details")
    outside = _inner(said, f"{out}_tokens_details")
    lifetimes = _inner(inside, "cache_write_tokens_details") or _inner(said, "cache_write_tokens_details")
    # LiteLLM carries Anthropic's split below OpenAI's names.
    anthropic = _inner(inside, "cache_creation_token_details")
    return {
        "input_tokens": _count(said, f"{into}_tokens"),
        "cache_read_tokens": _count(inside, "cached_tokens", or_in=(said, "cache_read_input_tokens")),
        "cache_write_tokens": _count(
            inside, "cache_write_tokens", "cache_creation_tokens", or_in=(said, "cache_creation_input_tokens")
        ),
        "cache_write_5m_tokens": _count(anthropic, "ephemeral_5m_input_tokens"),
        "cache_write_1h_tokens": _count(anthropic, "ephemeral_1h_input_tokens"),
        "cache_write_30m_tokens": _count(lifetimes, "ttl_30m_tokens"),
        "cache_write_12h_tokens": _count(lifetimes, "ttl_12h_tokens"),
        "input_audio_tokens": _count(inside, "audio_tokens"),
        "input_image_tokens": _count(inside, "image_tokens"),
        "output_tokens": _count(said, f"{out}_tokens"),
        "reasoning_tokens": _count(outside, "reasoning_tokens"),
        "output_audio_tokens": _count(outside, "audio_tokens"),
        "output_image_tokens": _count(outside, "image_tokens"),
    }


def _langchain(said: dict[str, Any]) -> dict[str, int | None]:
    inside, outside = _inner(said, "input_token_details"), _inner(said, "output_token_details")
    short, long = _count(inside, "ephemeral_5m_input_tokens"), _count(inside, "ephemeral_1h_input_tokens")
    # With a split, LangChain leaves `cache_creation` at 0 and tells the lifetimes only.
    written = _sum(short, long) if short or long else _count(inside, "cache_creation")
    return {
        "input_tokens": _count(said, "input_tokens"),
        "cache_read_tokens": _count(inside, "cache_read"),
        "cache_write_tokens": written,
        "cache_write_5m_tokens": short,
        "cache_write_1h_tokens": long,
        "input_audio_tokens": _count(inside, "audio"),
        "output_tokens": _count(said, "output_tokens"),
        "reasoning_tokens": _count(outside, "reasoning"),
        "output_audio_tokens": _count(outside, "audio"),
    }


def _gemini(said: dict[str, Any]) -> dict[str, int | None]:
    thoughts = _count(said, "thoughtsTokenCount", "thoughts_token_count")
    tool_prompt = _count(said, "toolUsePromptTokenCount", "tool_use_prompt_token_count")
    return {
        "input_tokens": _sum(_count(said, "promptTokenCount", "prompt_token_count"), tool_prompt),
        "cache_read_tokens": _count(said, "cachedContentTokenCount", "cached_content_token_count"),
        "output_tokens": _sum(_count(said, "candidatesTokenCount", "candidates_token_count"), thoughts),
        "reasoning_tokens": thoughts,
    }


def _bedrock(said: dict[str, Any]) -> dict[str, int | None]:
    read, written = _count(said, "cacheReadInputTokens"), _count(said, "cacheWriteInputTokens")
    return {
        "input_tokens": _sum(_count(said, "inputTokens"), read, written),
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "output_tokens": _count(said, "outputTokens"),
    }


def _inner(holder: dict[str, Any], key: str) -> dict[str, Any]:
    value = holder.get(key)
    return value if isinstance(value, dict) else {}


def _count(holder: dict[str, Any], *keys: str, or_in: tuple[dict[str, Any], str] | None = None) -> int | None:
    for place, key in [*((holder, key) for key in keys), *([or_in] if or_in else [])]:
        value = place.get(key)
        if value is not None:
            try:
                return convert.tokens(value)
            except ValueError:
                continue
    return None


def _sum(total: int | None, *parts: int | None) -> int | None:
    return None if total is None else total + sum(part or 0 for part in parts)
