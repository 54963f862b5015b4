"""What a provider's response says about its bill: usage, ids, finish reason, tier. Pure; reads objects and mappings.

Every count is made *inclusive* as the GenAI convention wants it: input holds cache reads and writes, output holds
reasoning. What the response does not say stays None.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from tokenpnl import semconv


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read from one response; token counts, None where the response is silent."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_5m: int | None = None
    cache_write_30m: int | None = None
    cache_write_1h: int | None = None
    cache_write_12h: int | None = None
    reasoning: int | None = None
    input_audio: int | None = None
    input_image: int | None = None
    input_video: int | None = None
    output_audio: int | None = None
    output_image: int | None = None
    cache_read_audio: int | None = None
    response_id: str | None = None
    response_model: str | None = None
    service_tier: str | None = None
    region: str | None = None
    finish_reasons: tuple[str, ...] | None = None

    def over(self, earlier: "Reading") -> "Reading":
        """Return this reading with its gaps filled from an earlier one (a stream's chunks, newest first)."""
        gaps = {f.name: getattr(earlier, f.name) for f in fields(self) if getattr(self, f.name) is None}
        return replace(self, **gaps)

    @property
    def attributes(self) -> dict[str, int | str | list[str]]:
        """The span attributes that say this, newest GenAI names first, ours only where no convention exists."""
        found = {name: getattr(self, field) for field, name in _ATTRIBUTES.items()}
        told = {name: value for name, value in found.items() if value is not None}
        if self.finish_reasons:
            told[semconv.FINISH_REASONS] = list(self.finish_reasons)
        return told


_ATTRIBUTES = {
    "input_tokens": semconv.INPUT_TOKENS,
    "output_tokens": semconv.OUTPUT_TOKENS,
    "cache_read": semconv.CACHE_READ_TOKENS,
    "cache_write": semconv.CACHE_WRITE_TOKENS,
    "cache_write_5m": semconv.CACHE_WRITE_5M_TOKENS,
    "cache_write_30m": semconv.CACHE_WRITE_30M_TOKENS,
    "cache_write_1h": semconv.CACHE_WRITE_1H_TOKENS,
    "cache_write_12h": semconv.CACHE_WRITE_12H_TOKENS,
    "reasoning": semconv.REASONING_TOKENS,
    "input_audio": semconv.AUDIO_INPUT_TOKENS,
    "input_image": semconv.IMAGE_INPUT_TOKENS,
    "input_video": semconv.VIDEO_INPUT_TOKENS,
    "output_audio": semconv.AUDIO_OUTPUT_TOKENS,
    "output_image": semconv.IMAGE_OUTPUT_TOKENS,
    "cache_read_audio": semconv.AUDIO_CACHE_READ_TOKENS,
    "response_id": semconv.RESPONSE_ID,
    "response_model": semconv.RESPONSE_MODEL,
    "service_tier": semconv.SERVICE_TIER,
    "region": semconv.REGION,
}


def part(source: object, *names: str) -> Any:
    """Return the first member of that name that is there and not None, of a mapping or an object; else None."""
    if source is None:
        return None
    # Most responses are plain dictionaries; asking the abstract class costs more than the look-up.
    keyed = type(source) is dict or isinstance(source, Mapping)
    for name in names:
        value = source.get(name) if keyed else getattr(source, name, None)  # type: ignore[attr-defined]
        if value is not None:
            return value
    return None


def _count(source: object, *names: str) -> int | None:
    value = part(source, *names)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _word(source: object, *names: str) -> str | None:
    value = part(source, *names)
    # Google's enums carry the wire word in `value`.
    value = getattr(value, "value", value)
    return value if isinstance(value, str) else None


def _items(source: object, *names: str) -> list[Any]:
    value = part(source, *names)
    return list(value) if isinstance(value, (list, tuple)) else []


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _words(values: Iterable[str | None]) -> tuple[str, ...] | None:
    return tuple(value for value in values if value) or None


def openai_usage(usage: object) -> Reading:
    """Read the usage of OpenAI chat, Responses, embeddings and everything that imitates them."""
    inputs = part(usage, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    outputs = part(usage, "completion_tokens_details", "output_tokens_details", "output_token_details")
    lifetimes = part(inputs, "cache_write_tokens_details")
    return Reading(
        input_tokens=_count(usage, "prompt_tokens", "input_tokens"),
        output_tokens=_count(usage, "completion_tokens", "output_tokens"),
        cache_read=_count(inputs, "cached_tokens"),
        cache_write=_count(inputs, "cache_write_tokens"),
        cache_write_30m=_count(lifetimes, "ttl_30m_tokens"),
        cache_write_12h=_count(lifetimes, "ttl_12h_tokens"),
        reasoning=_count(outputs, "reasoning_tokens"),
        input_audio=_count(inputs, "audio_tokens"),
        input_image=_count(inputs, "image_tokens"),
        output_audio=_count(outputs, "audio_tokens"),
        output_image=_count(outputs, "image_tokens"),
    )


def anthropic_usage(usage: object) -> Reading:
    """Read Anthropic's usage, whose input leaves out what was read from or written to the cache."""
    read = _count(usage, "cache_read_input_tokens")
    write = _count(usage, "cache_creation_input_tokens")
    lifetimes = part(usage, "cache_creation")
    short, long = (_count(lifetimes, f"ephemeral_{span}_input_tokens") for span in ("5m", "1h"))
    if write is None:
        write = _sum(short, long)
    uncached = _count(usage, "input_tokens")
    return Reading(
        input_tokens=None if uncached is None else _sum(uncached, read, write),
        output_tokens=_count(usage, "output_tokens"),
        cache_read=read,
        cache_write=write,
        cache_write_5m=short,
        cache_write_1h=long,
        reasoning=_count(part(usage, "output_tokens_details"), "thinking_tokens", "reasoning_tokens"),
        # Fast mode is billed as a tier of its own, whatever the queue's tier says.
        service_tier="fast" if _word(usage, "speed") == "fast" else _word(usage, "service_tier"),
        region=_word(usage, "inference_geo"),
    )


def _modality(details: list[Any], modality: str) -> int | None:
    return _sum(
        *(
            _count(entry, "token_count", "tokenCount")
            for entry in details
            if (_word(entry, "modality") or "").upper() == modality
        )
    )


def gemini_usage(usage: object) -> Reading:
    """Read Gemini's usage: candidates leave out thoughts, the prompt leaves out what tools put in."""
    prompt = _items(usage, "prompt_tokens_details", "promptTokensDetails")
    prompt += _items(usage, "tool_use_prompt_tokens_details", "toolUsePromptTokensDetails")
    answer = _items(usage, "candidates_tokens_details", "candidatesTokensDetails")
    cached = _items(usage, "cache_tokens_details", "cacheTokensDetails")
    thoughts = _count(usage, "thoughts_token_count", "thoughtsTokenCount")
    return Reading(
        input_tokens=_sum(
            _count(usage, "prompt_token_count", "promptTokenCount"),
            _count(usage, "tool_use_prompt_token_count", "toolUsePromptTokenCount"),
        ),
        output_tokens=_sum(_count(usage, "candidates_token_count", "candidatesTokenCount"), thoughts),
        cache_read=_count(usage, "cached_content_token_count", "cachedContentTokenCount"),
        reasoning=thoughts,
        input_audio=_modality(prompt, "AUDIO"),
        input_image=_modality(prompt, "IMAGE"),
        input_video=_modality(prompt, "VIDEO"),
        output_audio=_modality(answer, "AUDIO"),
        output_image=_modality(answer, "IMAGE"),
        cache_read_audio=_modality(cached, "AUDIO"),
    )


def bedrock_usage(usage: object) -> Reading:
    """Read Bedrock Converse usage, whose input leaves out the cache as Anthropic's does."""
    read = _count(usage, "cacheReadInputTokens")
    write = _count(usage, "cacheWriteInputTokens")
    details = _items(usage, "cacheDetails")
    by_lifetime = {
        ttl: _sum(*(_count(entry, "inputTokens") for entry in details if _word(entry, "ttl") == ttl))
        for ttl in ("5m", "1h")
    }
    uncached = _count(usage, "inputTokens")
    return Reading(
        input_tokens=None if uncached is None else _sum(uncached, read, write),
        output_tokens=_count(usage, "outputTokens"),
        cache_read=read,
        cache_write=write,
        cache_write_5m=by_lifetime["5m"],
        cache_write_1h=by_lifetime["1h"],
    )


def _openai_response(response: object) -> Reading:
    """Read a chat completion, one chunk of its stream, an embedding, or a Responses object."""
    status = _word(response, "status")
    reasons = [_word(choice, "finish_reason") for choice in _items(response, "choices")]
    if not reasons and status:
        incomplete = _word(part(response, "incomplete_details"), "reason")
        reasons = [{"completed": "stop", "failed": "error", "max_output_tokens": "length"}.get(incomplete or status)]
    return replace(
        openai_usage(part(response, "usage")),
        response_id=_word(response, "id"),
        response_model=_word(response, "model"),
        service_tier=_word(response, "service_tier"),
        finish_reasons=_words(reasons),
    )


def _anthropic_response(response: object) -> Reading:
    return replace(
        anthropic_usage(part(response, "usage")),
        response_id=_word(response, "id"),
        response_model=_word(response, "model"),
        finish_reasons=_words([_word(response, "stop_reason")]),
    )


def _gemini_response(response: object) -> Reading:
    return replace(
        gemini_usage(part(response, "usage_metadata", "usageMetadata")),
        response_id=_word(response, "response_id", "responseId"),
        response_model=_word(response, "model_version", "modelVersion"),
        finish_reasons=_words(
            _word(choice, "finish_reason", "finishReason") for choice in _items(response, "candidates")
        ),
    )


def _bedrock_response(response: object) -> Reading:
    return replace(
        bedrock_usage(part(response, "usage")),
        response_id=_word(part(response, "ResponseMetadata"), "RequestId"),
        service_tier=_word(part(response, "serviceTier"), "type"),
        finish_reasons=_words([_word(response, "stopReason")]),
    )


def read_response(response: object, provider: str | None = None) -> Reading:
    """Return what a whole response of OpenAI, Anthropic, Gemini or Bedrock Converse says.

    The shape decides; the provider only where two shapes are alike. A response of unknown shape gives an empty reading.

    Args:
        response: the client's object, or its JSON as a mapping.
        provider: as given to `llm_call`.
    """
    if part(response, "usage_metadata", "usageMetadata", "candidates") is not None:
        return _gemini_response(response)
    usage = part(response, "usage")
    if part(response, "stopReason") is not None or part(usage, "inputTokens", "outputTokens") is not None:
        return _bedrock_response(response)
    anthropic_like = part(usage, "cache_creation_input_tokens", "cache_read_input_tokens") is not None
    if _word(response, "type") == "message" or anthropic_like:
        return _anthropic_response(response)
    if provider == "anthropic" and part(usage, "prompt_tokens", "total_tokens") is None:
        return _anthropic_response(response)
    return _openai_response(response)
