"""Other prices for the same tokens."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.analytics.conftest import START
from tests.analytics.priced import laid
from tests.analytics.whatif.traffic import many, traffic

from tokenpnl_analytics.rules.scenario_families import Reprice
from tokenpnl_analytics.whatif.families.reprice import replay
from tokenpnl_analytics.whatif.replay import Replayed, begun, repriced
from tokenpnl_analytics.whatif.result import Evidence


def tried(scenario: dict[str, Any], *rows: dict[str, Any], contract: str = "") -> tuple[Replayed, list[Decimal | None]]:
    baseline = traffic(*rows, card=laid(contract=contract) if contract else None)
    found = replay(baseline, begun(baseline), Reprice.model_validate({"name": "prices"} | scenario))
    return found, repriced(found.attempts, baseline.card, found.cards)["cost_usd"].to_list()


def test_a_discount_is_recomputed() -> None:
    found, costs = tried({"rules": [{"match": {"provider": "openai"}, "discount_pct": 10}]}, {})
    assert costs == [Decimal("3.15")]
    assert found.evidence is found.success_evidence is Evidence.RECOMPUTED


def test_a_rule_takes_the_place_of_the_one_in_force_for_the_same_usage() -> None:
    contract = "rules: [{match: {provider: openai}, discount_pct: 50}]"
    _, costs = tried({"rules": [{"match": {"provider": "openai"}, "discount_pct": 10}]}, {}, contract=contract)
    assert costs == [Decimal("3.15")]


def test_without_the_contract_everything_is_at_list() -> None:
    _, costs = tried({"without_contract": True}, {}, contract="rules: [{match: {provider: openai}, discount_pct: 50}]")
    assert costs == [Decimal("3.50")]


def test_the_next_token_after_the_free_quota_is_at_list() -> None:
    found, costs = tried({"beyond_free_quota": True}, {}, contract="rules: [{match: {}, free_tier: true}]")
    assert costs == [Decimal("3.50")]
    assert "next token" in found.caveats[0]


def test_another_tier_is_assumed_and_the_same_tier_changes_nothing() -> None:
    found, costs = tried({"service_tier": "priority"}, {"service_tier": "priority"}, {})
    assert found.attempts["changed"].to_list() == [False, True]
    assert found.evidence is Evidence.ASSUMED
    assert costs[0] == costs[1]


def test_another_seller_leaves_success_unknown() -> None:
    found, costs = tried({"provider": "azure"}, {})
    assert found.success_evidence is Evidence.NOT_IDENTIFIABLE
    assert found.attempts["provider"].to_list() == ["azure"]
    assert costs == [Decimal("3.50")]


def test_a_batch_is_refused_with_the_numbers_where_somebody_waits() -> None:
    found, costs = tried({"service_tier": "batch"}, {})
    assert found.refused_because is not None
    assert "draft of support_reply may not wait" in found.refused_because
    assert costs == [Decimal("3.50")]
    assert found.measured["delay_tolerant_steps"]["n_calls"].to_list() == [1]


def test_a_step_that_nobody_waits_for_is_done_in_a_batch_at_half_the_price() -> None:
    day = timedelta(days=1)
    rows = [
        row | {"evaluation": "offline", "started_at": START + k * day, "ended_at": START + k * day}
        for k, row in enumerate(many(10))
    ]
    found, costs = tried({"service_tier": "batch"}, *rows, {"step": "reply"})
    assert found.attempts.filter(step="draft")["changed"].all()
    assert sorted(costs, key=str) == [Decimal("1.75")] * 10 + [Decimal("3.50")]
    assert any("may wait: 10 calls" in caveat for caveat in found.caveats)


def test_servers_of_ones_own_have_no_price_by_the_token() -> None:
    found, _ = tried({"provider": "vllm"}, {})
    assert found.refused_because is not None
    assert "self_host" in found.refused_because
