"""Thresholds are chosen and scored on different tasks."""

from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from tokenpnl_analytics.whatif.routing.curves import Kind
from tokenpnl_analytics.whatif.routing.holdout import held_out, in_first_half

from .pairs import pairs


def many(seed: int = 7, *, telling: bool = True) -> pl.DataFrame:
    """400 tasks: a third is hard; the weak model fails there, and its confidence tells so, or not."""
    chance = np.random.default_rng(seed)
    hard = chance.random(400) < 0.35
    told = hard if telling else chance.random(400) < 0.35
    confidence = np.where(told, 0.3, 0.8) + chance.uniform(-0.1, 0.1, 400)
    weak, strong = chance.random(400) < np.where(hard, 0.05, 0.95), chance.random(400) < 0.9
    return pairs([(float(c), int(w), int(s)) for c, w, s in zip(confidence, weak, strong, strict=True)])


def test_a_task_belongs_to_its_half_by_its_name_alone() -> None:
    first = in_first_half(pl.Series([f"t{i}" for i in range(1000)]))
    assert 450 < first.sum() < 550
    assert in_first_half(pl.Series(["t5"]))[0] == first[5]


def test_a_telling_score_keeps_the_success_at_a_fraction_of_the_cost() -> None:
    found = held_out(many(), "confidence", chance=np.random.default_rng(1))
    assert found.threshold == pytest.approx(0.55, abs=0.2)
    assert found.n + found.n_chosen_on == 400
    assert found.against_strong.difference > -0.06
    assert found.cost_usd < found.strong_cost_usd * Decimal("0.6")
    assert found.random_success_share < found.success_share <= found.oracle_success_share
    assert found.interval.low < float(found.usd_per_success) < found.interval.high


def test_a_score_that_tells_nothing_saves_little_within_the_margin() -> None:
    found = held_out(many(telling=False), "confidence", chance=np.random.default_rng(1))
    assert found.success_share == pytest.approx(found.random_success_share, abs=0.08)


def test_a_cascade_pays_for_both_models_where_it_escalates() -> None:
    found = held_out(many(), "confidence", chance=np.random.default_rng(1), kind=Kind.CASCADE)
    assert found.cost_usd == Decimal("0.01") * found.n + Decimal("0.10") * round(found.strong_share * found.n)


def test_a_few_tasks_choose_nothing() -> None:
    found = held_out(pairs(), "confidence", chance=np.random.default_rng(1))
    assert (found.threshold, found.strong_share, found.n) == (None, 1.0, 5)
    assert "fewer than 20" in str(found.refused_because)
