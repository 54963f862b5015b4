"""Five options side by side: each is costed on the same calls, and the cheapest that may serve is replayed."""

from decimal import Decimal
from typing import Any

import polars as pl
from tests.analytics.whatif.families.test_self_host import baseline_of

from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.rules.scenario_families import Deployment
from tokenpnl_analytics.whatif.families.deployment import replay
from tokenpnl_analytics.whatif.replay import begun, repriced

SERVERS = {
    "gpu": "h100",
    "model": "qwen3-8b",
    "usd_per_hour": Decimal(2),
    "prefill_tokens_per_s": 5000.0,
    "decode_tokens_per_s": 500.0,
    "region": "eu",
}
OPTIONS: dict[str, Any] = {
    "managed_api": {"model": "gpt-4o-mini", "provider": "openai", "region": "us"},
    "cloud": {"model": "mistral-small-2603", "provider": "mistral", "region": "eu"},
    "self_host": SERVERS,
    "optimized": SERVERS | {"batching_factor": 2.0},
    "edge": {"model": "phi-4-mini", "prefill_tokens_per_s": 200.0, "decode_tokens_per_s": 20.0, "context_tokens": 500},
}


def deployment(**changes: Any) -> Deployment:
    return Deployment.model_validate({"name": "where", **OPTIONS, **changes})


def test_every_option_has_a_row_with_cost_latency_and_what_speaks_against_it(card: RateCard) -> None:
    baseline = baseline_of(card, {}, {})
    table = replay(baseline, begun(baseline), deployment()).measured["options"]
    assert table["option"].to_list() == ["present", "managed_api", "cloud", "self_host", "optimized", "edge"]
    row = {row["option"]: row for row in table.to_dicts()}
    # gpt-4o: 2 x (1000 x $2.50 + 100 x $10) per million; gpt-4o-mini: 2 x (1000 x $0.15 + 100 x $0.60).
    assert row["present"]["usd"] == Decimal("0.007")
    assert row["managed_api"]["usd"] == Decimal("0.00042")
    assert row["self_host"]["usd"] == Decimal(48)
    assert row["edge"]["latency_p50_ms"] == 10_000.0  # 1000/200 + 100/20 seconds
    assert row["edge"]["not_possible_because"] == "2 calls are longer than its context"


def test_the_cheapest_option_that_may_serve_is_replayed(card: RateCard) -> None:
    baseline = baseline_of(card, {}, {})
    after = repriced(replay(baseline, begun(baseline), deployment()).attempts, card)
    assert after["model"].unique().to_list() == ["gpt-4o-mini"]
    assert after["cost_usd"].sum() == Decimal("0.00042")


def test_data_that_must_stay_in_a_region_leave_out_the_others(card: RateCard) -> None:
    baseline = baseline_of(card, {})
    found = replay(baseline, begun(baseline), deployment(residency=("eu",)))
    row = {row["option"]: row for row in found.measured["options"].to_dicts()}
    assert row["managed_api"]["not_possible_because"] == "it handles data in us; allowed: eu"
    assert row["edge"]["not_possible_because"] == "its region is not stated; allowed: eu"
    assert found.attempts["model"].to_list() == ["mistral-small-2603"]


def test_the_present_deployment_stays_where_nothing_is_cheaper(card: RateCard) -> None:
    baseline = baseline_of(card, {})
    only = deployment(managed_api=None, cloud=None, edge=None)
    found = replay(baseline, begun(baseline), only)
    assert found.attempts.equals(begun(baseline))
    assert any("the present deployment" in sentence for sentence in found.assumptions)


def test_an_option_without_a_price_is_shown_and_not_chosen(card: RateCard) -> None:
    baseline = baseline_of(card, {})
    found = replay(baseline, begun(baseline), deployment(managed_api={"model": "nobody-sells-this"}))
    row = {row["option"]: row for row in found.measured["options"].to_dicts()}
    assert (row["managed_api"]["usd"], row["managed_api"]["priced_share"]) == (None, 0.0)


def test_edge_devices_cost_nothing_by_the_token(card: RateCard) -> None:
    baseline = baseline_of(card, {})
    edge = {**OPTIONS["edge"], "context_tokens": None}
    found = replay(baseline, begun(baseline), deployment(edge=edge))
    assert found.attempts.filter(pl.col("deployment") == "edge").height == 1
    assert repriced(found.attempts, card)["cost_usd"].sum() == 0


def test_an_api_without_a_seller_is_no_option_for_calls_on_ones_own_servers(card: RateCard) -> None:
    baseline = baseline_of(card, {"provider": "vllm", "model": "qwen3-8b", "deployment": "self_host"})
    options = {"cloud": None, "self_host": None, "optimized": None, "edge": None}
    found = replay(baseline, begun(baseline), deployment(**options, managed_api={"model": "gpt-4o-mini"}))
    row = {row["option"]: row for row in found.measured["options"].to_dicts()}
    assert row["managed_api"]["usd"] is None
    assert row["managed_api"]["not_possible_because"] == "these calls run on your own servers; say who sells it"
