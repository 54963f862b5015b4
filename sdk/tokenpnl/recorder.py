"""The verbs of a run: `workflow`, `step`, `tool`, `retrieval`; each a context manager and a decorator."""

import inspect
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from opentelemetry import context, trace
from opentelemetry.context import Context

from tokenpnl import semconv
from tokenpnl.blocks import Block, Handle, start_span
from tokenpnl.context import Owner, owner_of, run_of, with_attempt, with_owner, with_run
from tokenpnl.fingerprint import fingerprint
from tokenpnl.guard import Shield, guarded
from tokenpnl.model import OutcomeStatus, StepKind
from tokenpnl.outcomes import Outcome, emit
from tokenpnl.state import state


class Run(Handle):
    """One open run: tell its outcome here, or later with `tokenpnl.outcome(..., run_id=run.id)`."""

    def __init__(self, span: trace.Span, ctx: Context, run_id: str = "", workflow: str = "") -> None:
        super().__init__(span, ctx)
        self.id = run_id
        self.workflow = workflow

    @guarded("record an outcome", None)
    def outcome(  # noqa: PLR0913 -- keyword-only fields of one statement
        self,
        status: OutcomeStatus | str,
        *,
        value_usd: str | Decimal | float | None = None,
        score: float | None = None,
        source: str = "program",
        reason: str | None = None,
        at: datetime | None = None,
        outcome_id: str | None = None,
    ) -> None:
        """Say what the business got from this run. May be said again: the newest `at` wins, all are kept.

        Args:
            status: `success`, `failure` or `abandoned`.
            value_usd: what it was worth, USD; text or Decimal keeps every digit.
            score: 0 to 1.
            source: who says so: `program`, `user`, `reviewer`, `rule`, `import`.
            reason: a short code.
            at: since when it holds, aware; default now.
            outcome_id: idempotency key; default a hash of run, status, time and source.
        """
        told = Outcome.of(
            status,
            run_id=self.id,
            value_usd=value_usd,
            score=score,
            source=source,
            reason=reason,
            at=at,
            outcome_id=outcome_id,
        )
        if self.span.is_recording():
            self.event(semconv.OUTCOME_EVENT, told.attributes)
        else:
            emit(told)


class Step(Handle):
    """One open step of a run."""


class NestedRun(Run):
    """A workflow inside a run, which is a step of that run and has no outcome of its own."""

    def outcome(self, status: OutcomeStatus | str, **told: Any) -> None:  # noqa: ARG002 -- same call as Run.outcome
        """Refuse, with a log line: the outcome belongs to the outer run."""
        with Shield("record the outcome of a nested workflow"):
            msg = f"{self.workflow!r} runs inside another run and is a step of it; give it a run_id to be a run itself"
            raise ValueError(msg)


