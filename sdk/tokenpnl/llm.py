"""`llm_call`: the model span of a client that no instrumentation covers, read from its own responses."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar, cast

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

from tokenpnl import semconv
from tokenpnl.blocks import Block, Handle, start_span
from tokenpnl.context import attempt_of
from tokenpnl.fingerprint import BLOCK_TOKENS, canonical, chained_blocks, fingerprint, message_fingerprints
from tokenpnl.guard import Shield
from tokenpnl.state import state
from tokenpnl.streams import StreamReader, StreamTap
from tokenpnl.usage import Reading, part, read_response

_S = TypeVar("_S")


def http_status(error: BaseException) -> int | None:
    """Return the HTTP status that a client's error carries, or None."""
    answer = part(error, "response")
    for found in (
        part(error, "status_code"),
        part(error, "code"),
        part(answer, "status_code"),
        part(part(answer, "ResponseMetadata"), "HTTPStatusCode"),
    ):
        if isinstance(found, int) and 100 <= found <= 599:
            return found
    return None


def _share(value: float | None) -> float | None:
    """Return a share as it is.

    Raises:
        ValueError: when it is not within 0 and 1, as no probability is.
    """
    if value is not None and not 0 <= value <= 1:
        msg = f"expected a share from 0 to 1, got {value!r}"
        raise ValueError(msg)
    return value


class Call(Handle):
    """One open model call: hand it the response (`record`) or the stream (`stream`); content is never kept."""

    def __init__(self, span: trace.Span, ctx: Context, provider: str | None = None) -> None:
        super().__init__(span, ctx)
        self._provider = provider
        self._started_ns = state.clock()
        self._reader: StreamReader | None = None
        self._chunks = 0
        self._handed_out = False

    def prompt(self, prompt: object) -> Self:
        """Fingerprint the request: as a whole, by message, and by chained blocks, so that common prefixes show.

        Args:
            prompt: text, a list of messages, or a mapping with `tools`, `system`, `messages`.
        """
        with Shield("fingerprint a prompt"):
            self.set(semconv.PROMPT_HASH, fingerprint(prompt))
            self.set(semconv.PROMPT_MESSAGES, message_fingerprints(prompt) or None)
            blocks = chained_blocks(prompt)
            if blocks:
                self.set(semconv.PROMPT_BLOCKS, blocks).set(semconv.PROMPT_BLOCK_TOKENS, BLOCK_TOKENS)
        return self

    def record(self, response: object) -> Self:
        """Read usage, ids, finish reason and tier from a whole response.

        Args:
            response: the object or the JSON of OpenAI (chat, Responses, embeddings), Anthropic messages, Gemini or
                Bedrock Converse.
        """
        with Shield("read a response"):
            self._tell(read_response(response, self._provider))
        return self

    def usage(self, input_tokens: int | None = None, output_tokens: int | None = None, **more: int | None) -> Self:
        """State usage yourself, for a response of no known shape; counts are inclusive, None is unknown.

        Args:
            input_tokens: all input, cache reads and writes included.
            output_tokens: all output, reasoning included.
            more: `cache_read`, `cache_write`, `cache_write_5m`, `reasoning` and the other counts of `usage.Reading`.
        """
        with Shield("record usage"):
            self._tell(Reading(input_tokens=input_tokens, output_tokens=output_tokens, **cast("Any", more)))
        return self

    def _tell(self, reading: Reading) -> None:
        self.span.set_attributes(reading.attributes)

    def stream(self, source: _S) -> _S:
        """Return the stream, listened to: chunks pass through unchanged, usage and the first chunk's time are read.

        The span stays open past its block when the stream is handed out of it unread; it ends when the stream does.
        A stream that is closed or dropped before its end counts as cancelled. Where a helper of the client reads the
        stream itself (Anthropic's `text_stream`), `record` its final message beside.

        Args:
            source: the client's iterable or asynchronous iterable, also a context manager.
        """
        with Shield("listen to a stream"):
            reader = self._reader = StreamReader(self._provider)
            self.set(semconv.REQUEST_STREAM, True)  # noqa: FBT003 -- the attribute is a boolean

            def chunk_came(chunk: object) -> None:
                with Shield("read a chunk"):
                    self._first_chunk()
                    reader.add(chunk)

            def ended(error: BaseException | None, complete: bool) -> None:  # noqa: FBT001 -- told by the tap
                with Shield("end a stream"):
                    self._stream_ended(error if error or complete else asyncio.CancelledError())

            return cast("_S", StreamTap(source, chunk_came, ended))
        return source

    def _first_chunk(self) -> None:
        self._chunks += 1
        if self._chunks == 1:
            waited_ns = state.clock() - self._started_ns
            self.set(semconv.TIME_TO_FIRST_CHUNK, waited_ns / 1e9)

    def _stream_ended(self, error: BaseException | None) -> None:
        reader, self._reader = self._reader, None
        if reader is None or self._closed:
            return
        self._tell(reader.reading)
        if error is not None:
            self.fail(error)
        if self._handed_out:
            super().close()

    def cached(
        self,
        kind: str = "response",
        *,
        avoided_input_tokens: int | None = None,
        avoided_output_tokens: int | None = None,
    ) -> Self:
        """Say that the application's own cache answered: nothing was billed.

        Args:
            kind: `response` (exact) or `semantic`.
            avoided_input_tokens: what the call would have read.
            avoided_output_tokens: what it would have written.
        """
        self.set(semconv.CACHE_KIND, kind).set(semconv.CACHE_HIT, True)  # noqa: FBT003 -- the attribute is a boolean
        self.set(semconv.CACHE_AVOIDED_INPUT_TOKENS, avoided_input_tokens)
        return self.set(semconv.CACHE_AVOIDED_OUTPUT_TOKENS, avoided_output_tokens)

    def output(
        self,
        *,
        schema: str | None = None,
        valid: bool | None = None,
        parse_error: str | None = None,
        content: object = None,
    ) -> Self:
        """Say what became of the answer.

        Args:
            schema: the schema it was meant to follow.
            valid: whether it validated.
            parse_error: what failed downstream, as a short code without content.
            content: the answer; only its fingerprint is kept.
        """
        with Shield("record an output"):
            if content is not None:
                self.set(semconv.OUTPUT_HASH, fingerprint(content))
            self.set(semconv.OUTPUT_SCHEMA, schema).set(semconv.OUTPUT_VALID, valid)
            self.set(semconv.OUTPUT_PARSE_ERROR, parse_error)
        return self

    def route(
        self,
        policy: str,
        *,
        arm: str | None = None,
        propensity: float | None = None,
        candidates: Sequence[str] | None = None,
        inputs: Mapping[str, Any] | None = None,
    ) -> Self:
        """Say which router chose the model, so that another policy can be valued on these calls later.

        Args:
            policy: the router and its version.
            arm: what it chose.
            propensity: with which probability, above 0, at most 1; any other number is logged as a fault, not recorded.
            candidates: among what; `arm` belongs to them.
            inputs: from which features; no content.
        """
        with Shield("record a route"):
            self.set(semconv.ROUTE_POLICY, policy).set(semconv.ROUTE_ARM, arm)
            self.set(semconv.ROUTE_CANDIDATES, list(candidates) if candidates is not None else None)
            self.set(semconv.ROUTE_INPUTS, canonical(dict(inputs)) if inputs is not None else None)
        with Shield("record a propensity"):
            # What was drawn had a chance; 0 would weigh it without end.
            if propensity == 0:
                raise ValueError("expected the probability of what was chosen, above 0, got 0")
            self.set(semconv.ROUTE_PROPENSITY, _share(propensity))
        return self

    def confidence(self, score: float) -> Self:
        """Say the score, 0 to 1, that a cascade looks at; any other number is logged as a fault, not recorded."""
        with Shield("record a confidence"):
            self.set(semconv.CONFIDENCE, _share(score))
        return self

    def returned(self, value: object) -> None:
        """Read the response that the decorated function returned."""
        self.record(value)

    def fail(self, error: BaseException) -> None:
        """Mark the call as failed, with the HTTP status that the client's error carries."""
        super().fail(error)
        with Shield("read the status of an error"):
            self.set(semconv.HTTP_STATUS, http_status(error))

    def close(self, error: BaseException | None = None) -> None:
        """End the span; a stream that nobody has begun to read keeps it open until the stream ends."""
        if self._reader is not None and error is None and not self._chunks:
            self._handed_out = True
            return
        with Shield("end a stream"):
            self._stream_ended(error or asyncio.CancelledError())
        super().close(error)


