import pytest

from tokenpnl_analytics.pricing.matching import match


def named(card, provider, model, tier=None):
    found = match(card, provider, model, tier)
    return next((name for name, key in card.keys.items() if key == found.card_key), None)


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openai", "gpt-4o-2024-08-06", ("openai", "gpt-4o", "standard")),
        ("x_ai", "grok-4", ("x-ai", "grok-4-0709", "standard")),
        ("azure.ai.openai", "gpt-4o", ("openai", "gpt-4o", "standard")),
        (
            "Bedrock",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            ("aws", "regional.anthropic.claude-sonnet-4-5-20250929-v1:0", "standard"),
        ),
        ("openai", "openai/gpt-4o", ("openai", "gpt-4o", "standard")),
        ("litellm", "anthropic/claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5", "standard")),
        ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", ("google", "claude-sonnet-4-5", "standard")),
        ("google", "models/gemini-2.0-flash", ("google", "gemini-2.0-flash", "standard")),
    ],
)
def test_the_words_of_emitters_find_their_price_list(card, provider, model, expected):
    assert named(card, provider, model) == expected


def test_without_a_provider_the_models_own_name_must_name_its_maker(card):
    assert named(card, None, "gpt-4o") == ("openai", "gpt-4o", "standard")
    assert named(card, "house-proxy", "gpt-4o") == ("openai", "gpt-4o", "standard")
    assert named(card, None, "llama3") is None


def test_a_known_provider_is_never_swapped_for_another_one(card):
    assert named(card, "aws.bedrock", "claude-sonnet-4-5") is None


def test_weights_on_ones_own_machine_have_no_hosted_price(card):
    assert named(card, "ollama", "gpt-4o") is None


def test_a_model_is_looked_up_by_its_context(card):
    assert named(card, "openai", "gpt-4o", "batch") == ("openai", "gpt-4o", "batch")


def test_a_seller_that_borrows_the_makers_prices_does_not_borrow_its_discounts(card):
    assert named(card, "azure", "gpt-5.4", "batch") == ("openai", "gpt-5.4", "standard")
    assert match(card, "azure", "gpt-5.4", "batch").context_unmatched


@pytest.mark.parametrize("tier", ["scale", "provisioned"])
def test_an_unknown_tier_is_unmatched(card, tier):
    assert match(card, "openai", "gpt-4o", tier).context_unmatched


@pytest.mark.parametrize("tier", [None, "", "default", "standard", "auto", "on_demand", "DEFAULT"])
def test_the_ordinary_tiers_are_no_context(card, tier):
    assert not match(card, "openai", "gpt-4o", tier).context_unmatched


def test_no_model_no_price(card):
    assert match(card, "openai", None, None).card_key is None


def test_a_dated_version_that_nobody_priced_costs_what_its_model_costs_and_says_so(card):
    assert named(card, "openai", "gpt-5-mini-2026-09-01") == ("openai", "gpt-5-mini", "standard")
    assert match(card, "openai", "gpt-5-mini-2026-09-01", None).undated
    assert not match(card, "openai", "gpt-5-mini-2025-08-07", None).undated
    assert named(card, "openai", "gpt-99-2026-09-01") is None


def test_a_date_that_is_none_says_nothing_about_the_release(card):
    assert match(card, "openai", "gpt-4o-2024-13-39", None).released_ns is None
