"""One answer and what it costs in tokens, before it is put into the words of an API.

One `Usage` (disjoint, what is billed) is rendered in the words of the API: OpenAI and Gemini count cached tokens inside
the input, Anthropic and Bedrock beside it; Gemini counts thoughts beside the output, the others inside.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class Api(StrEnum):
    """The APIs that the double speaks."""

    OPENAI_CHAT = "openai.chat"
    OPENAI_RESPONSES = "openai.responses"
    OPENAI_EMBEDDINGS = "openai.embeddings"
    ANTHROPIC = "anthropic.messages"
    GEMINI = "gemini"
    BEDROCK = "bedrock.converse"


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens that the provider bills, in disjoint kinds."""

    input_uncached: int = 0
    input_cache_read: int = 0
    input_cache_write_5m: int = 0
    input_cache_write_30m: int = 0
    input_cache_write_1h: int = 0
    output_text: int = 0
    output_reasoning: int = 0

    @property
    def cache_write(self) -> int:
        """Tokens written to the prompt cache, whatever their lifetime."""
        return self.input_cache_write_5m + self.input_cache_write_30m + self.input_cache_write_1h

    @property
    def input_total(self) -> int:
        """All input tokens."""
        return self.input_uncached + self.input_cache_read + self.cache_write

    @property
    def output_total(self) -> int:
        """All output tokens."""
        return self.output_text + self.output_reasoning

    @property
    def kinds(self) -> dict[str, int]:
        """The kinds that occurred, by the name of the kind."""
        return {kind: tokens for kind, tokens in asdict(self).items() if tokens}


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model asks the program to run."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One successful answer, before it is put into the words of an API."""

    response_id: str
    model: str
    text: str
    tools: tuple[ToolCall, ...]
    cut_off: bool
    usage: Usage
    created_s: int
    include_usage: bool
    inputs: int = 1
    as_base64: bool = False

    @property
    def words(self) -> list[str]:
        """The text in the pieces that a stream sends."""
        return [f"{word} " for word in self.text.split(" ")]

    def finish(self, stop: str, tools: str, length: str) -> str:
        """Return the API's own word for why the answer ended."""
        if self.cut_off:
            return length
        return tools if self.tools else stop


def server_sent(data: Json, event: str | None = None) -> bytes:
    """Return one server-sent event."""
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()
