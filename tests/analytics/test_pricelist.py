from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
from tests.analytics.priced import laid

from tokenpnl_analytics.pricing.layered import merged
from tokenpnl_analytics.pricing.pricelist import card_differences, dated_prices, price_list
from tokenpnl_analytics.pricing.ratecard import default_rate_card

NOVEMBER = datetime(2026, 11, 24, tzinfo=UTC)
CARD = laid(
    contract="rules: [{match: {provider: anthropic}, discount_pct: 12, from: 2026-07-01}]",
    override="rules: [{match: {provider: house, model: desk}, prices: {output_text: 4}}]",
)


def served(provider, model):
    return pl.DataFrame({"provider": [provider], "model": [model]})


def test_the_list_shows_contracted_beside_list_prices():
    listed = price_list(CARD, NOVEMBER, provider="anthropic").filter(pl.col("model") == "claude-sonnet-4-5")
    row = listed.row(0, named=True)
    assert (row["input_usd"], row["list_input_usd"], row["price_reason"]) == (Decimal("2.64"), Decimal(3), "discount")
    assert "batch" in row["tiers"]


def test_the_list_knows_models_that_only_a_rule_names():
    row = price_list(CARD, NOVEMBER, provider="house").row(0, named=True)
    assert (row["model"], row["output_usd"], row["input_usd"], row["price_source"]) == ("desk", 4, None, "override")


def test_without_rules_no_price_has_a_reason():
    listed = price_list(default_rate_card(), NOVEMBER, provider="anthropic")
    assert listed["price_reason"].null_count() == listed.height


def test_every_dated_price_of_a_model_is_shown_with_its_tier():
    shown = dated_prices(CARD, served("anthropic", "claude-sonnet-4-5")).filter(
        pl.col("usage_kind") == "input_uncached", pl.col("tier") == "standard"
    )
    july = datetime(2026, 7, 1, tzinfo=UTC)
    assert shown.select("from", "until", "input_above", "list_usd", "contracted_usd").rows() == [
        (None, july, None, Decimal(3), Decimal(3)),
        (None, july, 200_000, Decimal(6), Decimal(6)),
        (july, None, None, Decimal(3), Decimal("2.64")),
        (july, None, 200_000, Decimal(6), Decimal("5.28")),
    ]


def test_prices_of_a_part_of_the_day_say_which():
    shown = dated_prices(default_rate_card(), served("deepseek", "deepseek-v4-pro"))
    assert shown.filter(pl.col("day_from") != "")["day_until"].str.contains(r"^\d\d:\d\d$").all()
    assert shown["day_from"].n_unique() > 1


def test_a_schedule_shows_each_version_in_its_span():
    edge = int(NOVEMBER.timestamp()) * 10**9
    card = merged([(None, None, default_rate_card()), (edge, None, CARD)])
    shown = dated_prices(card, served("openai", "gpt-4")).filter(
        pl.col("usage_kind") == "output_text", pl.col("tier") == "standard"
    )
    assert shown.select("until", "price_version").rows() == [
        (NOVEMBER, default_rate_card().version),
        (None, CARD.version),
    ]


def test_a_tier_without_prices_of_its_own_is_not_shown():
    shown = dated_prices(default_rate_card(), served("deepseek", "deepseek-v4-pro"))
    assert shown["tier"].unique().to_list() == ["standard"]


def test_equal_cards_do_not_differ():
    assert card_differences(CARD, CARD).is_empty()


def test_a_rule_that_was_added_is_named():
    told = card_differences(default_rate_card(), CARD)
    assert told.select("what", "old").rows() == [("contract", None), ("override", None)]
    assert told["new"][1] == '{"prices":{"output_text":"4"},"match":{"provider":"house","model":"desk"}}'


def test_a_published_price_that_moved_is_told():
    card = default_rate_card()
    moved = pl.when((pl.col("rate_id") == 0) & (pl.col("usage_kind") == "output_text")).then(
        pl.col("usd_per_million") + 1
    )
    other = replace(card, rates=card.rates.with_columns(moved.otherwise("usd_per_million").alias("usd_per_million")))
    told = card_differences(card, other)
    assert told.height == 1
    assert Decimal(told["new"][0]) - Decimal(told["old"][0]) == 1
