"""The read API and posted outcomes."""

import json

import pyarrow as pa
import pytest
from tests.ingest.telemetry import request
from tests.ingest.test_receiver_http import Served, call, count, post


def outcome(served: Served, said: object) -> tuple[int, dict[str, object]]:
    answer = post(served[1], json.dumps(said).encode(), "application/json", "/v1/outcomes")
    return answer.status, json.loads(answer.content)


def test_a_question_is_answered_in_arrow(served: Served):
    post(served[1], request(3))
    assert served[0].drain()
    asked = {"name": "table", "params": {"name": "spans", "columns": ["name"], "limit": 2}}
    answer = call(served[1], "POST", "/api/query", json.dumps(asked).encode())
    assert answer.status == 200
    assert pa.ipc.open_stream(answer.content).read_all().to_pydict() == {"name": ["chat gpt-4o-mini"] * 2}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"name": 1}', b'{"name": "nothing"}', b"[" * 100_000])
def test_what_is_no_question_is_a_400(served: Served, body: bytes):
    assert call(served[1], "POST", "/api/query", body).status == 400


def test_the_version_moves_with_the_data(served: Served):
    before = json.loads(call(served[1], "GET", "/api/version").content)
    post(served[1], request(1))
    assert served[0].drain()
    after = json.loads(call(served[1], "GET", "/api/version").content)
    assert before["version"] < after["version"]
    assert (after["loaded_batch_no"], after["batches_behind"]) == (1, 1)


def test_health_is_ok_until_the_collector_leaves(served: Served):
    answer = call(served[1], "GET", "/healthz")
    assert (answer.status, json.loads(answer.content)["batches_behind"]) == (200, 0)
    served[0].stop_taking()
    answer = call(served[1], "GET", "/healthz")
    assert (answer.status, json.loads(answer.content)["status"]) == (503, "draining")


def test_one_outcome_or_many_are_taken(served: Served):
    one = {"run_id": "r1", "status": "success", "value_usd": "0.10", "at": "2026-11-24T12:00:00+01:00"}
    many = [{"trace_id": "AB" * 16, "status": "failure"}, {"run_id": "r2", "status": "abandoned", "score": 0.5}]
    assert [outcome(served, one), outcome(served, many)] == [(200, {"accepted": 1}), (200, {"accepted": 2})]
    assert count(served, "outcomes") == 3
    stored = served[0].store.query("table", name="outcomes", where={"run_id": ["r1"]}).to_pylist()[0]
    assert str(stored["value_usd"]) == "0.100000000000"
    assert stored["effective_at"].isoformat() == "2026-11-24T11:00:00+00:00"


def test_a_posted_outcome_repeated_with_its_time_is_one(served: Served):
    said = {"run_id": "r1", "status": "success", "at": "2026-11-24T12:00:00Z"}
    assert [outcome(served, said)[0], outcome(served, said)[0], count(served, "outcomes")] == [200, 200, 1]


def test_a_value_that_is_taken_back_differs_from_one_that_is_not_said(served: Served):
    outcome(served, [{"run_id": "back", "status": "success", "value_usd": None}, {"run_id": "no", "status": "success"}])
    assert count(served, "outcomes") == 2
    stored = served[0].store.query("table", name="outcomes", order_by="run_id")
    assert stored["value_given"].to_pylist() == [True, False]


@pytest.mark.parametrize(
    "said",
    [
        {"status": "success"},
        {"run_id": "r", "status": "won"},
        {"run_id": "r", "status": "success", "value_usd": "NaN"},
        {"run_id": "r", "status": "success", "at": "2026-11-24T12:00:00"},
        {"run_id": "r", "status": "success", "tenant": "victim"},
        {"trace_id": "zz", "status": "success"},
        [{"run_id": "r", "status": "success"}, {"run_id": "r"}],
        "text",
    ],
)
def test_a_wrong_outcome_is_refused_whole(served: Served, said: object):
    status, answer = outcome(served, said)
    assert (status, count(served, "outcomes")) == (400, 0)
    assert "nothing was stored" in str(answer["message"])


def test_an_outcome_by_business_id_is_taken(served: Served):
    assert outcome(served, {"business_id": "ticket-7", "status": "success"}) == (200, {"accepted": 1})
    assert count(served, "outcomes") == 1
    stored = served[0].store.query("table", name="outcomes").to_pylist()[0]
    assert (stored["business_id"], stored["run_id"], stored["trace_id"]) == ("ticket-7", None, None)