def llm_call(  # noqa: PLR0913 -- keyword-only options of a public verb
    provider: str,
    model: str,
    *,
    operation: str = "chat",
    prompt: object = None,
    prompt_name: str | None = None,
    prompt_version: str | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> Block[Call]:
    """Return a block that is one model call; as a decorator it reads the response that the function returns.

    Args:
        provider: as the GenAI convention spells it: `openai`, `anthropic`, `gcp.gemini`, `aws.bedrock`, ...
        model: the model that is asked for.
        operation: `chat`, `text_completion`, `generate_content`, `embeddings`.
        prompt: the request's content, for its fingerprint.
        prompt_name: the prompt template.
        prompt_version: its version.
        attributes: further attributes of the call's span, such as `semconv.DEPLOYMENT`.
    """
    told = {
        semconv.OPERATION_NAME: operation,
        semconv.PROVIDER_NAME: provider,
        semconv.REQUEST_MODEL: model,
        semconv.PROMPT_NAME: prompt_name,
        semconv.PROMPT_VERSION: prompt_version,
    }

    def start() -> Call:
        here = context.get_current()
        attempt = attempt_of(here)
        stamps = attempt.stamps if attempt else {}
        span = start_span(f"{operation} {model}", {**stamps, **told, **(attributes or {})}, kind=SpanKind.CLIENT)
        if attempt is not None:
            attempt.made(span)
        call = Call(span, trace.set_span_in_context(span, here), provider)
        return call if prompt is None else call.prompt(prompt)

    return Block(Call, start)
