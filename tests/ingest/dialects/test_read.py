"""What any span becomes."""

import json
from decimal import Decimal
from typing import Any

import pytest
from tests.ingest.raw_spans import START_NS, row_of

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-sonnet-5"}


def test_http_client_span_is_http_and_keeps_its_status() -> None:
    row = row_of(
        {"http.method": "POST", "http.status_code": 429}, scope="opentelemetry.instrumentation.httpx", name="POST"
    )
    assert (row["operation"], row["http_status"]) == ("http", 429)


def test_usage_under_a_name_nobody_knows_is_flagged() -> None:
    row = row_of({**CHAT, "gen_ai.usage.prompt_tokens_of_tools": 7, "gen_ai.request.max_tokens": 128})
    assert row["flags"] == "unmapped_usage"


def test_cost_of_a_tool_is_a_fee() -> None:
    row = row_of({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "tokenpnl.cost_usd": "0.01"})
    assert (row["operation"], row["fee_usd"], row["reported_cost_usd"]) == ("tool", Decimal("0.01"), None)


def test_a_search_that_the_provider_ran_inside_a_model_call_is_a_fee_beside_its_tokens() -> None:
    row = row_of({**CHAT, "tokenpnl.cost_usd": "0.01", "gen_ai.usage.cost": 9.0})
    assert (row["operation"], row["fee_usd"]) == ("inference", Decimal("0.01"))
    assert row["reported_cost_usd"] != row["fee_usd"]


def test_tokens_of_a_lexer_are_no_usage() -> None:
    assert row_of({"lexer.tokens": 55}, name="parse")["flags"] == ""


def test_prose_under_an_unknown_name_and_the_query_of_an_address_are_not_kept() -> None:
    row = row_of(
        {"acme.remark": "the patient has had a cough", "url.full": "https://h/search?q=cough", "acme.flag": "on"}
    )
    assert json.loads(row["attributes_json"]) == {"url.full": "https://h/search", "acme.flag": "on"}
    assert (
        row_of({"acme": {"remark": "the patient has had a cough", "n": 1}})["attributes_json"]
        == '{"acme":{"remark":null,"n":1}}'
    )


def test_a_resource_fills_the_owners_that_a_span_does_not_name() -> None:
    resource = {"service.name": "shop", "deployment.environment": "test", "team.id": "t-1", "user.id": "u-0"}
    row = row_of({"user.id": "u-1"}, resource=resource)
    assert (row["service_name"], row["environment"], row["customer_id"], row["user_id"]) == (
        "shop",
        "test",
        "t-1",
        "u-1",
    )


def test_an_end_before_the_start_leaves_the_end_unknown_and_is_flagged() -> None:
    row = row_of({}, end_ns=START_NS - 1)
    assert (row["ended_at"], row["flags"]) == (None, "end_before_start")
    assert row_of({}, end_ns=0)["flags"] == "never_ended"


def test_a_better_name_wins_whatever_its_place() -> None:
    both = {"gen_ai.usage.prompt_tokens": 7, "gen_ai.usage.input_tokens": 9}
    assert row_of(both)["input_tokens"] == row_of(dict(reversed(both.items())))["input_tokens"] == 9


@pytest.mark.parametrize(
    ("attributes", "state", "count", "flagged"),
    [
        ({}, "", None, False),
        ({}, "ot=th:c", 4.0, False),
        ({"sampling.probability": 0.1}, "", 10.0, False),
        ({"sampling.probability": 0.1}, "ot=th:c", 4.0, False),
        ({"SampleRate": 20}, "", 20.0, False),
        ({"sampling.threshold": "8"}, "", 2.0, False),
        ({}, "ot=th:nonsense", None, True),
        ({"sampling.probability": "often"}, "", None, True),
    ],
)
def test_sampling_becomes_an_adjusted_count_or_a_flag(
    attributes: dict[str, Any], state: str, count: float | None, *, flagged: bool
) -> None:
    row = row_of(attributes, trace_state=state)
    assert row["adjusted_count"] == count
    assert ("sampling_unknown" in row["flags"]) is flagged


def test_the_business_id_of_a_span_has_its_column() -> None:
    assert row_of({"tokenpnl.business.id": "ticket-7"})["business_id"] == "ticket-7"
