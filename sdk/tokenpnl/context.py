"""Who a span works for and which attempt it belongs to, carried by the OpenTelemetry context and by W3C baggage.

Inside the process the context holds the run's handle and owner; across processes baggage holds the run id, so that a
child process or a server stamps the same run on its spans. Baggage travels in the HTTP headers of instrumented clients,
Anthropic's own among them, so it holds no more unless ``TOKENPNL_BAGGAGE`` is ``all`` (workflow, customer and feature
too); ``none`` sends nothing. `carrier` carries as much.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from opentelemetry import baggage, context
from opentelemetry.context import Context

from tokenpnl import semconv
from tokenpnl.guard import Shield

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenpnl.recorder import Run
    from tokenpnl.retries import Attempt

_P = ParamSpec("_P")
_R = TypeVar("_R")

_OWNER_KEY: Final = context.create_key("tokenpnl-owner")
_RUN_KEY: Final = context.create_key("tokenpnl-run")
_ATTEMPT_KEY: Final = context.create_key("tokenpnl-attempt")
_WORKFLOW_BAGGAGE: Final = "tokenpnl.workflow"
_LONGEST_BAGGAGE: Final = 256


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom the work is for: what is stamped on every span of a run."""

    run_id: str
    workflow: str | None = None
    customer: str | None = None
    feature: str | None = None

    @property
    def stamps(self) -> dict[str, str]:
        """The attributes of every span of the run; the workflow's name stays on the run span alone."""
        pairs = {semconv.RUN_ID: self.run_id, semconv.CUSTOMER_ID: self.customer, semconv.FEATURE: self.feature}
        return {name: value for name, value in pairs.items() if value is not None}


def _from_baggage(name: str, ctx: Context | None) -> str | None:
    value = baggage.get_baggage(name, ctx)
    return value[:_LONGEST_BAGGAGE] if isinstance(value, str) and value else None


def owner_of(ctx: Context | None = None) -> Owner | None:
    """Return the owner of work in this context (default: the current one), or None outside of every run."""
    known: Owner | None = context.get_value(_OWNER_KEY, ctx)  # type: ignore[assignment]
    run_id = _from_baggage(semconv.RUN_ID, ctx)
    # The process's own owner and its baggage are set together, so baggage of another run arrived later.
    if run_id is None or (known is not None and known.run_id[:_LONGEST_BAGGAGE] == run_id):
        return known
    return Owner(
        run_id,
        _from_baggage(_WORKFLOW_BAGGAGE, ctx),
        _from_baggage(semconv.CUSTOMER_ID, ctx),
        _from_baggage(semconv.FEATURE, ctx),
    )


def with_owner(owner: Owner, ctx: Context) -> Context:
    """Return the context with the owner in it and in its baggage; what the owner does not name is taken out."""
    told = os.environ.get("TOKENPNL_BAGGAGE", "").strip().lower() or "run"
    whole = told == "all"
    pairs = {
        semconv.RUN_ID: owner.run_id if told in {"all", "run"} else None,
        _WORKFLOW_BAGGAGE: owner.workflow if whole else None,
        semconv.CUSTOMER_ID: owner.customer if whole else None,
        semconv.FEATURE: owner.feature if whole else None,
    }
    ctx = context.set_value(_OWNER_KEY, owner, ctx)
    for name, value in pairs.items():
        ctx = baggage.remove_baggage(name, ctx) if value is None else baggage.set_baggage(name, value, ctx)
    return ctx


def with_run(run: "Run", ctx: Context) -> Context:
    """Return the context with this run as the current one."""
    return context.set_value(_RUN_KEY, run, ctx)


def run_of(ctx: Context | None = None) -> "Run | None":
    """Return the handle of the run that this process opened in this context, or None."""
    run: Run | None = context.get_value(_RUN_KEY, ctx)  # type: ignore[assignment]
    return run


def with_attempt(attempt: "Attempt | None", ctx: Context) -> Context:
    """Return the context with this attempt as the current one; None ends the reach of an outer attempt."""
    return context.set_value(_ATTEMPT_KEY, attempt, ctx)


def attempt_of(ctx: Context | None = None) -> "Attempt | None":
    """Return the attempt that model spans in this context belong to, or None."""
    attempt: Attempt | None = context.get_value(_ATTEMPT_KEY, ctx)  # type: ignore[assignment]
    return attempt


def carrier() -> dict[str, str]:
    """Return the headers (`traceparent`, `baggage`, ...) that carry the current run to another process.

    They serve as HTTP headers, message headers, or, in upper case, as environment of a child process, where `init`
    reads ``TRACEPARENT``, ``TRACESTATE`` and ``BAGGAGE``. ``OTEL_PROPAGATORS`` is honoured.
    """
    headers: dict[str, str] = {}
    with Shield("write the carrier of a run"):
        from opentelemetry.propagate import inject

        inject(headers)
    return headers


@contextmanager
def carried(headers: Mapping[str, str]) -> Iterator[None]:
    """Continue, inside the block, the run that another process wrote with `carrier`.

    Args:
        headers: names in any case; unknown ones are ignored.
    """
    token = None
    with Shield("read the carrier of a run"):
        from opentelemetry.propagate import extract

        here = with_attempt(None, context.set_value(_RUN_KEY, None, context.set_value(_OWNER_KEY, None)))
        token = context.attach(extract({name.lower(): value for name, value in headers.items()}, here))
    try:
        yield
    finally:
        if token is not None:
            context.detach(token)


def in_context(function: "Callable[_P, _R]") -> "Callable[_P, _R]":
    """Return the function bound to the current run, for a thread or executor: ``pool.submit(in_context(work), x)``.

    Threads start with an empty context, so that without this their spans belong to no run.
    """
    here = context.get_current()

    @wraps(function)
    def bound(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        def inside() -> _R:
            context.attach(here)
            return function(*args, **kwargs)

        return copy_context().run(inside)

    return bound
