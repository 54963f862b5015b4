import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal

import pytest
from opentelemetry import context, trace
from opentelemetry.trace import StatusCode

import tokenpnl
from tokenpnl.blocks import error_type, usd
from tokenpnl.testing import Recording


def current_name() -> str | None:
    return getattr(trace.get_current_span(), "name", None)


def test_a_decorated_function_runs_inside_its_span(recorded: Recording) -> None:
    @tokenpnl.step("plan")
    def plan(x: int) -> str | None:
        return f"{current_name()} {x}"

    assert plan(3) == "step plan 3"
    assert recorded.span("step plan").attributes == {"tokenpnl.step.name": "plan", "tokenpnl.step.kind": "other"}


def test_a_decorator_keeps_name_and_docstring(recorded: Recording) -> None:
    @tokenpnl.step("plan")
    def plan() -> None:
        """Plan it."""

    assert (plan.__name__, plan.__doc__) == ("plan", "Plan it.")


def test_each_call_of_a_decorated_function_has_a_span_of_its_own(recorded: Recording) -> None:
    @tokenpnl.workflow("count")
    def count(n: int) -> int:
        return n

    assert [count(1), count(2)] == [1, 2]
    assert len({span.attributes["tokenpnl.run.id"] for span in recorded.spans}) == 2


async def test_an_async_function_runs_inside_its_span(recorded: Recording) -> None:
    @tokenpnl.step("plan")
    async def plan() -> str | None:
        await asyncio.sleep(0)
        return current_name()

    assert await plan() == "step plan"
    assert current_name() is None


async def test_concurrent_tasks_do_not_mix_their_runs(recorded: Recording) -> None:
    @tokenpnl.workflow("ask")
    async def ask() -> tuple[str, str]:
        run = tokenpnl.current_run()
        assert run is not None
        await asyncio.sleep(0.001)
        with tokenpnl.step("inner") as inner:
            return run.id, inner.span.attributes["tokenpnl.run.id"]  # type: ignore[attr-defined]

    pairs = await asyncio.gather(*(ask() for _ in range(20)))
    assert all(mine == inner for mine, inner in pairs)
    assert len({mine for mine, _ in pairs}) == 20


async def test_a_block_serves_async_with(recorded: Recording) -> None:
    async with tokenpnl.step("plan"):
        assert current_name() == "step plan"
    assert recorded.span("step plan").end_time is not None


def test_a_generator_has_its_span_while_it_runs_and_its_caller_has_not(recorded: Recording) -> None:
    @tokenpnl.step("stream")
    def stream() -> Iterator[str | None]:
        yield current_name()
        with tokenpnl.step("nested"):
            yield current_name()
            yield current_name()

    seen = [(inside, current_name()) for inside in stream()]
    assert seen == [("step stream", None), ("step nested", None), ("step nested", None)]
    nested, outer = recorded.span("step nested"), recorded.span("step stream")
    assert nested.parent is not None
    assert nested.parent.span_id == outer.context.span_id


def test_a_generator_takes_what_is_sent_and_thrown_and_gives_its_value(recorded: Recording) -> None:
    @tokenpnl.step("echo")
    def echo() -> Iterator[object]:
        got = yield "ready"
        try:
            yield got
        except KeyError:
            yield "caught"
        return "done"

    def outer() -> Iterator[object]:
        value = yield from echo()  # type: ignore[misc]
        yield value

    generator = outer()
    assert next(generator) == "ready"
    assert generator.send(7) == 7  # type: ignore[attr-defined]
    assert generator.throw(KeyError()) == "caught"  # type: ignore[attr-defined]
    assert next(generator) == "done"


def test_a_generator_dropped_early_ends_its_span_without_an_error(recorded: Recording) -> None:
    @tokenpnl.step("stream")
    def stream() -> Iterator[int]:
        yield 1
        yield 2

    generator = stream()
    assert next(generator) == 1
    generator.close()  # type: ignore[attr-defined]
    assert recorded.span("step stream").status.status_code is StatusCode.UNSET


