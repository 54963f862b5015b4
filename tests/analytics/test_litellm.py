import json
from decimal import Decimal

import pytest
from tests.analytics.priced import lines_of

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.pricing.layered import card_of
from tokenpnl_analytics.pricing.litellm import import_litellm

CLAUDE = {
    "litellm_provider": "vertex_ai-anthropic_models",
    "input_cost_per_token": 3e-06,
    "output_cost_per_token": 1.5e-05,
    "cache_read_input_token_cost": 3e-07,
    "cache_creation_input_token_cost": 3.75e-06,
    "cache_creation_input_token_cost_above_1hr": 6e-06,
    "input_cost_per_token_above_200k_tokens": 6e-06,
    "input_cost_per_token_batches": 1.5e-06,
    "input_cost_per_token_above_272k_tokens_priority": 7e-06,
    "input_cost_per_token_priority": 4e-06,
    "input_cost_per_audio_token": 1e-05,
    "search_context_cost_per_query": {"search_context_size_low": 0.005, "search_context_size_medium": 0.01},
    "max_tokens": 64000,
}


def imported(**entries):
    return import_litellm(json.dumps(entries).encode())


def rule_of(entry):
    return imported(**{"vertex_ai/house-claude": entry}).file.rules[0]


def test_flat_keys_become_kinds_tiers_and_contexts():
    rule = rule_of(CLAUDE)
    assert (rule.match.provider, rule.match.model) == ("google", "house-claude")
    assert rule.prices == {
        "input_uncached": Decimal(3),
        "output_text": Decimal(15),
        "input_cache_read": Decimal("0.3"),
        "input_cache_write": Decimal("3.75"),
        "input_cache_write_1h": Decimal(6),
        "input_audio": Decimal(10),
        "web_search": Decimal("0.01"),
    }
    assert [(tier.above, tier.prices) for tier in rule.tiers] == [(200_000, {"input_uncached": Decimal(6)})]
    assert rule.contexts["batch"].prices == {"input_uncached": Decimal("1.5")}
    assert [tier.above for tier in rule.contexts["priority"].tiers] == [272_000]


def test_imported_prices_price_what_nobody_else_does():
    card = card_of(litellm=imported(**{"vertex_ai/house-claude": CLAUDE}).file)
    served = {"provider": "gcp.vertex_ai", "model": "house-claude"}
    write = {"input_uncached_tokens": None, "input_cache_write_30m_tokens": 1_000_000}
    lines = lines_of(
        card,
        served,
        served | {"input_total_tokens": 200_001},
        served | {"service_tier": "batch"},
        served | write,
        served | {"service_tier": "priority", "input_total_tokens": 272_001},
    )
    assert lines["cost_usd"].to_list() == [Decimal(3), Decimal(6), Decimal("1.5"), Decimal("3.75"), Decimal(7)]
    assert lines["price_source"].unique().to_list() == ["litellm"]


def test_keys_that_are_not_understood_are_counted():
    found = imported(
        a={"litellm_provider": "azure", "input_cost_per_token": 1e-6, "input_cost_per_pixel": 2e-8},
        b={
            "litellm_provider": "azure",
            "input_cost_per_token": 1e-6,
            "input_cost_per_pixel": 2e-8,
            "output_cost_per_second": 1,
        },
        c={"litellm_provider": "azure", "input_cost_per_token": 1e-6, "output_cost_per_image": 0},
    )
    assert found.unread == {"input_cost_per_pixel": 2, "output_cost_per_second": 1}
    assert found.n_prices == 3


def test_entries_without_a_usable_price_are_left_out_and_say_why():
    price = {"input_cost_per_token": 1e-6}
    found = imported(
        **{
            "sample_spec": {"litellm_provider": "one of ...", **price},
            "azure/gpt-x": {"litellm_provider": "azure", **price},
            "azure_ai/gpt-x": {"litellm_provider": "azure_ai", **price},
            "free": {"litellm_provider": "azure", "input_cost_per_token": 0, "output_cost_per_token": 0.0},
            "pixels": {"litellm_provider": "azure", "input_cost_per_pixel": 1},
            "openai/*": {"litellm_provider": "openai", **price},
            "orphan": price,
        }
    )
    assert [rule.match.model for rule in found.file.rules] == ["gpt-x"]
    assert found.skipped == {
        "names a model that another entry has priced": 1,
        "states 0 for everything, which may mean unknown": 1,
        "is a pattern, not a model": 1,
        "names no provider": 1,
        "has no price by token, request or search": 1,
        "is no model": 1,
    }


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"a": 1}', b"\xff"])
def test_another_file_is_refused(content):
    with pytest.raises(RefusedInputError, match="LiteLLM price file"):
        import_litellm(content)
