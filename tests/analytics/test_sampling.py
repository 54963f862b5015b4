"""Totals of sampled traces are estimates: weighted, with an interval, and refused where the rate is unknown."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tokenpnl_analytics.sampling import estimated_totals


def test_each_kept_run_stands_for_its_adjusted_count(rows: Any) -> None:
    runs = rows.runs({"cost_usd": Decimal(2), "adjusted_count": 4.0}, {"cost_usd": Decimal(3), "adjusted_count": None})
    (found,) = estimated_totals(runs).to_dicts()
    # 4 x 2 + 3 = 11; variance 4 x 3 x 2^2 = 48.
    assert (found["n"], found["n_sampled"], found["n_runs_estimate"], found["estimate"]) == (2, 1, 5.0, 11.0)
    assert (found["low"], found["high"]) == (0.0, pytest.approx(11 + 1.959964 * 48**0.5))
    assert "Horvitz" in found["method"]


def test_what_was_not_sampled_has_no_width(rows: Any) -> None:
    (found,) = estimated_totals(rows.runs({"cost_usd": Decimal(2)})).to_dicts()
    assert found["low"] == found["estimate"] == found["high"] == 2.0


def test_an_unknown_rate_refuses_the_total_of_its_group_alone(rows: Any) -> None:
    runs = rows.runs(
        {"cost_usd": Decimal(2), "flags": "sampling_unknown", "workflow": "a"},
        {"cost_usd": Decimal(2), "workflow": "b", "adjusted_count": 2.0},
    )
    found = estimated_totals(runs, ["workflow"])
    assert found.select("workflow", "estimate", "refused_because").rows() == [
        ("a", None, "sampled at an unknown rate"), ("b", 4.0, None),
    ]  # fmt: skip


def test_the_interval_covers_the_true_total_about_as_often_as_it_says(rows: Any) -> None:
    chance = np.random.default_rng(4)
    costs = [Decimal(int(cents)) / 100 for cents in chance.integers(1, 200, 400)]
    whole = rows.runs(*({"cost_usd": cost, "adjusted_count": 4.0} for cost in costs))
    covered = 0
    for _ in range(60):
        (found,) = estimated_totals(whole.filter(chance.random(400) < 0.25)).to_dicts()
        covered += found["low"] <= float(sum(costs)) <= found["high"]
    assert covered >= 52  # 95% of 60 is 57; 52 is three standard errors below
