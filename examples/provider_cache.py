"""What a request costs in tokens: four bytes are a token, a prefix that was sent before comes from the prompt cache.

OpenAI and Gemini cache by themselves, in steps of 128 tokens from 1,024 on. Anthropic and Bedrock cache what stands
before a marker (`cache_control`, `cachePoint`), bill the write, and keep it for the lifetime that the marker names.
Nothing here ever expires, so that a test depends on no clock.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from provider_wire import Api, Json, Usage

MINIMUM_TOKENS: Final = 1024
STEP_TOKENS: Final = 128
BYTES_PER_TOKEN: Final = 4
REASONING_TOKENS: Final = {"minimal": 16, "low": 64, "medium": 256, "high": 1024}

# In the order in which the providers lay out a prompt.
_PROMPT_KEYS: Final = ("tools", "system", "systemInstruction", "instructions", "messages", "contents", "input")
_NO_CONTENT: Final = frozenset({"type", "role", "cache_control", "cachePoint", "id", "index"})


def tokens_in(text: str | bytes) -> int:
    """Return the tokens of a text, rounded up."""
    raw = text.encode() if isinstance(text, str) else text
    return -(-len(raw) // BYTES_PER_TOKEN)


class PromptCache:
    """The prefixes that each model has seen. Not thread-safe: the double asks under its lock."""

    def __init__(self) -> None:
        self._seen: set[tuple[Api, str, bytes]] = set()

    def usage(self, api: Api, model: str, body: Json, answer: str) -> Usage:
        """Return what one request bills, and remember its prefix."""
        blocks = list(_blocks({key: body[key] for key in _PROMPT_KEYS if key in body}))
        prompt = b"".join(text for text, _ in blocks)
        total = max(1, tokens_in(prompt))
        read, written, lifetime = 0, 0, None
        if api in (Api.ANTHROPIC, Api.BEDROCK):
            read, written, lifetime = self._marked(api, model, blocks)
        elif api is not Api.OPENAI_EMBEDDINGS:
            read = self._automatic(api, model, prompt)
        return Usage(
            input_uncached=total - read - written,
            input_cache_read=read,
            input_cache_write_5m=written if lifetime == "5m" else 0,
            input_cache_write_1h=written if lifetime == "1h" else 0,
            output_text=tokens_in(answer),
            output_reasoning=_reasoning_tokens(body),
        )

    def _marked(self, api: Api, model: str, blocks: list[tuple[bytes, str | None]]) -> tuple[int, int, str | None]:
        read, last, lifetime, prefix = 0, 0, None, b""
        for text, marker in blocks:
            prefix += text
            if marker is None or tokens_in(prefix) < MINIMUM_TOKENS:
                continue
            last, lifetime = tokens_in(prefix), marker
            if self._known(api, model, prefix):
                read = last
        return read, last - read, lifetime

    def _automatic(self, api: Api, model: str, prompt: bytes) -> int:
        read = 0
        for tokens in range(MINIMUM_TOKENS, len(prompt) // BYTES_PER_TOKEN + 1, STEP_TOKENS):
            if self._known(api, model, prompt[: tokens * BYTES_PER_TOKEN]):
                read = tokens
        return read

    def _known(self, api: Api, model: str, prefix: bytes) -> bool:
        key = (api, model, hashlib.sha256(prefix).digest())
        known = key in self._seen
        self._seen.add(key)
        return known


def _blocks(value: Any) -> Iterator[tuple[bytes, str | None]]:
    """Yield the prompt's texts in order; a cache marker is an empty text with its lifetime."""
    if isinstance(value, str):
        yield value.encode(), None
    elif isinstance(value, list):
        for item in value:
            yield from _blocks(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _NO_CONTENT:
                yield from _blocks(item)
        if marker := value.get("cache_control") or value.get("cachePoint"):
            yield b"", marker.get("ttl", "5m")


def _reasoning_tokens(body: Json) -> int:
    effort = body.get("reasoning_effort") or (body.get("reasoning") or {}).get("effort")
    if effort is not None:
        return REASONING_TOKENS.get(effort, 0)
    thinking = body.get("thinking") or (body.get("generationConfig") or {}).get("thinkingConfig") or {}
    budget = thinking.get("budget_tokens") or thinking.get("thinkingBudget") or 0
    return int(budget) // 4
