from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analytics.conftest import attempts_of
from tests.analytics.priced import laid

from tokenpnl_analytics.pricing.layered import merged
from tokenpnl_analytics.pricing.prices import token_lines
from tokenpnl_analytics.pricing.ratecard import default_rate_card
from tokenpnl_analytics.pricing.reprice import changes, preview, usage_sums

NEW = laid(
    contract="""rules:
- {match: {provider: anthropic}, discount_pct: 12, from: 2026-07-01}
- {match: {provider: openai, region: 'eu*'}, multiplier: 1.1}
- match: {model: house}
  prices: {input_uncached: 1}
  tiers: [{above: 1000, prices: {input_uncached: 2}}]
"""
)
YEAR = datetime(2025, 1, 1, tzinfo=UTC)
CLAUDE = "claude-sonnet-4-5"
SERVED = [
    ("openai", "gpt-4o"),
    ("anthropic", "claude-sonnet-4-5"),
    ("deepseek", "deepseek-v4-pro"),
    ("perplexity", "sonar"),
    ("house", "house"),
    ("nobody", "nothing"),
]
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "served": st.sampled_from(SERVED),
            "service_tier": st.sampled_from([None, "batch", "scale"]),
            "region": st.sampled_from([None, "eu-1"]),
            "started_at": st.integers(0, 1_000_000).map(lambda minutes: YEAR + timedelta(minutes=minutes)),
            "input_uncached_tokens": st.integers(0, 10**6),
            "output_text_tokens": st.none() | st.integers(0, 10**5),
            "web_searches": st.none() | st.integers(0, 9),
            "input_total_tokens": st.sampled_from([0, 1000, 1001, 200_000, 200_001]),
            "billed": st.sampled_from([None, True, False]),
        }
    ).map(lambda call: call | dict(zip(("provider", "model"), call.pop("served"), strict=True))),
    min_size=1,
    max_size=30,
)


@settings(max_examples=40)
@given(CALLS)
def test_summed_first_costs_what_every_call_costs(calls):
    attempts = attempts_of(*calls)
    seen = preview(attempts, default_rate_card(), NEW)
    for card, column in ((default_rate_card(), "old_usd"), (NEW, "new_usd")):
        lines = token_lines(attempts, card)
        assert seen[column].sum() == lines["cost_usd"].sum()
        assert seen["quantity"].sum() == lines["quantity"].sum()


def test_the_change_is_told_by_month_provider_model_and_kind(rows):
    claude = {"provider": "anthropic", "model": "claude-sonnet-4-5", "input_uncached_tokens": 1_000_000}
    claude |= {"input_total_tokens": 10}
    june = {"started_at": datetime(2026, 6, 30, 23, 59, tzinfo=UTC)}
    moved = changes(rows.attempts(claude, claude, claude | june, {"output_text_tokens": 5}), default_rate_card(), NEW)
    assert moved.select(
        "month", "provider", "model", "usage_kind", "n_calls", "quantity", "old_usd", "new_usd", "difference_usd"
    ).rows() == [
        (
            "2026-11",
            "anthropic",
            "claude-sonnet-4-5",
            "input_uncached",
            2,
            2_000_000,
            6,
            Decimal("5.28"),
            Decimal("-0.72"),
        )
    ]


def test_usage_that_gets_a_price_is_a_change(rows):
    (row,) = changes(
        rows.attempts({"provider": "house", "model": "house", "input_uncached_tokens": 1000}), default_rate_card(), NEW
    ).iter_rows(named=True)
    assert (row["old_usd"], row["new_usd"], row["difference_usd"]) == (None, Decimal("0.001"), None)
    assert (row["old_unpriced_quantity"], row["new_unpriced_quantity"]) == (1000, 0)


def test_equal_prices_change_nothing(rows):
    assert changes(rows.attempts({"output_text_tokens": 5}), default_rate_card(), default_rate_card()).is_empty()


def test_no_usage_changes_nothing(rows):
    assert preview(rows.attempts({"output_text_tokens": 5}).clear(), default_rate_card(), NEW).is_empty()


def test_calls_of_one_cell_become_one_row(rows):
    calls = [{"input_uncached_tokens": n, "input_total_tokens": n} for n in range(1, 50)]
    usage = usage_sums(rows.attempts(*calls), [default_rate_card()])
    assert usage.select("n_calls", "input_uncached_tokens").rows() == [(49, 1225)]


@pytest.mark.parametrize("hours", [-1, 0])
def test_a_schedule_is_cut_at_its_edge(rows, hours):
    edge = datetime(2026, 11, 10, tzinfo=UTC)
    card = merged([(None, None, default_rate_card()), (int(edge.timestamp()) * 10**9, None, NEW)])
    call = {"region": "eu-1", "input_uncached_tokens": 1_000_000, "input_total_tokens": 9}
    attempts = rows.attempts(call | {"started_at": edge + timedelta(hours=hours)})
    expected = {-1: Decimal("2.5"), 0: Decimal("2.75")}
    assert preview(attempts, default_rate_card(), card)["new_usd"].to_list() == [expected[hours]]
