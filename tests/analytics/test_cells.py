from decimal import Decimal

import pytest
from tests.analytics.priced import costs, laid, lines_of

CLAUDE = {"provider": "anthropic", "model": "claude-sonnet-4-5"}


def usd(*amounts):
    return tuple(None if amount is None else Decimal(amount) for amount in amounts)


def test_a_discount_lowers_the_contracted_price_and_keeps_the_list():
    card = laid(contract="rules: [{match: {provider: anthropic}, discount_pct: 12}]")
    lines = lines_of(card, CLAUDE)
    assert costs(card, CLAUDE) == [usd("3", "2.64", "2.64")]
    assert lines.select("price_source", "price_reason").row(0) == ("genai-prices", "discount")


def test_a_discount_entered_once_applies_to_every_tenant():
    card = laid(contract="rules: [{match: {provider: anthropic}, discount_pct: 12}]")
    assert {cost[1] for cost in costs(card, *(CLAUDE | {"tenant": name} for name in ("a", "b", "c")))} == {
        Decimal("2.64")
    }


def test_a_rule_for_one_tenant_is_for_no_other():
    card = laid(contract="rules: [{match: {tenant: a}, discount_pct: 50}]")
    assert [cost[1] for cost in costs(card, {"tenant": "a"}, {"tenant": "b"})] == [Decimal("1.25"), Decimal("2.5")]


def test_a_regional_uplift_is_on_list_and_contract():
    card = laid(contract="rules: [{match: {provider: openai, region: 'eu-*'}, multiplier: 1.10}]")
    assert costs(card, {"region": "eu-west-1"}, {"region": "us-east-1"}, {}) == [
        usd("2.75", "2.75", "2.75"),
        usd("2.5", "2.5", "2.5"),
        usd("2.5", "2.5", "2.5"),
    ]


def test_a_contracts_price_is_net_and_the_list_stays_beside_it():
    card = laid(
        contract="""rules:
- {match: {provider: openai}, discount_pct: 50}
- {match: {provider: openai, model: gpt-4o}, prices: {input_uncached: 2}}
"""
    )
    lines = lines_of(card, {"output_text_tokens": 1_000_000})
    # The price of input is agreed on; output has its list price of 10 less the discount.
    assert lines["contracted_cost_usd"].to_list() == [Decimal(2), Decimal(5)]
    assert lines["list_cost_usd"].to_list() == [Decimal("2.5"), Decimal(10)]
    assert lines["price_source"].to_list() == ["contract", "genai-prices"]
    assert lines["price_reason"].to_list() == ["fixed", "discount"]


def test_an_override_replaces_the_list_and_discounts_apply_to_it():
    card = laid(
        contract="rules: [{match: {provider: openai}, discount_pct: 10}]",
        override="rules: [{match: {model: gpt-4o}, prices: {input_uncached: 4}}]",
    )
    assert costs(card) == [usd("4", "3.6", "3.6")]


def test_a_cache_read_without_a_price_of_its_own_follows_the_price_that_replaces_input():
    read = {"model": "gpt-4", "input_uncached_tokens": None, "input_cache_read_tokens": 1_000_000}
    card = laid(override="rules: [{match: {model: gpt-4}, prices: {input_uncached: 7}}]")
    assert costs(card, read) == [usd("7", "7", "7")]


def test_a_cache_read_with_a_price_of_its_own_keeps_it():
    read = {"input_uncached_tokens": None, "input_cache_read_tokens": 1_000_000}
    card = laid(override="rules: [{match: {model: gpt-4o}, prices: {input_uncached: 7}}]")
    assert costs(card, read) == [usd("1.25", "1.25", "1.25")]


def test_free_quota_stands_at_list_and_is_contracted_at_nothing():
    card = laid(contract="rules: [{match: {model: gpt-4o}, free_tier: true}]")
    assert costs(card) == [usd("2.5", "0", "0")]
    assert lines_of(card)["price_reason"].to_list() == ["free_tier"]


def test_usage_on_a_commitment_costs_no_tokens_and_names_its_pool():
    card = laid(contract="rules: [{match: {provider: azure, model: 'ptu-*'}, commitment: ptu-eu}]")
    ptu = {"provider": "azure", "model": "ptu-1"}
    row = lines_of(card, ptu).row(0, named=True)
    assert (row["cost_usd"], row["cost_source"], row["pool"], row["price_reason"], row["flags"]) == (
        Decimal(0),
        "commitment",
        "ptu-eu",
        "commitment",
        "",
    )


def test_a_committed_model_with_a_list_price_keeps_list_and_contract():
    card = laid(contract="rules: [{match: {model: gpt-4o}, commitment: ptu-eu, discount_pct: 10}]")
    assert costs(card) == [usd("2.5", "2.25", "0")]