async def test_an_async_generator_has_its_span_while_it_runs_and_its_caller_has_not(recorded: Recording) -> None:
    @tokenpnl.step("stream")
    async def stream() -> AsyncIterator[str | None]:
        await asyncio.sleep(0)
        yield current_name()
        with tokenpnl.step("nested"):
            await asyncio.sleep(0.001)
            yield current_name()

    seen = [(inside, current_name()) async for inside in stream()]
    assert seen == [("step stream", None), ("step nested", None)]


async def test_an_async_generator_takes_what_is_sent_and_thrown(recorded: Recording) -> None:
    @tokenpnl.step("echo")
    async def echo() -> AsyncIterator[object]:
        got = yield "ready"
        try:
            yield got
        except KeyError:
            yield "caught"

    generator = echo()
    assert await anext(generator) == "ready"
    assert await generator.asend(7) == 7  # type: ignore[attr-defined]
    assert await generator.athrow(KeyError()) == "caught"  # type: ignore[attr-defined]
    with pytest.raises(StopAsyncIteration):
        await anext(generator)
    assert recorded.span("step echo").status.status_code is StatusCode.UNSET


async def test_an_async_generator_closed_early_ends_its_span_and_closes_the_inner_one(recorded: Recording) -> None:
    closed = []

    @tokenpnl.step("stream")
    async def stream() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(current_name())

    generator = stream()
    assert await anext(generator) == 1
    await generator.aclose()  # type: ignore[attr-defined]
    assert closed == ["step stream"]
    assert recorded.span("step stream").status.status_code is StatusCode.UNSET


async def test_an_error_in_an_async_generator_passes_through(recorded: Recording) -> None:
    @tokenpnl.step("stream")
    async def stream() -> AsyncIterator[int]:
        yield 1
        raise LookupError

    with pytest.raises(LookupError):
        _ = [item async for item in stream()]
    assert recorded.span("step stream").attributes["error.type"] == "LookupError"


def test_the_hosts_error_passes_through_and_marks_the_span_without_its_message(recorded: Recording) -> None:
    with pytest.raises(ValueError, match="secret prompt"), tokenpnl.step("plan"):
        raise ValueError("secret prompt")
    span = recorded.span("step plan")
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "ValueError"
    assert "secret" not in span.to_json()


async def test_a_cancelled_task_is_told_as_cancelled(recorded: Recording) -> None:
    async def hang() -> None:
        with tokenpnl.step("hang"):
            await asyncio.sleep(60)

    task = asyncio.create_task(hang())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert recorded.span("step hang").attributes["error.type"] == "CancelledError"


def test_the_context_is_as_before_after_a_block(recorded: Recording) -> None:
    before = context.get_current()
    with tokenpnl.workflow("a"), tokenpnl.step("b"):
        pass
    assert context.get_current() == before


def test_a_fee_keeps_every_digit(recorded: Recording) -> None:
    with tokenpnl.tool("search") as search:
        search.cost_usd("0.020000000001")
    assert recorded.span("execute_tool search").attributes["tokenpnl.cost_usd"] == "0.020000000001"


@pytest.mark.parametrize(
    ("amount", "text"), [("3.10", "3.10"), (0.1, "0.1"), (Decimal("1E-7"), "0.0000001"), (2, "2"), ("-1", "-1")]
)
def test_an_amount_goes_out_as_plain_decimal_text(amount: str | float | Decimal, text: str) -> None:
    assert usd(amount) == text


@pytest.mark.parametrize("amount", ["NaN", "Infinity", float("inf")])
def test_an_amount_that_is_not_finite_is_refused(amount: str | float) -> None:
    with pytest.raises(ValueError, match="must be finite"):
        usd(amount)


def test_the_type_of_an_error_names_its_module_unless_builtin() -> None:
    assert error_type(KeyError("x")) == "KeyError"
    assert error_type(asyncio.QueueEmpty()) == "asyncio.queues.QueueEmpty"
