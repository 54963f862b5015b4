from decimal import Decimal

from tokenpnl_analytics.pricing.memos import avoided_costs, primary_costs
from tokenpnl_analytics.pricing.prices import charge


def test_a_hit_of_the_applications_cache_books_what_it_avoided(rows, card):
    hit = {"cached": True, "cache_avoided_input_tokens": 1000, "cache_avoided_output_tokens": 10}
    calls = avoided_costs(rows.calls(hit, hit | {"model": "house-model"}, {}), card)
    assert calls["cache_avoided_usd"].to_list() == [Decimal("0.0026"), None, None]


def test_a_fallback_is_compared_with_the_primary_that_it_replaced(rows, card):
    call = {"call_key": "c1"}
    attempts = rows.attempts(
        call | {"model": "gpt-4o-mini", "superseded": True, "status": "error"},
        call | {"attempt_number": 2, "served_reason": "fallback", "output_text_tokens": 1_000_000},
    )
    lines = primary_costs(charge(attempts, rows.fees(), card), attempts, card)
    # gpt-4o answered for 10 USD a million, gpt-4o-mini would have for 0.60.
    assert lines.select("cost_usd", "primary_cost_usd").rows() == [(Decimal(10), Decimal("0.6"))]


def test_a_fallback_whose_primary_left_no_trace_has_no_comparison(rows, card):
    attempts = rows.attempts({"served_reason": "fallback", "output_text_tokens": 1})
    lines = primary_costs(charge(attempts, rows.fees(), card), attempts, card)
    assert lines["primary_cost_usd"].to_list() == [None]
