"""Another model: its tokens by a ratio, its cost by its price, its success unknown."""

from decimal import Decimal
from typing import Any

import pytest
from tests.analytics.whatif.traffic import many, traffic

from tokenpnl_analytics.rules.scenario_families import Swap
from tokenpnl_analytics.whatif.families.swap import replay
from tokenpnl_analytics.whatif.replay import Replayed, begun, repriced
from tokenpnl_analytics.whatif.result import Evidence


def tried(*rows: dict[str, Any], **scenario: Any) -> tuple[Replayed, list[Decimal | None]]:
    baseline = traffic(*rows)
    usual = {"name": "swap", "to": {"model": "gpt-4o-mini", "provider": "openai"}}
    found = replay(baseline, begun(baseline), Swap.model_validate(usual | scenario))
    return found, repriced(found.attempts, baseline.card)["cost_usd"].to_list()


def test_an_unmeasured_ratio_is_one_with_its_range() -> None:
    found, costs = tried({})
    assert costs == [Decimal("0.21")]
    assert found.saving_range == pytest.approx((3.5 - 0.21 * 1.3, 3.5 - 0.21 * 0.8))
    assert found.success_evidence is Evidence.NOT_IDENTIFIABLE
    assert found.success is None


def test_a_stated_ratio_multiplies_each_side() -> None:
    _, costs = tried({}, tokens={"input": 2, "output": 0.5})
    assert costs == [Decimal("0.33")]  # 2 x .15 + .5 x .06


def test_a_ratio_is_measured_on_prompts_that_both_answered() -> None:
    ours = [row | {"prompt_hash": f"p{k}"} for k, row in enumerate(many(20))]
    theirs = [
        row | {"model": "gpt-4o-mini", "input_total_tokens": 1_200_000, "output_total_tokens": 50_000} for row in ours
    ]
    found, costs = tried(*ours, *theirs)
    row = found.measured["token_ratios"].row(0, named=True)
    assert (row["basis"], row["n"], row["input_ratio"], row["output_ratio"]) == ("prompts", 20, 1.2, 0.5)
    assert costs[0] == Decimal("0.21")  # 1.2 x .15 + .5 x .06


def test_a_swap_to_the_model_that_serves_changes_nothing() -> None:
    found, costs = tried({}, to={"model": "gpt-4o"})
    assert not found.attempts["changed"].any()
    assert costs == [Decimal("3.50")]


def test_unknown_tokens_cannot_be_swapped() -> None:
    found, _ = tried({"output_total_tokens": None})
    assert found.refused_because is not None
