"""Anthropic's usage report."""

from typing import Any

import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.closing.invoices import anthropic_usage


def page(**result: Any) -> dict[str, Any]:
    whole = {
        "uncached_input_tokens": 5, "cache_read_input_tokens": 128_955,
        "cache_creation": {"ephemeral_5m_input_tokens": 1_000, "ephemeral_1h_input_tokens": 253}, "output_tokens": 40,
        "server_tool_use": {"web_search_requests": 2}, "model": "claude-opus-5", "workspace_id": "wrkspc_1",
        "service_tier": "standard", **result,
    }  # fmt: skip
    return {"data": [{"starting_at": "2026-10-07T00:00:00Z", "ending_at": "2026-10-07T01:00:00Z", "results": [whole]}]}


def test_the_groups_are_disjoint() -> None:
    lines = anthropic_usage.read(page(), name="usage.json").lines
    assert dict(lines.select("usage_kind", "quantity").iter_rows()) == {
        "input_uncached": 5, "input_cache_read": 128_955, "input_cache_write_5m": 1_000, "input_cache_write_1h": 253,
        "output": 40, "web_search": 2,
    }  # fmt: skip
    assert lines["cost"].null_count() == 6


def test_priority_tokens_are_named() -> None:
    (note,) = anthropic_usage.read(page(service_tier="priority"), name="usage.json").notes
    assert note.startswith("Priority-tier tokens")


@pytest.mark.parametrize("wrong", [{"output_tokens": None}, {"output_tokens": -1}, {"model": None}])
def test_a_result_without_count_or_model_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(RefusedInputError, match="expected"):
        anthropic_usage.read(page(**wrong), name="usage.json")
