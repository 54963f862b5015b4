"""Answers given again: what is not asked costs nothing, and who may get whose answer."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.analytics.whatif.families.cached import SINCE, baseline_of

from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.rules.scenario_families import ResponseCache
from tokenpnl_analytics.whatif.families.response_cache import replay
from tokenpnl_analytics.whatif.replay import begun, repriced
from tokenpnl_analytics.whatif.result import Evidence


def kept(card: RateCard, *rows: dict[str, Any], temperature: float = 0.0, **changes: Any) -> list[bool]:
    baseline = baseline_of(card, *rows, temperature=temperature)
    scenario = ResponseCache.model_validate({"name": "again", **changes})
    return replay(baseline, begun(baseline), scenario).attempts["kept"].to_list()


SAME = {"prompt_hash": "p", "customer_id": "c"}


def test_a_repeat_is_not_asked_again_and_costs_only_the_lookup(card: RateCard) -> None:
    baseline = baseline_of(card, SAME, SAME, SAME | {"prompt_hash": "q"})
    found = replay(baseline, begun(baseline), ResponseCache(name="again", usd_per_lookup=Decimal("0.001")))
    after = repriced(found.attempts, card)
    once = baseline.attempts["cost_usd"][0]
    assert after["cost_usd"].to_list() == [once + Decimal("0.001"), Decimal("0.001"), once + Decimal("0.001")]
    assert found.evidence is Evidence.ASSUMED
    assert found.measured["stale_exposure"]["hits"].to_list() == [1, 1, 1, 1, 1]


def test_another_customer_gets_the_answer_only_if_the_cache_is_shared(card: RateCard) -> None:
    rows = (SAME, SAME | {"customer_id": "d"})
    assert kept(card, *rows) == [True, True]
    assert kept(card, *rows, shared_by="tenant") == [True, False]


def test_another_model_is_another_question(card: RateCard) -> None:
    assert kept(card, SAME, SAME | {"model": "gpt-4.1"}, SAME) == [True, True, False]


def test_an_answer_older_than_its_lifetime_is_asked_anew(card: RateCard) -> None:
    assert kept(card, SAME, SAME, SAME, ttl_s=60.0) == [True, False, True]


def test_a_failed_call_is_neither_kept_nor_answered(card: RateCard) -> None:
    assert kept(card, SAME | {"status": "error"}, SAME, SAME) == [True, True, False]


@pytest.mark.parametrize("status", ["timeout", "cancelled"])
def test_a_call_that_was_cut_off_has_no_answer_to_give(card: RateCard, status: str) -> None:
    assert kept(card, SAME | {"status": status}, SAME, SAME) == [True, True, False]


def test_a_request_that_begins_before_the_answer_is_there_asks_itself(card: RateCard) -> None:
    slow = SAME | {"ended_at": SINCE + timedelta(seconds=90)}
    assert kept(card, slow, SAME, SAME) == [True, True, False]


def test_sampled_answers_are_left_alone_unless_the_scenario_says_so(card: RateCard) -> None:
    baseline = baseline_of(card, SAME, SAME, temperature=0.7)
    refusal = replay(baseline, begun(baseline), ResponseCache(name="again"))
    assert refusal.refused_because is not None
    assert refusal.attempts.equals(begun(baseline))
    assert kept(card, SAME, SAME, temperature=0.7, any_temperature=True) == [True, False]


def test_curves_say_what_other_sizes_and_lifetimes_would_answer(card: RateCard) -> None:
    # p q p p, a minute apart: the second p needs room for two answers, the third for one.
    rows = [SAME, SAME | {"prompt_hash": "q"}, SAME, SAME]
    baseline = baseline_of(card, *rows)
    measured = replay(baseline, begun(baseline), ResponseCache(name="again")).measured
    assert measured["curve"].rows() == [(1, 0.75, 4), (2, 0.5, 4)]
    # Counted from the writing the third p is three minutes old: in a minute it is written anew by the second.
    assert measured["ttl_curve"]["hit_share"].to_list()[:2] == [0.25, 0.5]
