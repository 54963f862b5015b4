"""Anthropic's cost report."""

from decimal import Decimal
from typing import Any

import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.closing.invoices import anthropic_cost


def page(**result: Any) -> dict[str, Any]:
    whole = {
        "amount": "123.78912", "currency": "USD", "cost_type": "tokens", "model": "claude-sonnet-5",
        "token_type": "uncached_input_tokens", "service_tier": "standard", "workspace_id": None, **result,
    }  # fmt: skip
    bucket = {"starting_at": "2026-10-07T00:00:00Z", "ending_at": "2026-10-08T00:00:00Z", "results": [whole]}
    return {"data": [bucket], "has_more": False}


def line(**result: Any) -> dict[str, Any]:
    (row,) = anthropic_cost.read(page(**result), name="cost.json").lines.to_dicts()
    return row


def test_the_amount_is_in_cents() -> None:
    row = line()
    assert row["cost"] == Decimal("1.2378912")
    assert (row["usage_kind"], row["account"], row["service_tier"]) == ("input_uncached", "default", None)


@pytest.mark.parametrize(
    ("token_type", "kind"),
    [
        ("cache_read_input_tokens", "input_cache_read"),
        ("cache_creation.ephemeral_5m_input_tokens", "input_cache_write_5m"),
        ("cache_creation.ephemeral_1h_input_tokens", "input_cache_write_1h"),
        ("output_tokens", "output"),
    ],
)
def test_a_token_type_is_a_kind(token_type: str, kind: str) -> None:
    assert line(token_type=token_type)["usage_kind"] == kind


def test_searches_and_code_are_no_tokens() -> None:
    no_tokens = {"token_type": None, "model": None, "service_tier": None}
    assert line(cost_type="web_search", **no_tokens)["usage_kind"] == "web_search"
    assert line(cost_type="code_execution", **no_tokens)["usage_kind"] == "code_execution"
    assert line(cost_type="session_usage", **no_tokens)["usage_kind"] == "other"


def test_an_ungrouped_report_tells_no_kind() -> None:
    row = line(cost_type=None, token_type=None, model=None, service_tier=None)
    assert (row["model"], row["usage_kind"]) == (None, None)


@pytest.mark.parametrize("amount", [123, Decimal("1.5"), "=1", None])
def test_an_amount_that_is_no_decimal_string_is_refused(amount: object) -> None:
    with pytest.raises(RefusedInputError, match="decimal string of US cents"):
        line(amount=amount)


def test_an_unknown_token_type_is_refused() -> None:
    with pytest.raises(RefusedInputError, match="expected one of uncached_input_tokens"):
        line(token_type="dream_tokens")


def test_the_report_says_what_it_leaves_out() -> None:
    assert anthropic_cost.PRIORITY_ABSENT in anthropic_cost.read(page(), name="cost.json").notes
