"""Retries, fallbacks and escalations: one call, its attempts, and why each was made."""

import asyncio
import functools
import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from opentelemetry import context, trace

from tokenpnl import semconv
from tokenpnl.blocks import error_type, start_span
from tokenpnl.context import with_attempt
from tokenpnl.guard import Shield
from tokenpnl.model import AttemptReason
from tokenpnl.state import state

_TIMEOUT_WORDS = ("timeout", "timedout", "timed_out", "deadline")


def reason_after(error: BaseException) -> AttemptReason:
    """Return why the next attempt is made after this error: `timeout` by the name of its class, else `retry`."""
    name = error_type(error).lower()
    return AttemptReason.TIMEOUT if any(word in name for word in _TIMEOUT_WORDS) else AttemptReason.RETRY


class Attempt:
    """One attempt: stamps call id, number and reason on the model span made inside ``with attempt``.

    `model` is the model to ask this time (None: whatever you ask anyway), `number` counts from 1.
    """

    def __init__(self, call_id: str, number: int, reason: AttemptReason, model: str | None) -> None:
        self.call_id = call_id
        self.number = number
        self.reason = reason
        self.model = model
        self.rejected_for: AttemptReason | None = None
        self.next_model: str | None = None
        self.error: BaseException | None = None
        self.entered = False
        self.retrying: Callable[[BaseException], bool] = lambda _: False
        self._spans: list[trace.Span] = []
        self._token: Any = None

    @property
    def stamps(self) -> dict[str, str | int]:
        """The attributes that tie a model span to this attempt."""
        return {
            semconv.CALL_ID: self.call_id,
            semconv.ATTEMPT_NUMBER: self.number,
            semconv.ATTEMPT_REASON: self.reason.value,
        }

    @property
    def succeeded(self) -> bool:
        """Whether it was entered, raised nothing and was not rejected."""
        return self.entered and self.error is None and self.rejected_for is None

    def made(self, span: trace.Span) -> None:
        """Hear of a model span made inside, so that a verdict can still reach it."""
        self._spans.append(span)

    def __enter__(self) -> Self:
        self.entered = True
        self._token = context.attach(with_attempt(self, context.get_current()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        context.detach(self._token)
        self._spans.clear()
        self.error = error
        return error is not None and self.retrying(error)

    def reject(self, *, schema: str | None = None, error: str | None = None) -> None:
        """Say that the answer did not validate; another attempt follows while there are any.

        Args:
            schema: the name of the schema that the answer broke.
            error: what failed, as a short code without content.
        """
        self.rejected_for = AttemptReason.SCHEMA
        self._judge({semconv.OUTPUT_SCHEMA: schema, semconv.OUTPUT_VALID: False, semconv.OUTPUT_PARSE_ERROR: error})

    def accept(self, *, schema: str | None = None, confidence: float | None = None) -> None:
        """Say that the answer validated."""
        self._judge({semconv.OUTPUT_SCHEMA: schema, semconv.OUTPUT_VALID: True, semconv.CONFIDENCE: confidence})

    def escalate(self, to: str | None = None, *, confidence: float | None = None) -> None:
        """Reject a cheaper model's answer in favour of a stronger model.

        Args:
            to: the stronger model; default the next of `attempts(escalation=...)`.
            confidence: the score, 0 to 1, that was too low.
        """
        self.rejected_for = AttemptReason.ESCALATION
        self.next_model = to
        self._judge({semconv.CONFIDENCE: confidence})

    def _judge(self, verdict: dict[str, Any]) -> None:
        """Put a verdict on the open model span, else on a span of its own, as an ended span cannot change."""
        with Shield("record a verdict on an attempt"):
            told = {name: value for name, value in verdict.items() if value is not None}
            still_open = [span for span in self._spans if span.is_recording()]
            for span in still_open:
                span.set_attributes(told)
            if told and not still_open:
                start_span("attempt verdict", {**self.stamps, **told}).end(end_time=state.clock())


class Attempts:
    """The attempts of one call: ``for attempt in attempts(...): with attempt: ...``, also with `async for`.

    Iteration ends after the first attempt that raised nothing and was not rejected. An error of `retry_on` is held
    back while attempts remain; the last one is raised. The model changes to each of `fallback` in turn once the first
    model has had its `max_attempts`, and to the next of `escalation` when an answer was escalated.

    Args:
        max_attempts: attempts on the first model, at least 1.
        model: the first model; comes back as `attempt.model`.
        fallback: models to try, once each, after the first model's attempts failed.
        escalation: stronger models, in order, for answers that were escalated.
        retry_on: errors that another attempt may cure.
        wait: seconds to wait before the attempt of that number; default none.
        call_id: id of the call; default a random uuid.
    """

    def __init__(  # noqa: PLR0913 -- keyword-only options of a public verb
        self,
        max_attempts: int = 3,
        *,
        model: str | None = None,
        fallback: Sequence[str] = (),
        escalation: Sequence[str] = (),
        retry_on: type[Exception] | tuple[type[Exception], ...] = Exception,
        wait: Callable[[int], float] | None = None,
        call_id: str | None = None,
    ) -> None:
        self.call_id = call_id or state.new_id()
        self._max_attempts = 1
        self._model = model
        self._fallback: list[str] = []
        self._escalation: list[str] = []
        with Shield("read the options of attempts"):
            self._max_attempts = max(1, max_attempts)
            self._fallback, self._escalation = list(fallback), list(escalation)
        self._retry_on = retry_on
        self._wait = wait
        self._on_first_model = 0

    @staticmethod
    def tenacity(retrying: Any, *, call_id: str | None = None) -> "TenacityAttempts":
        """Return tenacity's own `Retrying` or `AsyncRetrying` with each try stamped as an attempt.

        Tenacity alone decides whether there is another try: raise, or use its result predicates, beside `reject`.

        Args:
            retrying: a configured tenacity object; its stops, waits and predicates decide.
            call_id: id of the call; default a random uuid for each iteration or call.
        """
        return TenacityAttempts(retrying, call_id)

    def _first(self) -> Attempt:
        self._on_first_model = 1
        return self._armed(Attempt(self.call_id, 1, AttemptReason.FIRST, self._model))

    def _armed(self, attempt: Attempt) -> Attempt:
        attempt.retrying = lambda error: isinstance(error, self._retry_on) and self._more_after(attempt)
        return attempt

    def _more_after(self, attempt: Attempt) -> bool:
        if attempt.rejected_for is AttemptReason.ESCALATION:
            return attempt.next_model is not None or bool(self._escalation)
        return self._tries_left() or bool(self._fallback)

    def _tries_left(self) -> bool:
        return self._on_first_model < self._max_attempts

    def _after(self, last: Attempt) -> Attempt | None:
        """Return the next attempt, or None when the call is settled or nothing is left to try."""
        if last.succeeded or not last.entered or not self._more_after(last):
            return None
        reason, model = last.rejected_for or AttemptReason.RETRY, last.model
        if last.error is not None:
            reason = reason_after(last.error)
        if last.rejected_for is AttemptReason.ESCALATION:
            model = last.next_model or self._escalation.pop(0)
            # The stronger model gets tries of its own.
            self._on_first_model = 0
        elif not self._tries_left():
            reason, model = AttemptReason.FALLBACK, self._fallback.pop(0)
        self._on_first_model += 1
        return self._armed(Attempt(self.call_id, last.number + 1, reason, model))

    def __iter__(self) -> Iterator[Attempt]:
        attempt: Attempt | None = self._first()
        while attempt is not None:
            yield attempt
            attempt = self._after(attempt)
            if attempt is not None and self._wait is not None:
                time.sleep(max(0.0, self._wait(attempt.number)))

    async def __aiter__(self) -> AsyncIterator[Attempt]:
        attempt: Attempt | None = self._first()
        while attempt is not None:
            yield attempt
            attempt = self._after(attempt)
            if attempt is not None and self._wait is not None:
                await asyncio.sleep(max(0.0, self._wait(attempt.number)))


class TenacityAttempt(Attempt):
    """One of tenacity's attempts; its manager decides about errors, `retry_state` is tenacity's."""

    def __init__(self, manager: Any, call_id: str, reason: AttemptReason) -> None:
        super().__init__(call_id, manager.retry_state.attempt_number, reason, None)
        self.retry_state = manager.retry_state
        self._manager = manager

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        super().__exit__(kind, error, traceback)
        return bool(self._manager.__exit__(kind, error, traceback))


class TenacityAttempts:
    """Tenacity's attempts, stamped: iterate it (`for`, `async for`), or decorate a function with `wraps`."""

    def __init__(self, retrying: Any, call_id: str | None) -> None:
        self._retrying = retrying
        self._call_id = call_id

    def _stamped(self, manager: Any, last: Attempt | None, call_id: str) -> Attempt:
        reason = AttemptReason.FIRST
        if last is not None:
            reason = last.rejected_for or (AttemptReason.RETRY if last.error is None else reason_after(last.error))
        return TenacityAttempt(manager, call_id, reason)

    def __iter__(self) -> Iterator[Attempt]:
        last, call_id = None, self._call_id or state.new_id()
        for manager in self._retrying:
            last = self._stamped(manager, last, call_id)
            yield last

    async def __aiter__(self) -> AsyncIterator[Attempt]:
        last, call_id = None, self._call_id or state.new_id()
        async for manager in self._retrying:
            last = self._stamped(manager, last, call_id)
            yield last

    def wraps(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function under tenacity's rules, each try an attempt; an `async` one needs `AsyncRetrying`."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def tried(*args: Any, **kwargs: Any) -> Any:
                answer = None
                async for attempt in self:
                    with attempt:
                        answer = await function(*args, **kwargs)
                    _tell_result(attempt, answer)
                return answer

            return tried

        @functools.wraps(function)
        def tried_now(*args: Any, **kwargs: Any) -> Any:
            answer = None
            for attempt in self:
                with attempt:
                    answer = function(*args, **kwargs)
                _tell_result(attempt, answer)
            return answer

        return tried_now


def _tell_result(attempt: Attempt, answer: object) -> None:
    """Let tenacity's result predicates see the answer."""
    if attempt.error is None and isinstance(attempt, TenacityAttempt):
        attempt.retry_state.set_result(answer)
