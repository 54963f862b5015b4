from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import ClauseEquals, ModelInfo, ModelPrice, Provider, Tier, TieredPrices

from tokenpnl_analytics.pricing.ratecard import flatten


def card_of(*models):
    seller = Provider(id="acme", name="Acme", api_pattern="https://acme", models=list(models))
    return flatten(DataSnapshot(providers=[seller], from_auto_update=False), source="test")


def model_of(prices, name="m"):
    return ModelInfo(id=name, match=ClauseEquals(name), prices=prices)


def prices_of(card):
    return dict(card.rates.select("usage_kind", "usd_per_million").iter_rows())


def test_a_kind_is_priced_by_the_most_specific_price_above_it():
    card = card_of(model_of(ModelPrice(input_mtok=Decimal(2), cache_write_mtok=Decimal("2.5"))))
    prices = prices_of(card)
    assert prices["input_cache_read"] == prices["input_uncached"] == Decimal(2)
    assert prices["input_cache_write_30m"] == Decimal("2.5")


def test_a_kind_without_any_price_above_it_has_no_rate():
    assert "output_text" not in prices_of(card_of(model_of(ModelPrice(input_mtok=Decimal(2)))))


def test_a_price_with_float_dust_is_rounded_half_even_to_six_decimals_and_marked():
    card = card_of(model_of(ModelPrice(output_mtok=Decimal("0.0000025"), input_mtok=Decimal("0.15"))))
    rates = {
        kind: (usd, rounded)
        for kind, usd, rounded in card.rates.select("usage_kind", "usd_per_million", "rounded").iter_rows()
    }
    assert rates["output_text"] == (Decimal("0.000002"), True)
    assert rates["input_uncached"] == (Decimal("0.15"), False)


def test_a_tier_reaches_up_to_its_bound_and_no_further():
    tiered = TieredPrices(base=Decimal(1), tiers=[Tier(start=100, price=Decimal(3))])
    card = card_of(model_of(ModelPrice(input_mtok=tiered)))
    tiers = card.slots.join(card.rates, on="rate_id").filter(pl.col("usage_kind") == "input_uncached")
    assert tiers.select("input_above", "usd_per_million").rows() == [(-1, Decimal(1)), (100, Decimal(3))]


def test_a_free_variant_costs_nothing_and_another_empty_list_is_unpriced():
    assert set(prices_of(card_of(model_of(ModelPrice(), "m:free"))).values()) == {Decimal(0)}
    assert prices_of(card_of(model_of(ModelPrice()))) == {}


def test_the_version_changes_with_any_price():
    one, same, other = (
        card_of(model_of(ModelPrice(input_mtok=Decimal(usd)))).version for usd in ("1", "1", "1.000001")
    )
    assert one == same != other


def test_every_moment_and_every_input_falls_into_one_slot_of_its_model(card):
    at = int(datetime(2026, 11, 24, 3, 30, tzinfo=UTC).timestamp()) * 10**9
    day = at % 86_400_000_000_000
    for tokens in (0, 1, 200_000, 10**9):
        inside = card.slots.filter(
            (pl.col("from_ns") <= at) & (pl.col("until_ns") > at),
            (pl.col("day_from_ns") <= day) & (pl.col("day_until_ns") > day),
            (pl.col("input_above") < tokens) & (pl.col("input_up_to") >= tokens),
        )
        assert inside["card_key"].n_unique() == inside.height == len(card.keys)


def test_a_batch_price_knows_the_standard_one_beside_it(card):
    key = card.keys["openai", "gpt-4o", "batch"]
    slots = card.slots.filter((pl.col("card_key") == key) & pl.col("context_matched"))
    rates = slots.join(card.rates, on="rate_id").filter(pl.col("usage_kind") == "output_text")
    assert rates.select("usd_per_million", "standard_usd_per_million").rows() == [(Decimal(5), Decimal(10))]


def test_a_kind_says_whose_price_it_takes():
    card = card_of(model_of(ModelPrice(input_mtok=Decimal(2), cache_read_mtok=Decimal(1), output_mtok=Decimal(8))))
    inherits = dict(card.rates.select("usage_kind", "inherits").iter_rows())
    assert (inherits["input_cache_read"], inherits["input_cache_write_5m"]) == (None, "input_uncached")
    assert inherits["output_reasoning"] == "output_text"


def test_searches_are_priced_by_the_search():
    prices = prices_of(card_of(model_of(ModelPrice(web_searches_kcount=Decimal(10)))))
    assert prices["web_search"] == Decimal(10_000)  # a million at 10 USD per thousand


def test_a_rounded_price_keeps_the_exact_one_for_discounts():
    card = card_of(model_of(ModelPrice(output_mtok=Decimal("0.0000025"))))
    assert set(card.rates["exact"]) == {"0.0000025"}


def test_twenty_eight_published_prices_carry_float_dust(card):
    # Published as one price, a cache write is a rate of each of its four lifetimes; one of them counts here.
    dusty = card.rates.filter("rounded", pl.col("inherits").is_null(), pl.col("usage_kind") != "input_cache_write_5m")
    lifetimes = pl.col("usage_kind").is_in(["input_cache_write_1h", "input_cache_write_12h"])
    published = dusty.filter(~lifetimes).join(card.slots, on="rate_id").select("rate_id", "usage_kind").unique()
    assert published.group_by("usage_kind").len().sort("usage_kind").rows() == [
        ("input_cache_write_30m", 23), ("input_uncached", 3), ("output_text", 2),
    ]  # fmt: skip
    assert published.height == 28
