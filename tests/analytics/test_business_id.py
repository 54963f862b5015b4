"""A case of the business: an outcome told by its id finds the run that was at work on it, whatever came first."""

import json
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from tests.analytics.desk import Desk, call, desk_at, span

from tokenpnl_ingest.otlp import Signal
from tokenpnl_ingest.statements import decoded_statements

# Spans of trace n start n x 100 s after 2026-11-18T09:46:40Z.
BETWEEN, AFTER, BEFORE = "2026-11-18T09:49:00Z", "2026-11-20T00:00:00Z", "2026-11-01T00:00:00Z"


def run(trace: int, case: str) -> dict[str, Any]:
    named = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "desk", "tokenpnl.business.id": case}
    return span(trace, 0, **named)


def tell(desk: Desk, status: str, at: str, case: str = "ticket-7") -> None:
    told = decoded_statements(json.dumps({"business_id": case, "status": status, "at": at}).encode())
    desk.collector.submit_rows(told).result(30)
    assert desk.collector.drain(30)
    desk.keeper.catch_up()


def outcomes(desk: Desk) -> list[str | None]:
    return desk.table("runs").sort("started_at")["outcome"].to_list()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_at(tmp_path / "home") as opened:
        yield opened


def test_an_outcome_by_business_id_goes_to_the_latest_run_that_had_started(desk: Desk) -> None:
    desk.take([run(1, "ticket-7"), call(1, 1, parent=0), run(2, "ticket-7"), run(3, "ticket-8")])
    tell(desk, "failure", BETWEEN)
    assert outcomes(desk) == ["failure", None, None]
    tell(desk, "success", AFTER)
    assert outcomes(desk) == ["failure", "success", None]
    assert desk.table("runs")["business_id"].to_list() == ["ticket-7", "ticket-7", "ticket-8"]


def test_an_outcome_before_every_run_of_its_case_goes_to_the_earliest(desk: Desk) -> None:
    desk.take([run(1, "ticket-7"), run(2, "ticket-7")])
    tell(desk, "success", BEFORE)
    assert outcomes(desk) == ["success", None]


def test_a_run_that_arrives_later_takes_over_the_outcome_that_is_its_own(tmp_path: Path) -> None:
    for number, order in enumerate(permutations(["first", "second", "told"])):
        with desk_at(tmp_path / str(number)) as desk:
            acts = {
                "first": lambda desk=desk: desk.take([run(1, "ticket-7"), call(1, 1, parent=0)]),
                "second": lambda desk=desk: desk.take([run(2, "ticket-7"), call(2, 1, parent=0)]),
                "told": lambda desk=desk: tell(desk, "failure", AFTER),
            }
            for act in order:
                acts[act]()
            assert outcomes(desk) == [None, "failure"], order
            paid = desk.table("line_items").select("trace_id", "cost_category").unique().sort("trace_id")
            assert paid["cost_category"].to_list() == ["pending", "failed_run"]


def test_an_outcome_log_by_business_id_does_not_speak_of_the_trace_it_was_written_in(desk: Desk) -> None:
    desk.take([run(1, "ticket-7"), run(2, "ticket-8")])
    told = {"tokenpnl.business.id": "ticket-7", "tokenpnl.outcome.status": "success", "tokenpnl.outcome.at": AFTER}
    record = {
        "timeUnixNano": "1795000000000000000",
        "eventName": "tokenpnl.outcome",
        "traceId": f"{2:032x}",
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in told.items()],
    }
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()
    assert desk.collector.submit(Signal.LOGS, body, "application/json").result(30).refused == 0
    assert desk.collector.drain(30)
    desk.keeper.catch_up()
    assert outcomes(desk) == ["success", None]


def test_scores_of_a_trace_and_of_its_answers_are_found(desk: Desk) -> None:
    def event(**told: Any) -> dict[str, Any]:
        named = {"gen_ai.evaluation.name": "answer_ok", "gen_ai.evaluation.score.label": "good", **told}
        return {
            "timeUnixNano": "1795000000000000000",
            "eventName": "gen_ai.evaluation.result",
            "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in named.items()],
        }

    desk.take([run(1, "t"), call(1, 1, parent=0, **{"gen_ai.response.id": "resp-1"}), run(2, "u")])
    records = [event(**{"gen_ai.response.id": "resp-1"}), event() | {"traceId": f"{1:032x}"}, event()]
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).encode()
    assert desk.collector.submit(Signal.LOGS, body, "application/json").result(30).refused == 0
    assert desk.collector.drain(30)
    mark = desk.collector.store.loaded_batch_no - 1
    found = desk.collector.store.query("evaluations_of", trace_ids=[f"{1:032x}"])
    assert sorted(found["response_id"].to_pylist(), key=str) == [None, "resp-1"]
    touched = desk.collector.store.query("touched_traces", after=mark)["trace_id"].to_pylist()
    assert touched == [f"{1:032x}"]
