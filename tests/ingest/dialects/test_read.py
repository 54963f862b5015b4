"""What any span becomes."""

from decimal import Decimal

from tests.ingest.raw_spans import row_of

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
