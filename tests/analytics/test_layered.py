from datetime import UTC, datetime
from decimal import Decimal

import pytest
from tests.analytics.priced import costs, laid, lines_of

from tokenpnl_analytics.pricing.layered import card_of, merged
from tokenpnl_analytics.pricing.ratecard import default_rate_card

JULY = datetime(2026, 7, 1, tzinfo=UTC)
JULY_NS = int(JULY.timestamp()) * 10**9
DISCOUNTED = "rules: [{match: {provider: openai}, discount_pct: 10}]"


def test_a_card_without_files_is_the_published_one():
    assert card_of() is default_rate_card()


def test_a_card_with_files_has_a_version_of_its_own():
    one, same, other = (
        laid(contract=DISCOUNTED),
        laid(contract=DISCOUNTED),
        laid(contract=DISCOUNTED.replace("10", "11")),
    )
    assert one.version == same.version
    assert len({one.version, other.version, default_rate_card().version}) == 3


def test_the_price_in_force_at_the_events_time_applies():
    card = laid(contract="rules: [{match: {provider: openai}, discount_pct: 10, from: 2026-07-01, to: 2026-07-31}]")
    moments = (JULY.replace(month=6, day=30, hour=23), JULY, JULY.replace(day=31, hour=23), JULY.replace(month=8))
    assert [cost[1] for cost in costs(card, *({"started_at": at} for at in moments))] == [
        Decimal("2.5"),
        Decimal("2.25"),
        Decimal("2.25"),
        Decimal("2.5"),
    ]


def test_an_azure_deployment_is_priced_as_what_it_really_is():
    card = laid(
        aliases="rules: [{match: {provider: azure, model: 'prod-gpt5-*'}, as: {provider: openai, model: gpt-5}}]"
    )
    line = lines_of(card, {"provider": "azure.ai.openai", "model": "prod-gpt5-eu"}).row(0, named=True)
    assert (line["cost_usd"], line["model"]) == (Decimal("1.25"), "prod-gpt5-eu")


def test_a_bedrock_profile_is_priced_by_its_arn():
    card = laid(
        aliases="""rules:
- match: {provider: aws, model: "arn:aws:bedrock:*:application-inference-profile/abc*"}
  as: {model: us.anthropic.claude-sonnet-4-5-20250929-v1:0}
"""
    )
    arn = "arn:aws:bedrock:us-east-1:123:application-inference-profile/abc9"
    assert costs(card, {"provider": "aws.bedrock", "model": arn})[0][0] == Decimal("3.3")


def test_an_imported_list_prices_only_what_nobody_else_does():
    litellm = """rules:
- {match: {provider: azure, model: gpt-house}, prices: {input_uncached: 9}}
- {match: {provider: openai, model: gpt-4o}, prices: {input_uncached: 99}}
"""
    lines = lines_of(laid(litellm=litellm), {"provider": "azure", "model": "gpt-house"}, {})
    assert lines.select("cost_usd", "price_source").rows() == [
        (Decimal(9), "litellm"),
        (Decimal("2.5"), "genai-prices"),
    ]


def test_an_imported_list_gives_the_tier_that_the_published_one_lacks():
    contexts = "contexts: {flex: {prices: {input_uncached: 2}}, batch: {prices: {input_uncached: 99}}}"
    card = laid(litellm=f"rules: [{{match: {{provider: openai, model: gpt-4o}}, {contexts}}}]")
    lines = lines_of(card, *({"service_tier": tier} for tier in ("flex", "batch", "scale", None)))
    assert lines["cost_usd"].to_list() == [Decimal(2), Decimal("1.25"), Decimal("2.5"), Decimal("2.5")]
    assert lines["flags"].to_list() == ["", "", "context_unmatched", ""]


def test_versions_follow_each_other_in_event_time():
    old, new = default_rate_card(), laid(contract=DISCOUNTED)
    card = merged([(None, None, old), (JULY_NS, None, new)])
    lines = lines_of(card, {"started_at": JULY.replace(month=6)}, {"started_at": JULY})
    assert lines.select("cost_usd", "price_version").rows() == [
        (Decimal("2.5"), old.version),
        (Decimal("2.25"), new.version),
    ]


def test_the_later_posting_wins_on_its_span_and_leaves_the_rest():
    old, new = default_rate_card(), laid(contract=DISCOUNTED)
    card = merged([(None, None, old), (JULY_NS, JULY_NS + 10, new)])
    assert [(part.from_ns == JULY_NS, part.card.version == new.version) for part in card.in_force] == [
        (False, False),
        (True, True),
        (False, False),
    ]


def test_merged_cards_can_be_merged_again():
    old, new = default_rate_card(), laid(contract=DISCOUNTED)
    card = merged([(None, None, merged([(None, None, old), (JULY_NS, None, new)])), (JULY_NS, None, old)])
    assert [part.card.version for part in card.in_force] == [old.version, old.version]


def test_a_moment_without_a_version_has_no_price():
    card = merged([(JULY_NS, None, default_rate_card())])
    line = lines_of(card, {"started_at": JULY.replace(month=6)}).row(0, named=True)
    assert (line["cost_usd"], line["cost_source"]) == (None, "unpriced")


def test_a_schedule_without_any_span_is_refused():
    with pytest.raises(ValueError, match="at least one section"):
        merged([])


def test_rules_leave_what_they_do_not_touch_as_it_is():
    card = laid(contract=DISCOUNTED)
    touched = {"started_at": JULY}
    others = [touched | {"provider": "google", "model": "gemini-2.5-pro"}, touched | {"model": "house-model"}]
    by_rules, plain = (lines_of(each, *others) for each in (card, default_rate_card()))
    shared = [name for name in plain.columns if name != "price_version"]
    assert by_rules.select(shared).equals(plain.select(shared))
