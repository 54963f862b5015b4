"""Statements that are no good: kept apart, with the reason, and the span that carried them stays."""

from typing import Any

import pytest
from tests.ingest.raw_spans import END_NS, raw_span

from tokenpnl_ingest.otlp_statements import Statements, outcome_id
from tokenpnl_ingest.raw import RawEvent, RawLog
from tokenpnl_ingest.wire import Received


def log(name: str, attributes: dict[str, Any], *, time_ns: int = END_NS) -> RawLog:
    return RawLog("", "", name, time_ns, "", None, "", "", attributes, {})


@pytest.mark.parametrize(
    ("name", "reason"), [("tokenpnl.outcome", "outcome_invalid"), ("gen_ai.evaluation.result", "evaluation_invalid")]
)
def test_an_invalid_statement_on_a_span_is_flagged_and_refuses_nothing(name: str, reason: str) -> None:
    said, received = Statements(), Received()
    said.of_span(raw_span({}, events=[RawEvent(name, END_NS, {})]), received)
    assert (said.outcomes, said.evaluations, received.refused) == ([], [], 0)
    assert [(entry["reason"], entry["refused"]) for entry in received.quarantined] == [(reason, False)]


def test_an_evaluation_log_without_a_name_is_refused() -> None:
    said, received = Statements(), Received()
    assert said.of_log(log("gen_ai.evaluation.result", {"gen_ai.evaluation.score.value": 1}), received)
    assert (said.evaluations, received.refused) == ([], 1)


@pytest.mark.parametrize(
    "attributes",
    [
        {"tokenpnl.outcome.status": "success"},
        {"tokenpnl.outcome.status": "success", "tokenpnl.run.id": "r", "tokenpnl.outcome.at": "soon"},
    ],
    ids=["of nothing", "at no time"],
)
def test_an_outcome_needs_a_run_and_a_time(attributes: dict[str, str]) -> None:
    said, received = Statements(), Received()
    said.of_log(log("tokenpnl.outcome", attributes, time_ns=0), received)
    assert (said.outcomes, received.refused) == ([], 1)


def test_an_ordinary_log_is_no_statement() -> None:
    assert not Statements().of_log(log("gen_ai.choice", {}), Received())


def test_the_id_of_an_outcome_depends_on_run_status_time_and_source() -> None:
    base = ("r", "success", 1, "program")
    others = [
        ("s", *base[1:]),
        ("r", "failure", 1, "program"),
        ("r", "success", 2, "program"),
        ("r", "success", 1, "user"),
    ]
    assert len({outcome_id(*base), *(outcome_id(*other) for other in others)}) == 5


def test_an_outcome_by_business_id_is_not_about_the_trace_of_its_record() -> None:
    said = Statements()
    told = {"tokenpnl.business.id": "ticket-7", "tokenpnl.outcome.status": "success"}
    record = RawLog("1" * 32, "2" * 16, "tokenpnl.outcome", END_NS, "", None, "", "", told, {})
    assert said.of_log(record, Received())
    (row,) = said.outcomes
    assert (row["business_id"], row["run_id"], row["trace_id"], row["span_id"]) == ("ticket-7", None, None, None)
    assert row["outcome_id"] == outcome_id("ticket-7", "success", END_NS, "program")


def test_an_outcome_on_a_span_is_about_that_span_whatever_case_it_names() -> None:
    said = Statements()
    told = {"tokenpnl.business.id": "ticket-7", "tokenpnl.outcome.status": "success"}
    said.of_span(raw_span({}, events=[RawEvent("tokenpnl.outcome", END_NS, told)]), Received())
    (row,) = said.outcomes
    assert (row.get("business_id"), row["trace_id"]) == (None, "1" * 32)
