"""One block of work = one span: as a context manager or as a decorator of any kind of function.

The span lives in the OpenTelemetry context, so that spans of any library inside become its children. A decorated
generator runs in a context of its own: its span is current while the generator runs and nowhere else.
"""

import asyncio
import contextvars
import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Mapping
from decimal import Decimal
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode

from tokenpnl import semconv
from tokenpnl.context import owner_of
from tokenpnl.guard import Shield, report
from tokenpnl.state import state

_P = ParamSpec("_P")
_R = TypeVar("_R")
H = TypeVar("H", bound="Handle")


def usd(amount: str | Decimal | float) -> str:
    """Return an amount in USD as the decimal text that goes on the wire.

    Raises:
        decimal.InvalidOperation: when the text is no number.
        ValueError: when it is not finite.
    """
    # A float is taken at its shortest text, so that 0.1 means 0.1.
    value = Decimal(str(amount))
    if not value.is_finite():
        msg = f"an amount in USD must be finite, got {amount!r}"
        raise ValueError(msg)
    return format(value, "f")


def error_type(error: BaseException) -> str:
    """Return the low-cardinality name of an error: its class, with the module unless it is a builtin."""
    kind = type(error)
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return "CancelledError"
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


class Handle:
    """One open span and the context that makes it current. Its methods never raise into the host."""

    def __init__(self, span: trace.Span, ctx: Context) -> None:
        self.span = span
        self.context = ctx
        self._closed = False

    def set(self, name: str, value: str | bool | float | list[str] | None) -> Self:  # noqa: FBT001 -- an attribute may be a boolean
        """Set one span attribute; None sets nothing."""
        with Shield("set an attribute"):
            if value is not None:
                self.span.set_attribute(name, value)
        return self

    def cost_usd(self, amount: str | Decimal | float) -> Self:
        """Book a cost that is not priced by tokens: a paid tool, a search, a human review.

        Args:
            amount: USD; text or Decimal keeps every digit.
        """
        with Shield("book a cost"):
            self.set(semconv.COST_USD, usd(amount))
        return self

    def event(self, name: str, attributes: Mapping[str, Any]) -> Self:
        """Add an event at the present time of the SDK's clock."""
        with Shield("add an event"):
            self.span.add_event(name, {k: v for k, v in attributes.items() if v is not None}, timestamp=state.clock())
        return self

    def called(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Hear of the call of a decorated function; kinds that fingerprint arguments override this."""

    def returned(self, value: object) -> None:
        """Hear of the value of a decorated function; kinds that fingerprint results override this."""

    def fail(self, error: BaseException) -> None:
        """Mark the span as failed: the error's class, never its message, which may quote content."""
        with Shield("mark a span as failed"):
            self.set(semconv.ERROR_TYPE, error_type(error))
            self.span.set_status(Status(StatusCode.ERROR))

    def close(self, error: BaseException | None = None) -> None:
        """End the span, once."""
        with Shield("end a span"):
            if self._closed:
                return
            self._closed = True
            if error is not None and not isinstance(error, GeneratorExit):
                self.fail(error)
            self.span.end(end_time=state.clock())


def start_span(
    name: str,
    attributes: Mapping[str, Any],
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Context | None = None,
) -> trace.Span:
    """Start a span of ours at the SDK's clock, stamped with the owner of its context; None values are left out."""
    ctx = context.get_current() if parent is None else parent
    owner = owner_of(ctx)
    told = {**(owner.stamps if owner else {}), **{k: v for k, v in attributes.items() if v is not None}}
    return state.tracer().start_span(
        name,
        context=ctx,
        kind=kind,
        attributes=told,
        start_time=state.clock(),
        record_exception=False,
        set_status_on_exception=False,
    )


class _InContext:
    """A generator of the host whose every step runs in one context of its own."""

    def __init__(self, generator: Generator[Any, Any, Any], ctx: contextvars.Context) -> None:
        self._generator = generator
        self._context = ctx

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return self._context.run(next, self._generator)

    def send(self, value: Any) -> Any:
        return self._context.run(self._generator.send, value)

    def throw(self, error: BaseException) -> Any:
        return self._context.run(self._generator.throw, error)

    def close(self) -> None:
        self._context.run(self._generator.close)


class _AwaitInContext:
    """An awaitable of the host whose every step runs in one context of its own."""

    def __init__(self, awaitable: Awaitable[Any], ctx: contextvars.Context) -> None:
        self._awaitable = awaitable
        self._context = ctx

    def __await__(self) -> Generator[Any, Any, Any]:
        steps: Any = self._awaitable.__await__()
        return (yield from _InContext(steps, self._context))


class Block(Generic[H]):
    """Opens a `Handle` for the time of a `with`, an `async with`, or a call of a decorated function.

    As a decorator it opens a new one per call, whatever the function is: plain, `async`, generator, async generator.
    As a context manager one block serves one `with` at a time; make a new one for each.
    """

    def __init__(self, kind: type[H], start: Callable[[], H]) -> None:
        self._kind = kind
        self._start = start
        self._entered: list[tuple[H, object]] = []

    def _open(self) -> H:
        """Return a started handle; a dead one that records nothing where starting failed."""
        try:
            return self._start()
        except Exception as error:
            if state.reraise:
                raise
            report(f"start a {self._kind.__name__.lower()}", error)
            return self._kind(trace.INVALID_SPAN, context.get_current())

    def __enter__(self) -> H:
        handle = self._open()
        self._entered.append((handle, context.attach(handle.context)))
        return handle

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        handle, token = self._entered.pop()
        context.detach(token)  # type: ignore[arg-type]
        handle.close(error)

    async def __aenter__(self) -> H:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Return the function with a block of its own around every call."""
        if inspect.isasyncgenfunction(function):
            wrapped: Any = self._around_async_generator(function)
        elif inspect.isgeneratorfunction(function):
            wrapped = self._around_generator(function)
        elif inspect.iscoroutinefunction(function):
            wrapped = self._around_coroutine(function)
        else:
            wrapped = self._around_function(function)
        return functools.wraps(function)(wrapped)

    def _around_function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with Block(self._kind, self._start) as handle:
                handle.called(function, args, kwargs)
                value = function(*args, **kwargs)
                handle.returned(value)
                return value

        return wrapped

    def _around_coroutine(self, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            with Block(self._kind, self._start) as handle:
                handle.called(function, args, kwargs)
                value = await function(*args, **kwargs)
                handle.returned(value)
                return value

        return wrapped

    def _opened_apart(self) -> tuple[H, contextvars.Context]:
        """Return a started handle and a copy of the present context in which it is current."""
        handle, apart = self._open(), contextvars.copy_context()
        apart.run(context.attach, handle.context)
        return handle, apart

    def _around_generator(self, function: Callable[..., Generator[Any, Any, Any]]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            handle, apart = self._opened_apart()
            handle.called(function, args, kwargs)
            try:
                value = yield from _InContext(function(*args, **kwargs), apart)
            except BaseException as error:
                handle.close(error)
                raise
            handle.close()
            return value

        return wrapped

    def _around_async_generator(self, function: Callable[..., AsyncGenerator[Any, Any]]) -> Callable[..., Any]:
        async def wrapped(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            handle, apart = self._opened_apart()
            handle.called(function, args, kwargs)
            try:
                generator = function(*args, **kwargs)
                step: Awaitable[Any] = generator.asend(None)
                while True:
                    try:
                        item = await _AwaitInContext(step, apart)
                    except StopAsyncIteration:
                        break
                    try:
                        sent = yield item
                    except GeneratorExit:
                        await _AwaitInContext(generator.aclose(), apart)
                        raise
                    except BaseException as error:  # noqa: BLE001 -- thrown into the host's generator, as Python does
                        step = generator.athrow(error)
                    else:
                        step = generator.asend(sent)
            except BaseException as error:
                handle.close(error)
                raise
            handle.close()

        return wrapped