def test_a_contract_in_euros_is_priced_by_the_rate_of_the_month_and_keeps_its_currency(rows):
    card = laid(
        contract="rules: [{match: {model: gpt-4o}, prices: {input_uncached: 2}, currency: EUR}]",
        fx="months: {EUR: {2026-10: 1.08, 2026-11: 1.1}}",
    )
    october = rows.start.replace(month=10)
    lines = lines_of(card, {"started_at": october}, {}, {"started_at": october.replace(month=9)})
    assert lines["contracted_cost_usd"].to_list() == [Decimal("2.16"), Decimal("2.2"), None]
    assert lines["currency"].to_list() == ["EUR", "EUR", "EUR"]
    assert lines["native_unit_per_million"].to_list() == [Decimal(2)] * 3
    assert lines["cost_source"].to_list() == ["computed", "computed", "unpriced"]


def test_a_price_is_rounded_once_half_even_at_six_decimals_and_says_so():
    card = laid(contract="rules: [{match: {model: gpt-4o}, discount_pct: 33.33335}]")
    # 2.50 x 0.6666665 = 1.66666625, half-even at six decimals 1.666666.
    line = lines_of(card).row(0, named=True)
    assert (line["contracted_unit_usd_per_million"], line["flags"]) == (Decimal("1.666666"), "price_rounded")


def test_prices_per_thousand_tokens_are_prices():
    card = laid(override="rules: [{match: {model: house}, prices: {input_uncached: 0.002}, per: 1000}]")
    assert costs(card, {"provider": "house", "model": "house"}) == [usd("2", "2", "2")]


@pytest.mark.parametrize(("total", "expected"), [(128_000, "1"), (128_001, "2")])
def test_a_rules_tier_is_a_cliff_on_the_whole_input(total, expected):
    card = laid(
        override="""rules:
- match: {model: house}
  prices: {input_uncached: 1}
  tiers: [{above: 128000, prices: {input_uncached: 2}}]
"""
    )
    assert costs(card, {"provider": "house", "model": "house", "input_total_tokens": total})[0][0] == Decimal(expected)


def test_batch_by_rule_is_compared_with_the_standard_price():
    card = laid(
        override="""rules:
- match: {model: house}
  prices: {input_uncached: 4}
  contexts: {batch: {prices: {input_uncached: 2}}}
"""
    )
    house = {"provider": "house", "model": "house"}
    lines = lines_of(card, house | {"service_tier": "batch"}, house | {"service_tier": "flex"}, house)
    assert lines["cost_usd"].to_list() == [Decimal(2), Decimal(4), Decimal(4)]
    assert lines["standard_cost_usd"].to_list() == [Decimal(4), None, None]
    assert lines["flags"].to_list() == ["", "context_unmatched", ""]


def test_a_contract_without_a_batch_price_leaves_batch_to_the_list():
    card = laid(contract="rules: [{match: {model: gpt-4o}, prices: {input_uncached: 2}}]")
    line = lines_of(card, {"service_tier": "batch"}).row(0, named=True)
    assert (line["cost_usd"], line["price_source"]) == (Decimal("1.25"), "genai-prices")
    assert line["standard_cost_usd"] == Decimal(2)


def test_a_fee_for_searches_is_per_search():
    card = laid(contract="rules: [{match: {provider: openai}, prices: {web_search: 0.008}}]")
    lines = lines_of(card, {"web_searches": 3, "input_uncached_tokens": None})
    assert lines.select("usage_kind", "quantity", "cost_usd", "list_cost_usd").rows() == [
        ("web_search", 3, Decimal("0.024"), Decimal("0.03"))
    ]


def test_self_hosted_tokens_with_a_price_of_their_own_have_that_cost():
    card = laid(override="rules: [{match: {provider: vllm, model: 'llama*'}, prices: {input_uncached: 0.1}}]")
    served = {"provider": "vllm", "deployment": "self_host"}
    lines = lines_of(card, served | {"model": "llama-3.3-70b"}, served | {"model": "qwen"})
    assert lines.select("cost_usd", "cost_source").rows() == [(Decimal("0.1"), "computed"), (None, "gpu")]


def test_an_estimated_volume_discount_comes_on_top_of_another():
    card = laid(
        contract="""rules: [{match: {provider: openai}, discount_pct: 10}]
volume_tiers: [{name: v, match: {provider: openai}, estimated_pct: 20, steps: [{above: 0, pct: 20}]}]
"""
    )
    assert costs(card) == [usd("2.5", "1.8", "1.8")]


@pytest.mark.parametrize(
    ("priced_in_yen", "paid"), [("input_uncached", "1.25"), ("input_cache_read", None)], ids=["input", "cache reads"]
)
def test_where_one_side_of_a_saving_has_no_price_nothing_is_said_to_be_saved(priced_in_yen, paid):
    # No rate of the yen is known, so that its price is none in dollars.
    card = laid(override=f"rules: [{{match: {{model: gpt-4o}}, currency: JPY, prices: {{{priced_in_yen}: 400}}}}]")
    lines = lines_of(card, {"input_uncached_tokens": 1_000_000, "input_cache_read_tokens": 1_000_000})
    (read,) = lines.filter(usage_kind="input_cache_read").select("cost_usd", "uncached_cost_usd").rows()
    assert read == usd(paid, paid)
