from datetime import datetime
from decimal import Decimal

import pytest
from tests.analytics.priced import laid

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.pricing.quote import explain_unpriced, quote

USAGE = {"provider": "openai", "model": "gpt-4o", "at": "2026-11-20T10:00:00Z", "usage": {"input_uncached": 1_000_000}}


def one(card, **changes):
    return quote([USAGE | changes], card)[0]


def test_a_quote_tells_cost_kinds_and_the_prices_it_was_made_with(card):
    told = one(card, usage={"input_uncached": 1000, "output_text_tokens": 10})
    assert told.cost_usd == Decimal("0.0026")
    assert [(line.usage_kind, line.cost_usd) for line in told.lines] == [
        ("input_uncached", Decimal("0.0025")),
        ("output_text", Decimal("0.0001")),
    ]
    assert told.price_version == card.version


@pytest.mark.parametrize("context", ["batch", {"processing": "batch"}])
def test_a_context_has_its_own_price(card, context):
    assert one(card, context=context).cost_usd == Decimal("1.25")


def test_a_context_without_a_price_is_standard_and_flagged(card):
    told = one(card, context="batch", at="2026-10-01T00:00:00")
    assert (told.cost_usd, told.flags) == (Decimal("2.5"), ("context_unmatched",))


def test_a_usage_without_a_price_has_no_cost(card):
    told = one(card, model="house-model")
    assert (told.cost_usd, told.flags) == (None, ("unpriced",))


def test_many_usages_are_answered_in_order(card):
    told = quote([USAGE | {"usage": {"output_text": n}} for n in (3, 1, 2)], card)
    assert [q.lines[0].quantity for q in told] == [3, 1, 2]


def test_no_tokens_cost_nothing(card):
    assert one(card, usage={"input_uncached": 0}).cost_usd == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": None}, "usage 1 needs a model"),
        ({"usage": {}}, "usage 1 needs usage, a map"),
        ({"usage": {"input": 3}}, "unknown kinds input; known: input_uncached"),
        ({"usage": {"output_text": -1}}, "output_text needs a whole number"),
        ({"usage": {"output_text": True}}, "output_text needs a whole number"),
        ({"at": "yesterday"}, "usage 1 needs at, an ISO time"),
    ],
)
def test_an_unreadable_usage_is_refused_with_what_is_expected(card, changes, message):
    with pytest.raises(RefusedInputError, match=message):
        one(card, **changes)


def test_an_aware_time_is_taken_as_it_is(card):
    assert one(card, at=datetime.fromisoformat("2026-10-14T01:00:00+02:00"), context="batch").flags == (
        "context_unmatched",
    )


def test_a_missing_price_is_explained_by_what_is_near(card):
    assert "the rate card knows" in str(explain_unpriced("openai", "gpt-99", card))
    assert "nearest: gpt-" in str(explain_unpriced("openai", "gpt-99", card))
    assert "gpt-5-mini" in str(explain_unpriced(None, "gpt-5-minni", card))


def test_a_quote_knows_region_tenant_and_searches():
    asked = {"model": "gpt-4o", "at": "2026-11-24", "usage": {"input_uncached": 1_000_000}, "web_searches": 2}
    by_region = laid(contract="rules: [{match: {provider: openai, region: 'eu*'}, multiplier: 1.1}]")
    (answer,) = quote([asked | {"provider": "openai", "region": "eu-1"}], by_region)
    # 2.50 and two searches at 0.01, all at 1.1.
    assert (answer.cost_usd, answer.price_version) == (Decimal("2.772"), by_region.version)


@pytest.mark.parametrize("wrong", [{"region": 5}, {"provider": ["x"]}, {"web_searches": -1}, {"web_searches": "2"}])
def test_a_quote_refuses_what_it_cannot_read(card, wrong):
    asked = {"model": "gpt-4o", "at": "2026-11-24", "usage": {"input_uncached": 1}}
    with pytest.raises(RefusedInputError, match=next(iter(wrong))):
        quote([asked | wrong], card)
