"""The span processor that gives every span of a run its owner, and every model span of an attempt its number.

It never makes another library's span look like a run: the workflow's name stays on the run span.
"""

from typing import Final

from opentelemetry import context
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor
from opentelemetry.trace import SpanKind

from tokenpnl import semconv
from tokenpnl.context import attempt_of, owner_of
from tokenpnl.guard import Shield
from tokenpnl.state import SCOPE

_NOT_MODEL_OPERATIONS: Final = {"invoke_agent", "create_agent", "invoke_workflow", "execute_tool", "plan", "retrieval"}
_MODEL_KINDS: Final = {"LLM", "EMBEDDING", "RERANKER"}
# A span that starts with one of these is a request, a query or a step: not a model call.
_OTHER_WORK: Final = (
    "http.request.method",
    "http.method",
    "rpc.system",
    "db.system",
    "db.system.name",
    "messaging.system",
    "traceloop.span.kind",
    semconv.STEP_NAME,
    semconv.TOOL_NAME,
)


def may_be_model_span(span: Span) -> bool:
    """Return whether a span that just started may be a model call, judged by what it starts with."""
    told = span.attributes or {}
    if span.kind not in {SpanKind.INTERNAL, SpanKind.CLIENT}:
        return False
    kind, operation = told.get("openinference.span.kind"), told.get(semconv.OPERATION_NAME)
    if isinstance(kind, str):
        return kind.upper() in _MODEL_KINDS
    if operation is not None:
        # The Anthropic SDK's own model spans also start with the attributes of an HTTP request.
        return operation not in _NOT_MODEL_OPERATIONS
    return not any(name in told for name in _OTHER_WORK)


class StampingProcessor(SpanProcessor):
    """Stamps run id, customer and feature on spans, and call id, attempt number and reason on model spans."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Stamp a span as it starts; what its library has set itself stays."""
        with Shield("stamp a span"):
            if span.instrumentation_scope is not None and span.instrumentation_scope.name == SCOPE:
                return  # ours are born with their stamps
            ctx = context.get_current() if parent_context is None else parent_context
            owner, attempt = owner_of(ctx), attempt_of(ctx)
            told = span.attributes or {}
            if owner is not None:
                span.set_attributes({name: value for name, value in owner.stamps.items() if name not in told})
            if attempt is not None and semconv.ATTEMPT_NUMBER not in told and may_be_model_span(span):
                span.set_attributes(attempt.stamps)
                attempt.made(span)
