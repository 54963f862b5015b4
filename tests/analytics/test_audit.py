"""An audit states what a capture holds; what was only assumed to be able to charge it is not stated."""

from decimal import Decimal
from typing import Any

import pytest
from tests.analytics.spans import chat, frame, span

from tokenpnl.tables import OUTCOMES
from tokenpnl_analytics.audit import audit
from tokenpnl_analytics.books import keep_books
from tokenpnl_analytics.frames import empty
from tokenpnl_analytics.pricing.ratecard import default_rate_card


def audited(*rows: dict[str, Any]) -> dict[str, Any]:
    spans = frame(*rows)
    return audit(spans, keep_books(spans, empty(OUTCOMES), default_rate_card()))


def test_totals_and_kinds_are_sums_over_attempts() -> None:
    result = audited(span("root"), chat("a", "root", usage=(1000, 100), cache_read_tokens=400), chat("b", "root", at=2))
    assert result["usage"]["input_total"] == 1100
    assert result["usage"]["input_uncached"] == 700
    assert result["usage"]["input_cache_read"] == 400


def test_a_split_that_no_attempt_tells_is_null_and_flagged() -> None:
    result = audited(span("root"), chat("a", "root", cache_reported=None, reasoning_reported=None))
    assert result["usage"]["input_total"] == 100
    assert result["usage"]["input_uncached"] is None
    assert result["usage"]["output_text"] is None
    assert {"cache_unknown", "reasoning_unknown"} <= set(result["flags"])


def test_a_call_without_usage_is_counted_not_guessed() -> None:
    result = audited(span("root"), chat("a", "root", usage=None))
    assert result["usage_missing_calls"] == 1
    assert result["usage"]["input_total"] == 0
    assert result["cost_usd"] is None


def test_a_model_without_price_leaves_the_cost_unknown() -> None:
    result = audited(span("root"), chat("a", "root", request_model="nobody-9", response_model="nobody-9"))
    assert result["unpriced_calls"] == 1
    assert result["cost_usd"] is None


def test_nothing_asked_costs_nothing() -> None:
    assert audited(span("root"))["cost_usd"] == Decimal(0)


@pytest.mark.parametrize("more", [{}, {"finish_reason": None}])
def test_every_key_is_there_whatever_the_capture_holds(more: dict[str, Any]) -> None:
    assert set(audited(span("root"), chat("a", "root", **more))) == {
        "spans", "runs", "calls", "failed_calls", "attempts", "http_errors", "usage", "usage_missing_calls",
        "cost_usd", "unpriced_calls", "duplicates_removed", "flags",
    }  # fmt: skip
