"""Outcomes as business systems post them: checked JSON to the rows that telemetry gives."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from tokenpnl.model import OutcomeSource, OutcomeStatus
from tokenpnl_ingest.dialects.read import hash_of
from tokenpnl_ingest.otlp import Decoded
from tokenpnl_ingest.otlp_statements import outcome_id

_Text = Annotated[str, Field(min_length=1, max_length=512)]
_MICROSECOND = timedelta(microseconds=1)
_MOST_STATEMENTS = 10_000


class OutcomeStatement(BaseModel):
    """What the business got from one run, stated by run id, trace id or business id; the first that is given counts.

    `value_usd` given as null takes an earlier value back; left out, it leaves the earlier one. `at` is when the
    outcome became true, by default now. Equal `outcome_id` and content are one statement.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: _Text | None = None
    trace_id: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{32}$")] | None = None
    business_id: _Text | None = None
    status: OutcomeStatus
    value_usd: Annotated[Decimal, Field(max_digits=38, decimal_places=12)] | None = None
    score: Annotated[float, Field(allow_inf_nan=False)] | None = None
    source: OutcomeSource = OutcomeSource.PROGRAM
    reason: _Text | None = None
    at: AwareDatetime | None = None
    outcome_id: _Text | None = None

    @model_validator(mode="after")
    def _speaks_of_a_run(self) -> Self:
        if self.run_id is None and self.trace_id is None and self.business_id is None:
            raise ValueError("give run_id, trace_id or business_id")
        return self

    def row(self, now_ns: int) -> dict[str, Any]:
        """Return the row of `outcomes`, as if its event had come at `now_ns`."""
        effective_at = now_ns if self.at is None else _nanoseconds(self.at)
        trace_id = self.trace_id.lower() if self.trace_id else None
        row = {
            "tenant": "default",
            "run_id": self.run_id,
            "trace_id": trace_id,
            "span_id": None,
            "status": self.status.value,
            "value_usd": self.value_usd,
            "value_given": "value_usd" in self.model_fields_set,
            "score": self.score,
            "source": self.source.value,
            "reason": self.reason,
            "effective_at": effective_at,
        }
        if self.business_id is not None:
            row["business_id"] = self.business_id
        row["content_hash"] = hash_of(row)
        run = self.run_id or trace_id or self.business_id or ""
        row["outcome_id"] = self.outcome_id or outcome_id(run, self.status.value, effective_at, self.source.value)
        return row


_Posted = Annotated[list[OutcomeStatement], Field(max_length=_MOST_STATEMENTS)]
_ONE = TypeAdapter(OutcomeStatement)
_MANY = TypeAdapter(_Posted)


def decoded_statements(body: bytes) -> Decoded:
    """Return the rows of a JSON object or array of outcome statements.

    Raises:
        pydantic.ValidationError: a statement is wrong; it says which and why.
    """
    single = body.lstrip().startswith(b"{")
    statements = [_ONE.validate_json(body)] if single else _MANY.validate_json(body)
    now_ns = time.time_ns()
    return Decoded(outcomes=[statement.row(now_ns) for statement in statements])


def _nanoseconds(when: datetime) -> int:
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND * 1000
