"""A cheaper model against a dearer one: only where a router left it to chance, never from prices."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import polars as pl
from tests.analytics.conftest import START

from tokenpnl_analytics.verdict.comparisons import SCHEMA, comparisons, same_success


def routed(n: int, *, cheap_wins: float, dear_wins: float, propensity: float | None = 0.5) -> pl.DataFrame:
    """Return n runs of w/s, every other one by the cheap arm; the first share of each arm's runs succeeds."""
    half = n // 2
    rows = []
    for k in range(n):
        cheap = k % 2 == 0
        won = (k // 2) * 7919 % half < half * (cheap_wins if cheap else dear_wins)
        rows.append(
            ("t", f"r{k}", "w", "s", START + timedelta(minutes=k), "small" if cheap else "large", propensity,
             Decimal(1) if cheap else Decimal(10), "success" if won else "failure", k)
        )  # fmt: skip
    names = ("tenant", "run_id", "workflow", "step", "started_at", "route_arm", "route_propensity", "cost_usd")
    return pl.DataFrame(
        rows,
        schema=[*names, "outcome", "cluster"],
        schema_overrides={"route_propensity": pl.Float64, "cluster": pl.Int64},
        orient="row",
    )


def told(frame: pl.DataFrame) -> pl.DataFrame:
    return same_success(comparisons(frame, chance=np.random.default_rng(7)))


def test_a_cheaper_model_that_fails_more_is_seen_with_its_interval() -> None:
    # 60% against 90%: thirty points; the standard error of 500 against 500 is 2.6 points.
    row = told(routed(1000, cheap_wins=0.6, dear_wins=0.9)).row(0, named=True)
    assert (row["cheaper"], row["dearer"], row["worse"], row["same"]) == ("small", "large", True, False)
    assert abs(row["difference"] + 0.3) < 0.02
    assert -0.36 < row["low"] < -0.3 < row["high"] < -0.24


def test_the_same_success_within_few_runs_is_not_sure_enough() -> None:
    row = told(routed(400, cheap_wins=0.8, dear_wins=0.8)).row(0, named=True)
    assert (row["worse"], row["same"]) == (False, False)


def test_without_probabilities_or_with_few_runs_nothing_is_compared() -> None:
    assert told(routed(1000, cheap_wins=0.6, dear_wins=0.9, propensity=None)).is_empty()
    assert told(routed(198, cheap_wins=0.6, dear_wins=0.9)).is_empty()


def test_one_model_alone_is_no_comparison() -> None:
    alone = routed(1000, cheap_wins=0.6, dear_wins=0.9).with_columns(pl.lit("small").alias("route_arm"))
    assert told(alone).is_empty()


def test_the_same_success_is_two_points_fewer_at_most_with_certainty() -> None:
    rows = [
        ("w", name, "small", "large", (low + high) / 2, low, high, 900, evidence, "m", None)
        for name, low, high, evidence in (
            *(("edge", -0.02, 0.02, "estimated"), ("past", -0.021, 0.02, "estimated")),
            ("bounded", -0.01, 0.01, "bounded"),
        )
    ]
    found = same_success(pl.DataFrame(rows, schema=SCHEMA, orient="row"))
    assert dict(found.select("step", "same").iter_rows()) == {"edge": True, "past": False, "bounded": False}
