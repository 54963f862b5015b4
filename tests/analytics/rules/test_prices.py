from datetime import date
from decimal import Decimal

import pytest

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.rules.prices import CONTRACT, FX, Match, PriceList, fits


def test_an_empty_file_says_nothing():
    assert not CONTRACT.parse("")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rules:\n- match: {model: x}\n", "contract.yaml:2: rules.0: a rule needs one of as, prices"),
        (
            "rules:\n- match: {model: x}\n  prices: {output: 1}\n",
            "yaml:3: rules.0.prices: unknown usage kinds",
        ),
        (
            "rules:\n- match: {model: '/(/'}\n  discount_pct: 1\n",
            "yaml:2: rules.0.match.model: this is no reg",
        ),
        ("rules:\n- discount_pct: 101\n", "contract.yaml:2: rules.0.discount_pct: Input should be less than or equal"),
        ("rules:\n- {discount_pct: 1, from: 2026-02-01, to: 2026-01-31}\n", "the last day (to) is before the first"),
        ("rules:\n- {discount_pct: 1, until: 2026-02-01}\n", "contract.yaml:2: rules.0.until: Extra inputs"),
        ("currency: euro\n", "contract.yaml:1: currency: String should match pattern"),
    ],
)
def test_a_mistake_is_told_with_its_line(text, told):
    with pytest.raises(ConfigurationError) as refused:
        CONTRACT.parse(text)
    assert told in str(refused.value)


def test_alternatives_that_overlap_are_refused_with_both_rules_and_the_line():
    text = """rules:
- match: {provider: anthropic}
  discount_pct: 12
  to: 2026-06-30
- match: {provider: claude}
  discount_pct: 5
  from: 2026-06-30
"""
    with pytest.raises(ConfigurationError) as refused:
        CONTRACT.parse(text)
    assert str(refused.value) == (
        "contract.yaml:5: rules.1: rules.0 (ever to 2026-06-30) and rules.1 (2026-06-30 to open end) match the same "
        "(provider anthropic), both say discount_pct, and their dates overlap"
    )


def test_rules_that_follow_each_other_or_say_different_things_stand_together():
    text = """rules:
- {match: {provider: anthropic}, discount_pct: 12, to: 2026-06-30}
- {match: {provider: anthropic}, discount_pct: 15, from: 2026-07-01}
- {match: {provider: anthropic}, multiplier: 1.1}
"""
    assert len(CONTRACT.parse(text).rules) == 3


def test_a_price_stays_exact():
    rule = CONTRACT.parse("rules: [{prices: {output_text: 0.1}}]").rules[0]
    assert rule.prices["output_text"] == Decimal("0.1")


@pytest.mark.parametrize(
    ("pattern", "text", "fitting"),
    [
        ("prod-gpt5-*", "Prod-GPT5-eu", True),
        ("openai", "azure.ai.openai", False),
        ("gpt-5", "gpt-5-mini", False),
        ("/^gpt-5(-mini)?$/", "gpt-5-mini", True),
        ("*", None, False),
    ],
)
def test_a_pattern_fits_a_whole_name(pattern, text, fitting):
    assert fits(pattern, [text]) is fitting


def test_a_narrower_match_is_more_precise():
    wide, glob, exact = (
        Match(provider="openai"),
        Match(provider="openai", model="gpt*"),
        Match(provider="openai", model="o3"),
    )
    assert wide.precision < glob.precision < exact.precision


def test_a_tier_holds_above_its_bound_and_keeps_the_other_kinds():
    prices = PriceList.model_validate(
        {
            "prices": {"input_uncached": 3, "output_text": 15},
            "tiers": [{"above": 200_000, "prices": {"input_uncached": 6}}],
        }
    )
    assert prices.at(-1)["input_uncached"] == 3
    assert prices.at(200_000) == {"input_uncached": 6, "output_text": 15}


def test_one_price_for_cache_writes_is_that_of_every_lifetime():
    prices = PriceList.model_validate({"prices": {"input_cache_write": 4, "input_cache_write_1h": 6}}).at(-1)
    assert prices == {
        "input_cache_write_5m": 4,
        "input_cache_write_30m": 4,
        "input_cache_write_1h": 6,
        "input_cache_write_12h": 4,
    }


def test_a_rate_holds_until_a_newer_one_is_known():
    fx = FX.parse("months: {EUR: {2026-10: 1.08}}\ndates: {EUR: {2026-10-31: 1.09}}")
    assert fx.month_rate("EUR", "2026-11") == Decimal("1.08")
    assert fx.month_rate("EUR", "2026-09") is None
    assert fx.month_rate("USD", "2026-09") == 1
    assert fx.date_rate("EUR", date(2026, 11, 2)) == Decimal("1.09")
    assert fx.date_rate("EUR", date(2026, 10, 30)) is None
    assert fx.date_rate("USD", date(2026, 10, 30)) == 1
