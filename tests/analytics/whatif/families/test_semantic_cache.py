"""Similar requests: nothing without labelled pairs, and the loss of success as a bound."""

from decimal import Decimal

import pytest
from tests.analytics.whatif.families.cached import baseline_of

from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.rules.scenario_families import SemanticCache, Swap, Target
from tokenpnl_analytics.whatif.families.semantic_cache import replay
from tokenpnl_analytics.whatif.families.swap import replay as swap
from tokenpnl_analytics.whatif.replay import begun, repriced
from tokenpnl_analytics.whatif.result import Evidence


def test_without_labelled_pairs_it_is_not_identifiable(card: RateCard) -> None:
    baseline = baseline_of(card, {}, {})
    found = replay(baseline, begun(baseline), SemanticCache(name="similar"))
    assert found.evidence is Evidence.NOT_IDENTIFIABLE
    assert found.refused_because is not None
    assert found.to_log
    assert found.attempts.equals(begun(baseline))


def test_the_measured_share_is_saved_and_success_is_bounded(card: RateCard) -> None:
    baseline = baseline_of(card, {}, {})
    scenario = SemanticCache(name="similar", hit_share=0.25, wrong_share=0.1, n_pairs=400)
    found = replay(baseline, begun(baseline), scenario)
    before, after = baseline.attempts["cost_usd"].sum(), repriced(found.attempts, card)["cost_usd"].sum()
    assert after == before * Decimal("0.75")
    assert found.success_evidence is Evidence.BOUNDED
    assert found.success is not None
    assert (found.success.value, found.success.high) == (None, 0.0)
    # Wilson: hits of 400 at most .2947; wrong ones of 100 hits at most .1744; the run asks twice.
    assert found.success.low == pytest.approx(-2 * 0.2947 * 0.1744, abs=4e-4)
    low, high = found.saving_range or (0.0, 0.0)
    assert low < float(before) * 0.25 < high


def test_a_cheaper_model_afterwards_is_saved_for_the_share_that_still_asks_it(card: RateCard) -> None:
    baseline = baseline_of(card, {}, {})
    scenario = SemanticCache(name="similar", hit_share=0.25, wrong_share=0.1, n_pairs=400)
    frame = replay(baseline, begun(baseline), scenario).attempts
    mini = Swap(name="mini", to=Target(model="gpt-4o-mini", provider="openai"))
    alone, after = (repriced(swap(baseline, start, mini).attempts, card) for start in (begun(baseline), frame))
    assert after["cost_usd"].sum() == alone["cost_usd"].sum() * Decimal("0.75")
