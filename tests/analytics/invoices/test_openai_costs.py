"""OpenAI's costs report."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.closing.invoices import openai_costs

DAY = int(datetime(2026, 10, 7, tzinfo=UTC).timestamp())


def page(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    whole = [{"object": openai_costs.RESULT, **result} for result in results]
    bucket = {"object": "bucket", "start_time": DAY, "end_time": DAY + 86_400, "results": whole}
    return {"object": "page", "data": [bucket], "has_more": False, "next_page": None, **more}


def cost(value: str, **told: Any) -> dict[str, Any]:
    return {"amount": {"value": Decimal(value), "currency": "usd"}, "line_item": None, "project_id": None, **told}


def test_a_line_item_is_model_and_kind() -> None:
    document = page(cost("0.06", line_item="gpt-5.4-2026-03-05, cached input", project_id="proj_a"))
    assert openai_costs.recognises(document)
    (row,) = openai_costs.read(document, name="costs.json").lines.to_dicts()
    assert (row["day"], row["account"]) == (date(2026, 10, 7), "proj_a")
    assert (row["model"], row["usage_kind"]) == ("gpt-5.4-2026-03-05", "input_cache_read")
    assert (row["cost"], row["currency"], row["quantity"]) == (Decimal("0.06"), "USD", None)


def test_an_ungrouped_report_tells_neither() -> None:
    (row,) = openai_costs.read(page(cost("1")), name="costs.json").lines.to_dicts()
    assert (row["model"], row["usage_kind"], row["account"]) == (None, None, "default")


def test_a_service_that_is_no_tokens_keeps_its_words() -> None:
    document = page(cost("2", line_item="web search tool calls"), cost("3", line_item="code interpreter sessions"))
    lines = openai_costs.read(document, name="costs.json").lines
    assert lines["usage_kind"].to_list() == ["web_search", "other"]
    assert lines["description"].to_list() == ["web search tool calls", "code interpreter sessions"]


def test_a_negative_amount_is_a_credit() -> None:
    lines = openai_costs.read(page(cost("-5")), name="costs.json").lines
    assert lines["charge_category"].to_list() == ["Credit"]


def test_every_fault_is_listed_and_nothing_is_taken() -> None:
    document = page(cost("1"), {"amount": None}, {"amount": {"value": "=2", "currency": "usd"}})
    with pytest.raises(RefusedInputError, match=r"results\[1\].*results\[2\]"):
        openai_costs.read(document, name="costs.json")


def test_a_report_that_goes_on_says_so() -> None:
    (note,) = openai_costs.read(page(cost("1"), has_more=True), name="costs.json").notes
    assert "has_more" in note
