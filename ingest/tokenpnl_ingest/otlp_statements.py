"""Outcomes and evaluation scores inside telemetry: span events and log records that state something about a run."""

import hashlib
from typing import Any

from tokenpnl import semconv
from tokenpnl.model import OutcomeSource, OutcomeStatus
from tokenpnl_ingest.dialects import convert
from tokenpnl_ingest.dialects.read import hash_of
from tokenpnl_ingest.quarantine import Reason
from tokenpnl_ingest.raw import RawLog, RawSpan
from tokenpnl_ingest.wire import Received

_EVALUATION_EVENTS = (semconv.EVALUATION_EVENT, "gen_ai.evaluation")


class Statements:
    """The outcomes and evaluations of one request."""

    def __init__(self) -> None:
        self.outcomes: list[dict[str, Any]] = []
        self.evaluations: list[dict[str, Any]] = []

    def of_span(self, span: RawSpan, received: Received) -> None:
        """Take the statements among a span's events; one that says nothing valid is quarantined, the span stays."""
        for event in span.events:
            when = event.time_ns or span.end_ns or span.start_ns
            ids = (span.trace_id, span.span_id)
            if event.name == semconv.OUTCOME_EVENT:
                # Told on a span it speaks of that span's run, whatever case it names.
                attributes = {semconv.RUN_ID: span.attributes.get(semconv.RUN_ID), **event.attributes}
                attributes.pop(semconv.BUSINESS_ID, None)
                problem = self._outcome(attributes, when, ids)
                if problem:
                    received.flag(Reason.OUTCOME_INVALID, "traces", problem, ids)
            elif event.name in _EVALUATION_EVENTS:
                problem = self._evaluation({**_answer(span.attributes), **event.attributes}, when, ids)
                if problem:
                    received.flag(Reason.EVALUATION_INVALID, "traces", problem, ids)

    def of_log(self, log: RawLog, received: Received) -> bool:
        """Take the statement that a log record is; return whether it is one, an invalid one included."""
        name = log.event_name or log.attributes.get("event.name")
        ids = (log.trace_id, log.span_id)
        if name == semconv.OUTCOME_EVENT:
            problem, reason = self._outcome(log.attributes, log.time_ns, ids), Reason.OUTCOME_INVALID
        elif name in _EVALUATION_EVENTS:
            problem, reason = self._evaluation(log.attributes, log.time_ns, ids), Reason.EVALUATION_INVALID
        else:
            return False
        if problem:
            received.refuse(reason, "logs", problem, ids)
        return True

    def _outcome(self, said: dict[str, Any], when_ns: int, ids: tuple[str, str]) -> str:
        """Append the outcome; return what is wrong with it, empty when nothing is."""
        status = convert.text(said.get(semconv.OUTCOME_STATUS))
        if status is None or status not in OutcomeStatus.__members__.values():
            return f"expected {semconv.OUTCOME_STATUS} success, failure or abandoned, got {str(status)[:40]!r}"
        run_id = convert.text(said.get(semconv.RUN_ID))
        business_id = convert.text(said.get(semconv.BUSINESS_ID))
        if not run_id and not business_id and not ids[0]:
            return f"expected {semconv.RUN_ID}, {semconv.BUSINESS_ID} or a trace id, got none of them"
        # A statement by business id is made wherever the business system runs: its own trace is not the run's.
        trace_id, span_id = ("", "") if business_id and not run_id else ids
        try:
            value = convert.usd(said.get(semconv.OUTCOME_VALUE_USD))
        except ValueError as error:
            return f"{semconv.OUTCOME_VALUE_USD}: {error}"
        stated_at = said.get(semconv.OUTCOME_AT)
        effective_at = convert.instant(stated_at) if stated_at else when_ns
        if not effective_at:
            return f"expected {semconv.OUTCOME_AT} as an ISO time with a zone, or a time on the record, got neither"
        source = convert.text(said.get(semconv.OUTCOME_SOURCE)) or OutcomeSource.PROGRAM.value
        row = {
            "tenant": "default",
            "run_id": run_id,
            "trace_id": trace_id or None,
            "span_id": span_id or None,
            "status": status,
            "value_usd": value,
            "value_given": semconv.OUTCOME_VALUE_USD in said,
            "score": convert.real(said.get(semconv.OUTCOME_SCORE)),
            "source": source,
            "reason": convert.text(said.get(semconv.OUTCOME_REASON)),
            "effective_at": effective_at,
        }
        if business_id:
            row["business_id"] = business_id
        row["content_hash"] = hash_of(row)
        stated_id = convert.text(said.get(semconv.OUTCOME_ID))
        row["outcome_id"] = stated_id or outcome_id(run_id or business_id or ids[0], status, effective_at, source)
        self.outcomes.append(row)
        return ""

    def _evaluation(self, said: dict[str, Any], when_ns: int, ids: tuple[str, str]) -> str:
        name = convert.text(said.get("gen_ai.evaluation.name"))
        if not name:
            return "expected gen_ai.evaluation.name, got none"
        row = {
            "tenant": "default",
            "trace_id": ids[0] or None,
            "span_id": ids[1] or None,
            "response_id": convert.text(said.get(semconv.RESPONSE_ID)),
            "name": name,
            "score": convert.real(said.get("gen_ai.evaluation.score.value")),
            "label": convert.text(said.get("gen_ai.evaluation.score.label")),
            "evaluated_at": when_ns,
        }
        self.evaluations.append({**row, "content_hash": hash_of(row)})
        return ""


def outcome_id(run: str, status: str, effective_at_ns: int, source: str) -> str:
    """Return the id of an outcome that states none: equal statements share it."""
    told = "\x1e".join((run, status, str(effective_at_ns), source))
    return hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _answer(attributes: dict[str, Any]) -> dict[str, Any]:
    return {semconv.RESPONSE_ID: attributes.get(semconv.RESPONSE_ID)}
