"""What a stream says about its bill, chunk by chunk, and a wrapper that listens while the host reads.

Usage in every provider's stream is cumulative: the newest count replaces the older one, nothing is ever added up.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any, Final, Self, cast

from tokenpnl.guard import Shield
from tokenpnl.usage import Reading, anthropic_usage, bedrock_usage, part, read_response

_ANTHROPIC_USAGE: Final = (
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
    "output_tokens_details",
    "service_tier",
    "inference_geo",
    "speed",
)


class StreamReader:
    """Collects what the chunks of one stream say.

    `reading` is what is known so far. Knows the streams of OpenAI chat (usage comes last, with
    ``stream_options.include_usage``), OpenAI Responses, Anthropic messages, Gemini and Bedrock Converse.
    """

    def __init__(self, provider: str | None = None) -> None:
        self.reading = Reading()
        self._provider = provider
        self._anthropic_usage: dict[str, Any] = {}

    def add(self, chunk: object) -> None:
        """Take the next chunk or event."""
        self.reading = self._read(chunk).over(self.reading)

    def _read(self, chunk: object) -> Reading:
        kind = part(chunk, "type")
        if kind == "message_start":
            message = part(chunk, "message")
            usage = self._anthropic(part(message, "usage"))
            return usage.over(read_response(message, "anthropic"))
        if kind == "message_delta":
            reason = part(part(chunk, "delta"), "stop_reason")
            usage = self._anthropic(part(chunk, "usage"))
            return replace(usage, finish_reasons=(reason,) if reason else None)
        if isinstance(kind, str):
            # Responses say all in `response`; every other typed event is content, which is never read.
            whole = part(chunk, "response") if kind.startswith("response.") else None
            return Reading() if whole is None else read_response(whole, "openai")
        return self._read_untyped(chunk)

    def _read_untyped(self, chunk: object) -> Reading:
        """Read a chunk of OpenAI chat, Gemini or Bedrock, whose shape is its type."""
        stop, usage = part(chunk, "messageStop"), part(part(chunk, "metadata"), "usage")
        if stop is not None:
            return Reading(finish_reasons=(str(part(stop, "stopReason")),))
        return read_response(chunk, self._provider) if usage is None else bedrock_usage(usage)

    def _anthropic(self, usage: object) -> Reading:
        """Lay the newest counts over the older ones *before* summing: a delta may name only some of them."""
        told = {name: part(usage, name) for name in _ANTHROPIC_USAGE}
        self._anthropic_usage.update({name: value for name, value in told.items() if value is not None})
        return anthropic_usage(self._anthropic_usage)


class StreamTap:
    """The host's own stream, listened to: iterate it with `for` or `async for`, use any of its other members.

    Chunks pass through unchanged and unbuffered. When the stream ends, fails, is closed or is dropped, `on_end` is
    told once: with the error, or with None, and whether the stream was read to its end.
    """

    def __init__(self, source: Any, on_chunk: Callable[[object], None], on_end: Callable[[Any, bool], None]) -> None:
        self._source = source
        self._on_chunk = on_chunk
        self._on_end: Callable[[Any, bool], None] | None = on_end
        self._iterator: Any = None

    def _ended(self, error: BaseException | None, *, complete: bool) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(error, complete)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._iterator is None:
            self._iterator = iter(self._source)
        try:
            chunk = next(self._iterator)
        except StopIteration:
            self._ended(None, complete=True)
            raise
        except BaseException as error:
            self._ended(error, complete=False)
            raise
        self._on_chunk(chunk)
        return chunk

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self._iterator is None:
            self._iterator = aiter(self._source)
        try:
            chunk = await anext(self._iterator)
        except StopAsyncIteration:
            self._ended(None, complete=True)
            raise
        except BaseException as error:
            self._ended(error, complete=False)
            raise
        self._on_chunk(chunk)
        return chunk

    def __enter__(self) -> Self:
        if hasattr(self._source, "__enter__"):
            self._source = self._source.__enter__()
        return self

    def _left(self, error: BaseException | None) -> None:
        """Hear that the stream's block ended; one that was never iterated here was read by a helper of its own."""
        self._ended(error, complete=error is None and self._iterator is None)

    def __exit__(self, *raised: object) -> Any:
        self._left(cast("BaseException | None", raised[1]))
        return self._source.__exit__(*raised) if hasattr(self._source, "__exit__") else None

    async def __aenter__(self) -> Self:
        if hasattr(self._source, "__aenter__"):
            self._source = await self._source.__aenter__()
        return self

    async def __aexit__(self, *raised: object) -> Any:
        self._left(cast("BaseException | None", raised[1]))
        return await self._source.__aexit__(*raised) if hasattr(self._source, "__aexit__") else None

    def close(self) -> Any:
        """Close the host's stream; what was not read counts as cancelled."""
        self._ended(None, complete=False)
        return self._source.close()

    async def aclose(self) -> Any:
        """Close the host's asynchronous stream; what was not read counts as cancelled."""
        self._ended(None, complete=False)
        closing = getattr(self._source, "aclose", None) or self._source.close
        return await closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __del__(self) -> None:
        with Shield("end a dropped stream"):
            self._ended(None, complete=False)
