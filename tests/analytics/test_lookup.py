import polars as pl
from tests.analytics.priced import laid

from tokenpnl_analytics.pricing.lookup import RULED, as_ruled, lookup
from tokenpnl_analytics.pricing.ratecard import default_rate_card

USAGES = pl.DataFrame(
    {
        "provider": ["openai", "google", "openai"],
        "model": ["gpt-4o", "gemini-2.5-pro", "gpt-4o"],
        "region": ["eu-1", None, None],
        "tenant": ["a", "b", "c"],
    }
)


def test_without_rules_the_published_frames_are_used_as_they_are():
    card = default_rate_card()
    found = lookup(card, USAGES)
    assert (found.by, found.ruled) == (("provider", "model"), False)
    assert found.known.height == 2
    assert found.rates is card.joinable_rates


def test_regions_and_tenants_tell_usages_apart_only_where_a_rule_speaks_of_them():
    found = lookup(laid(contract="rules: [{match: {region: 'eu*'}, multiplier: 2}]"), USAGES)
    assert found.by == ("provider", "model", "region")
    assert found.known.height == 3


def test_rules_bring_the_slots_of_the_asked_models_alone():
    card = laid(contract="rules: [{match: {provider: openai}, discount_pct: 10}]")
    found = lookup(card, USAGES)
    assert found.ruled
    assert found.slots["card_key"].n_unique() == 2
    assert set(RULED) <= set(found.rates.columns)


def test_rules_that_touch_nothing_asked_for_cost_nothing():
    card = laid(contract="rules: [{match: {provider: cohere}, discount_pct: 10}]")
    assert not lookup(card, USAGES).ruled


def test_published_rates_take_the_columns_of_rules_with_the_published_price():
    ruled = as_ruled(default_rate_card().joinable_rates.head(3))
    assert ruled["contracted_usd_per_million"].equals(ruled["usd_per_million"].alias("contracted_usd_per_million"))
    assert ruled["price_reason"].null_count() == 3