class Tool(Step):
    """One open tool execution; arguments and result are fingerprinted, never kept."""

    def arguments(self, value: object) -> Self:
        """Fingerprint the arguments: equal ones in one run show a loop."""
        with Shield("fingerprint a tool's arguments"):
            self.set(semconv.TOOL_ARGUMENTS_HASH, fingerprint(value))
        return self

    def result(self, value: object) -> Self:
        """Fingerprint the result: different results of equal calls show that it was polling, not a loop."""
        with Shield("fingerprint a tool's result"):
            self.set(semconv.TOOL_RESULT_HASH, fingerprint(value))
        return self

    def called(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Fingerprint the arguments of the decorated call, by name, defaults included."""
        with Shield("fingerprint a tool's arguments"):
            bound = inspect.signature(function).bind(*args, **kwargs)
            bound.apply_defaults()
            self.arguments({name: value for name, value in bound.arguments.items() if name not in {"self", "cls"}})

    def returned(self, value: object) -> None:
        """Fingerprint the value of the decorated call."""
        self.result(value)


class Retrieval(Step):
    """One open retrieval."""

    def documents(self, retrieved: int, *, hit: bool | None = None, used: int | None = None) -> Self:
        """Say what came back.

        Args:
            retrieved: how many documents came.
            hit: whether anything useful was among them.
            used: how many went into the prompt.
        """
        return (
            self.set(semconv.RETRIEVAL_DOCUMENTS, retrieved)
            .set(semconv.RETRIEVAL_HIT, hit)
            .set(semconv.RETRIEVAL_USED, used)
        )

    def citations(self, total: int, valid: int) -> Self:
        """Say how many citations the answer made and how many of them point into these documents."""
        return self.set(semconv.CITATIONS_TOTAL, total).set(semconv.CITATIONS_VALID, valid)

    def returned(self, value: object) -> None:
        """Count the documents that the decorated call returned, where it has a length."""
        if isinstance(value, (list, tuple)):
            self.documents(len(value), hit=bool(value))


def current_run() -> Run | None:
    """Return the run that this process opened around the caller, or None."""
    return run_of()


def workflow(  # noqa: PLR0913 -- keyword-only options of a public verb
    name: str,
    *,
    run_id: str | None = None,
    business_id: str | None = None,
    customer: str | None = None,
    feature: str | None = None,
    user: str | None = None,
    session: str | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> Block[Run]:
    """Return a block that is one run of a workflow: one outcome is expected of it.

    Inside another run it is a step of that run, unless `run_id` makes it a run of its own.

    Args:
        name: the workflow, of low cardinality, such as `support_reply`.
        run_id: the run's own id; default a random uuid.
        business_id: the case in the business's own system (ticket, order, claim), by which an outcome may arrive later;
            several runs may work on one case. Stays on the run's span.
        customer: whom the run works for; like `feature` and `run_id` it travels in baggage to other processes.
        feature: the product feature it belongs to.
        user: the end user; stays on the run's span.
        session: the conversation; stays on the run's span.
        attributes: further attributes of the run's span.
    """

    def start() -> Run:
        here = context.get_current()
        outer = owner_of(here)
        if outer is not None and run_id is None:
            told = {semconv.STEP_NAME: name, semconv.STEP_KIND: StepKind.OTHER.value, **(attributes or {})}
            span = start_span(f"step {name}", told)
            ctx = with_attempt(None, trace.set_span_in_context(span, here))
            return NestedRun(span, ctx, outer.run_id, name)
        inherited = outer or Owner("")
        owner = Owner(run_id or state.new_id(), name, customer or inherited.customer, feature or inherited.feature)
        told = {
            semconv.OPERATION_NAME: "invoke_workflow",
            semconv.WORKFLOW_NAME: name,
            semconv.BUSINESS_ID: business_id,
            semconv.USER_ID: user,
            semconv.CONVERSATION_ID: session,
            **owner.stamps,
            **(attributes or {}),
        }
        span = start_span(f"invoke_workflow {name}", told)
        run = Run(span, here, owner.run_id, name)
        run.context = with_run(run, with_attempt(None, with_owner(owner, trace.set_span_in_context(span, here))))
        return run

    return Block(Run, start)


def _step_block(
    kind: type[Any], name: str, told: Mapping[str, Any], attributes: Mapping[str, Any] | None
) -> Block[Any]:
    def start() -> Handle:
        here = context.get_current()
        # Put together here, inside the guard: what the host hands over may be anything.
        span = start_span(name, {**told, **(attributes or {})})
        handle: Handle = kind(span, with_attempt(None, trace.set_span_in_context(span, here)))
        return handle

    return Block(kind, start)


def step(
    name: str, kind: StepKind | str = StepKind.OTHER, *, attributes: Mapping[str, Any] | None = None
) -> Block[Step]:
    """Return a block that is a named part of a run.

    Args:
        name: the step, of low cardinality.
        kind: one of `llm`, `tool`, `retrieval`, `agent`, `guardrail`, `evaluation`, `other`; what is spent below an
            `evaluation` or `guardrail` step is booked as evaluation.
        attributes: further attributes of the step's span.
    """
    told: dict[str, Any] = {semconv.STEP_NAME: name, semconv.STEP_KIND: str(kind)}
    if str(kind) == StepKind.AGENT:
        told |= {semconv.OPERATION_NAME: "invoke_agent", semconv.AGENT_NAME: name}
        return _step_block(Step, f"invoke_agent {name}", told, attributes)
    return _step_block(Step, f"step {name}", told, attributes)


def tool(
    name: str,
    *,
    call_id: str | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> Block[Tool]:
    """Return a block that is one execution of a tool; as a decorator it fingerprints arguments and result.

    Args:
        name: the tool.
        call_id: the model's id of the tool call.
        attributes: further attributes of the tool's span.
    """
    told = {
        semconv.OPERATION_NAME: "execute_tool",
        semconv.TOOL_NAME: name,
        semconv.TOOL_CALL_ID: call_id,
        semconv.STEP_NAME: name,
        semconv.STEP_KIND: StepKind.TOOL.value,
    }
    return _step_block(Tool, f"execute_tool {name}", told, attributes)


def retrieval(name: str, *, attributes: Mapping[str, Any] | None = None) -> Block[Retrieval]:
    """Return a block that is one retrieval; as a decorator it counts a returned list.

    Args:
        name: the source that is searched.
        attributes: further attributes of the retrieval's span.
    """
    told = {
        semconv.OPERATION_NAME: "retrieval",
        semconv.STEP_NAME: name,
        semconv.STEP_KIND: StepKind.RETRIEVAL.value,
    }
    return _step_block(Retrieval, f"retrieval {name}", told, attributes)
