"""What the business got from a run: on the run's span, or later by run, trace or business id, as an OTLP log record."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Self

from opentelemetry import context, trace

from tokenpnl import semconv
from tokenpnl.blocks import usd
from tokenpnl.context import owner_of, run_of
from tokenpnl.errors import ConfigurationError
from tokenpnl.guard import guarded
from tokenpnl.model import OutcomeSource, OutcomeStatus
from tokenpnl.state import state


def iso_time(ns: int) -> str:
    """Return UTC nanoseconds as ISO text with microseconds and a Z."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


def _since(at: datetime | None) -> str:
    if at is None:
        return iso_time(state.clock())
    if at.tzinfo is None:
        msg = f"the time of an outcome must be aware, got {at.isoformat()}; give it a time zone"
        raise ValueError(msg)
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One statement about a run; `attributes` are what goes on the wire."""

    run_id: str | None
    attributes: Mapping[str, Any]

    @classmethod
    def of(  # noqa: PLR0913 -- the fields of one statement
        cls,
        status: OutcomeStatus | str,
        *,
        run_id: str | None,
        value_usd: str | Decimal | float | None = None,
        score: float | None = None,
        source: str = "program",
        reason: str | None = None,
        at: datetime | None = None,
        outcome_id: str | None = None,
        business_id: str | None = None,
    ) -> Self:
        """Return the checked statement.

        Raises:
            ValueError: for an unknown status or source, a naive time, an amount that is no finite number.
        """
        known, who, since = OutcomeStatus(status), OutcomeSource(source), _since(at)
        basis = "|".join((run_id or business_id or "", known.value, since, who.value))
        told = {
            semconv.RUN_ID: run_id,
            semconv.BUSINESS_ID: business_id,
            semconv.OUTCOME_ID: outcome_id or hashlib.sha256(basis.encode()).hexdigest()[:32],
            semconv.OUTCOME_STATUS: known.value,
            semconv.OUTCOME_VALUE_USD: None if value_usd is None else usd(value_usd),
            semconv.OUTCOME_SCORE: None if score is None else float(score),
            semconv.OUTCOME_SOURCE: who.value,
            semconv.OUTCOME_REASON: reason,
            semconv.OUTCOME_AT: since,
        }
        return cls(run_id, {name: value for name, value in told.items() if value is not None})


def emit(told: Outcome, trace_id: str | None = None) -> None:
    """Send an outcome as a log record of event name `tokenpnl.outcome`.

    Raises:
        ConfigurationError: before `init`, when there is nowhere to send it.
    """
    logger = state.logger()
    if logger is None:
        msg = "an outcome outside of its run needs tokenpnl.init() first; it was not sent"
        raise ConfigurationError(msg)
    from opentelemetry._logs import LogRecord, SeverityNumber

    about = context.get_current()
    if trace_id is not None:
        span = trace.NonRecordingSpan(trace.SpanContext(int(trace_id, 16), 0, is_remote=True))
        about = trace.set_span_in_context(span)
    now = state.clock()
    logger.emit(
        LogRecord(
            timestamp=now,
            observed_timestamp=now,
            context=about,
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            attributes=dict(told.attributes),
            event_name=semconv.OUTCOME_EVENT,
        )
    )


@guarded("record an outcome", None)
def outcome(  # noqa: PLR0913 -- keyword-only fields of one statement
    status: OutcomeStatus | str,
    *,
    run_id: str | None = None,
    trace_id: str | None = None,
    business_id: str | None = None,
    value_usd: str | Decimal | float | None = None,
    score: float | None = None,
    source: str = "program",
    reason: str | None = None,
    at: datetime | None = None,
    outcome_id: str | None = None,
) -> None:
    """Say what the business got from a run: inside of it, or days later by its id.

    Inside the run it becomes an event of the run's span; otherwise a log record, through the same exporter settings.
    It may be said again: the newest `at` wins, all are kept.

    Args:
        status: `success`, `failure` or `abandoned`.
        run_id: the run; default the current one (also one that another process carries here).
        trace_id: instead of a run id, the 32 hex digits of the run's trace.
        business_id: instead of both, the business's own id of the case, as `workflow(business_id=...)` told it; of
            several runs the latest that had started by `at` is meant.
        value_usd: what it was worth, USD; text or Decimal keeps every digit.
        score: 0 to 1.
        source: who says so: `program`, `user`, `reviewer`, `rule`, `import`.
        reason: a short code.
        at: since when it holds, aware; default now.
        outcome_id: idempotency key; default a hash of run, status, time and source.
    """
    run, owner = run_of(), owner_of()
    about = run_id or (None if trace_id or business_id or owner is None else owner.run_id)
    if about is None and trace_id is None and business_id is None:
        msg = "no run is open here; pass run_id=, trace_id= or business_id="
        raise ValueError(msg)
    told = Outcome.of(
        status,
        run_id=about,
        value_usd=value_usd,
        score=score,
        source=source,
        reason=reason,
        at=at,
        outcome_id=outcome_id,
        business_id=business_id,
    )
    if run is not None and run.id == about and run.span.is_recording():
        run.event(semconv.OUTCOME_EVENT, told.attributes)
    else:
        emit(told, trace_id)
