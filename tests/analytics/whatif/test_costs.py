"""Before and after, attempt by attempt: like is compared with like."""

from dataclasses import replace
from decimal import Decimal

import polars as pl
from tests.analytics.whatif.traffic import traffic

from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.costs import by_run, compared, saving_of_runs, saving_usd
from tokenpnl_analytics.whatif.replay import Replayed, begun
from tokenpnl_analytics.whatif.result import Evidence


def moved(baseline: Baseline, model: str) -> Replayed:
    frame = begun(baseline).with_columns(pl.lit(model).alias("model"), pl.lit(value=True).alias("changed"))
    return Replayed(frame, Evidence.ASSUMED, Evidence.NOT_IDENTIFIABLE)


def test_a_saving_is_cost_before_minus_cost_after() -> None:
    baseline = traffic({}, {})
    assert saving_usd(compared(baseline, [moved(baseline, "gpt-4o-mini")])) == Decimal("6.58")


def test_an_attempt_without_a_price_after_is_left_out_of_both_sides() -> None:
    baseline = traffic({}, {})
    made = moved(baseline, "gpt-4o-mini")
    lost = made.attempts.with_columns(
        pl.when(pl.col("position") == 0).then(pl.lit("nothing")).otherwise("model").alias("model")
    )
    costs = compared(baseline, [replace(made, attempts=lost)])
    assert costs["known"].to_list() == [False, True]
    assert saving_usd(costs) == Decimal("3.29")


def test_an_added_attempt_is_a_cost_of_its_arm_alone() -> None:
    baseline = traffic({})
    same = Replayed(begun(baseline), Evidence.RECOMPUTED, Evidence.RECOMPUTED)
    extra = begun(baseline).with_columns(pl.lit(value=True).alias("added"), pl.lit("verifier").alias("attempt_id"))
    more = replace(same, attempts=pl.concat([same.attempts, extra]))
    costs = compared(baseline, [same, more, same])
    assert [saving_usd(costs, arm) for arm in range(3)] == [0, Decimal("-3.5"), 0]


def test_runs_carry_their_cost_in_every_arm_and_those_that_name_none_count_by_trace() -> None:
    baseline = traffic({}, {}, {"run_id": None, "trace_id": "t9"})
    costs, clusters = by_run(compared(baseline, [moved(baseline, "gpt-4o-mini")]), 1)
    assert costs.tolist() == [[7.0, 3.5], [0.42, 0.21]]
    assert clusters.tolist() == [0, 1]


def test_offline_evaluation_saves_nothing_of_a_runs_unit_cost() -> None:
    baseline = traffic({}, {"evaluation": "offline"})
    costs = compared(baseline, [moved(baseline, "gpt-4o-mini")])
    assert saving_of_runs(costs, baseline.runs).to_list() == [Decimal("3.29")]
