from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest
from tests.analytics.priced import laid

from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.classify import classify
from tokenpnl_analytics.frames import conform
from tokenpnl_analytics.pricing.prices import charge
from tokenpnl_analytics.pricing.trueups import true_ups, with_estimated_true_up
from tokenpnl_analytics.rules.prices import CONTRACT

STEPS = "steps: [{above: 0, pct: 0}, {above: 10, pct: 10}, {above: 20, pct: 20}]"


def lines_of(rows, card, *attempts):
    made = rows.attempts(*({"input_total_tokens": 9, "input_uncached_tokens": 1_000_000} | a for a in attempts))
    priced = charge(classify(made, rows.runs({})), classify(rows.fees(), rows.runs({})), card)
    return conform(priced, LINE_ITEMS)


def settled(rows, text, *attempts):
    contract = CONTRACT.parse(text)
    return true_ups(lines_of(rows, laid(contract=text), *attempts), contract, "2026-11")


@pytest.mark.parametrize(("whole", "expected"), [("false", "-2"), ("true", "-5")])
def test_a_volume_discount_is_settled_by_the_step_reached_or_by_each_step(rows, whole, expected):
    # Ten calls of 2.50: 25 USD. Above 10: 10% of 10, above 20: 20% of 5, together 2; the whole at 20%: 5.
    made = settled(rows, f"volume_tiers: [{{name: v, whole: {whole}, {STEPS}}}]", *[{}] * 10)
    assert made.select("charge_category", "usage_kind", "cost_usd", "contracted_cost_usd", "pool").rows() == [
        ("Adjustment", "true_up", Decimal(expected), Decimal(expected), "v")
    ]


def test_the_discount_that_the_lines_carry_is_taken_off_what_was_earned(rows):
    text = f"volume_tiers: [{{name: v, whole: true, estimated_pct: 25, {STEPS}}}]"
    # 25 USD at list, 18.75 on the lines, 20 after the 20% that were earned: 1.25 too little.
    assert settled(rows, text, *[{}] * 10)["cost_usd"].to_list() == [Decimal("1.25")]


def test_a_rebate_is_a_credit(rows):
    made = settled(rows, "rebates: [{name: r, steps: [{above: 5, pct: 50}]}]", *[{}] * 4)
    # 10 USD; half of what is above 5.
    assert made.select("charge_category", "cost_usd").rows() == [("Credit", Decimal("-2.5"))]


def test_volume_can_be_counted_in_tokens(rows):
    text = "rebates: [{name: r, measure: tokens, whole: true, steps: [{above: 1000000, pct: 10}]}]"
    assert settled(rows, text, {}).is_empty()
    assert settled(rows, text, {}, {})["cost_usd"].to_list() == [Decimal("-0.5")]


def test_only_usage_of_the_month_and_of_the_match_counts(rows):
    text = "rebates: [{name: r, match: {provider: openai}, steps: [{above: 0, pct: 10}]}]"
    other = {"provider": "anthropic", "model": "claude-sonnet-4-5"}
    late = {"started_at": datetime(2026, 12, 1, tzinfo=UTC)}
    assert settled(rows, text, {}, other, late)["cost_usd"].to_list() == [Decimal("-0.25")]


def test_a_term_that_ended_before_the_month_earns_nothing(rows):
    assert settled(rows, "rebates: [{name: r, to: 2026-10-31, steps: [{above: 0, pct: 10}]}]", {}).is_empty()


def test_lines_are_never_rated_again_and_the_settlement_is_dated_in_its_month(rows):
    (line,) = settled(rows, "rebates: [{name: r, steps: [{above: 0, pct: 10}]}]", {}).iter_rows(named=True)
    assert line["started_at"] == datetime(2026, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC)
    assert line["line_id"] == "true_up/2026-11/r/default/openai/gpt-4o"


def test_tenants_share_a_settlement_by_their_cost(rows):
    made = settled(rows, "rebates: [{name: r, steps: [{above: 0, pct: 10}]}]", *[{"tenant": t} for t in "aab"])
    assert made.select("tenant", "cost_usd").rows() == [("a", Decimal("-0.5")), ("b", Decimal("-0.25"))]


def test_nothing_to_settle_is_an_empty_table(rows):
    made = settled(rows, "rules: []", {})
    assert made.is_empty()
    assert made.schema == conform(pl.DataFrame(made), LINE_ITEMS).schema


def test_an_estimate_stands_beside_the_statement_and_in_no_sum(rows):
    due = settled(rows, "rebates: [{name: r, steps: [{above: 5, pct: 50}]}]", *[{}] * 4)
    whole = pl.DataFrame({"effective_usd": [Decimal(10)]})
    assert with_estimated_true_up(whole, due).rows() == [(Decimal(10), due["cost_usd"].sum())]
    by_provider = pl.DataFrame({"provider": ["mistral", "openai"], "effective_usd": [Decimal(1), Decimal(10)]})
    found = with_estimated_true_up(by_provider, due, ["provider"])
    assert found["true_up_estimated_usd"].to_list() == [None, due["cost_usd"].sum()]


def test_nothing_to_settle_is_no_estimate(rows):
    whole = pl.DataFrame({"effective_usd": [Decimal(10)]})
    assert with_estimated_true_up(whole, settled(rows, "rules: []", {}))["true_up_estimated_usd"].to_list() == [None]
