from decimal import Decimal

from tokenpnl_analytics.classify import classify
from tokenpnl_analytics.pricing.crosscheck import cross_check
from tokenpnl_analytics.pricing.prices import charge


def test_reported_costs_stand_beside_ours_and_are_never_added(rows, card):
    attempts = rows.attempts(
        {"output_text_tokens": 1_000_000, "reported_cost_usd": Decimal("9.5")},
        {"output_text_tokens": 1_000_000, "reported_cost_usd": Decimal(10)},
        {"output_text_tokens": 1_000_000},
        {"model": "house", "output_text_tokens": 5, "reported_cost_usd": Decimal("0.2")},
    )
    lines = charge(classify(attempts, rows.runs({})), classify(rows.fees(), rows.runs({})), card)
    assert lines["cost_usd"].sum() == Decimal(30)
    seen = cross_check(attempts, lines)
    # 20.00 computed for the two against 19.50 reported: 0.5 / 19.5 = 2.56% more.
    assert seen.rows() == [
        ("openai", "gpt-4o", 2, 2, Decimal("19.5"), Decimal(20), Decimal("0.5"), Decimal("0.025641025641"), Decimal(0)),
        ("openai", "house", 1, 0, Decimal(0), Decimal(0), Decimal(0), None, Decimal("0.2")),
    ]


def test_without_reported_costs_there_is_nothing_to_compare(rows, card):
    attempts = rows.attempts({"output_text_tokens": 1})
    assert cross_check(attempts, charge(attempts, rows.fees(), card)).is_empty()
