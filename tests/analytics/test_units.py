import ast
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tokenpnl_analytics
import tokenpnl_dashboard
from tokenpnl_analytics.unit_cost.units import cohort, contributions, unit_costs


def run(usd, outcome="success", *, hours=1, delay=0, **more):
    """Cost, outcome, age in hours before the fixture's start, delay in hours."""
    return {
        "cost_usd": Decimal(usd),
        "outcome": outcome,
        "hours": hours,
        "delay": delay,
        "outcome_source": "user",
    } | more


def runs_of(rows, *told):
    shaped = []
    for one in map(dict, told):
        started = rows.start - timedelta(hours=one.pop("hours"))
        delay = timedelta(hours=one.pop("delay"))
        at = started + delay if one["outcome"] else None
        shaped.append({"started_at": started, "outcome_at": at} | one)
    return rows.runs(*shaped)


def figures(rows, *told, by=("workflow",), **options):
    return unit_costs(cohort(runs_of(rows, *told), as_of=rows.start, **options), by)


def test_cost_per_success_charges_failed_runs_to_the_successes(rows):
    found = figures(rows, run("0.02"), run("0.03", "failure"), run("0.01", "abandoned"))
    assert found["settled_usd"].to_list() == [Decimal("0.06")]


def test_a_ratio_of_sums_is_rounded_half_even_at_twelve_places(rows):
    found = figures(rows, run("0.01"), run("0.01"), run("0"))
    assert found["settled_usd"].to_list() == [Decimal("0.006666666667")]


def test_without_a_success_there_is_no_figure(rows):
    found = figures(rows, run("0.02", "failure"))
    assert found.select("settled_usd", "to_date_usd", "caveats").rows() == [(None, None, "no success yet")]


def test_the_settled_figure_leaves_young_runs_out_and_counts_unresolved_ones_as_no_success(rows):
    window = {"support_reply": timedelta(hours=10)}
    old = [run("1", hours=20), run("1", None, hours=10)]
    young = [run("5", hours=9), run("5", None, hours=9)]
    found = figures(rows, *old, *young, windows=window).row(0, named=True)
    assert found["settled_usd"] == Decimal(2)
    assert (found["n_runs"], found["n_settled"], found["unresolved_share"]) == (4, 2, 0.5)


def test_the_figure_to_date_stands_between_its_assumption_free_bounds(rows):
    found = figures(rows, run("1"), run("1", None), run("1", "failure")).row(0, named=True)
    assert (found["to_date_low_usd"], found["to_date_usd"]) == (Decimal("1.5"), Decimal(3))  # 3/(1+1) and 3/1


def test_the_expected_figure_divides_the_successes_by_the_share_that_is_known(rows):
    # The delays of the test of `known_share`: F(1) = 1/2, F(2) = F(2) = 1; the mean is 5/6.
    told = [run("1", hours=1), run("1", hours=2), run("1", hours=2, delay=2)]
    assert figures(rows, *told)["expected_usd"].to_list() == [pytest.approx(Decimal("0.8333333"), abs=Decimal("1e-6"))]


def test_the_expected_figure_is_withheld_when_less_than_half_is_known(rows):
    told = [run("1", hours=100, delay=99), run("1", hours=100, delay=90), *[run("1", None, hours=1)] * 9]
    assert figures(rows, *told)["expected_usd"].to_list() == [None]


def test_an_outcome_that_is_not_true_yet_is_not_known_yet(rows):
    found = figures(rows, run("1", hours=1, delay=2), run("1", hours=5))
    assert found["successes"].to_list() == [1]


def test_inline_evaluation_is_a_component_and_offline_evaluation_stays_outside(rows):
    evaluated = {"inline_evaluation_usd": Decimal("0.3"), "offline_evaluation_usd": Decimal("0.5")}
    found = figures(rows, run("1", **evaluated), run("0")).row(0, named=True)
    parts = [found[p] for p in ("direct_usd", "inline_evaluation_usd", "capacity_share_usd")]
    assert parts == [Decimal("0.1"), Decimal("0.15"), Decimal(0)]
    assert sum(parts) == found["settled_usd"]
    assert found["offline_evaluation_usd"] == Decimal("0.25")


def test_only_production_and_unstated_environments_count_by_default(rows):
    told = [run("1"), run("2", environment="production"), run("4", environment="staging")]
    assert figures(rows, *told)["n_runs"].to_list() == [2]
    assert figures(rows, *told, environments=None)["n_runs"].to_list() == [3]


def test_unpriced_usage_makes_the_figure_a_lower_bound(rows):
    assert "reads at least" in figures(rows, run("1", n_attempts=10, n_unpriced=1))["caveats"].item()


def test_a_dear_tail_is_told_with_the_figure_without_it(rows):
    found = figures(rows, *[run("1")] * 99, run("100")).row(0, named=True)
    assert "too low on the high side" in found["caveats"]
    assert found["winsorised_usd"] == pytest.approx(1.0)


def test_successes_that_only_the_program_claims_are_self_declared(rows):
    assert "self-declared" in figures(rows, run("1", outcome_source="program"))["caveats"].item()


@pytest.mark.parametrize(
    ("columns", "level"),
    [
        ({"customer_id": ["a", "b", None], "session_id": ["x", "y", "z"]}, "customer"),
        ({"customer_id": ["a", "a", "a"], "session_id": ["x", "y", "z"]}, "conversation"),
        ({"business_id": ["t1", "t2", "t2"]}, "task"),
        ({}, "run"),
    ],
)
def test_runs_are_clustered_at_the_highest_level_that_tells_them_apart(rows, columns, level):
    told = [run("1", **{name: values[n] for name, values in columns.items()}) for n in range(3)]
    assert figures(rows, *told)["clusters"].to_list() == [level]


def test_a_unit_cost_by_model_is_refused_in_favour_of_its_contribution(rows):
    with pytest.raises(ValueError, match="contributions"):
        figures(rows, run("1"), by=("model",))


def test_contributions_add_up_to_the_cost_per_success_to_date(rows):
    runs = cohort(runs_of(rows, run("3"), run("3")), as_of=rows.start)
    lines = pl.DataFrame(
        {
            "tenant": ["default"] * 3,
            "run_id": ["r1", "r1", "r2"],
            "workflow": ["support_reply"] * 3,
            "model": ["small", "large", "large"],
            "cost_category": ["productive", "productive", "retry"],
            "evaluation": [None, None, None],
            "cost_usd": [Decimal(1), Decimal(2), Decimal(3)],
        },
        schema_overrides={"cost_usd": pl.Decimal(38, 12), "evaluation": pl.String},
    )
    found = contributions(lines, runs, "model")
    assert found.select("model", "usd_per_success").rows() == [("large", Decimal("2.5")), ("small", Decimal("0.5"))]
    assert found["usd_per_success"].sum() == unit_costs(runs)["to_date_usd"].item()


MILLS = st.integers(0, 10**6)


@given(st.lists(st.tuples(MILLS, MILLS, st.sampled_from(["success", "failure", None])), min_size=1, max_size=9))
def test_components_sum_to_the_settled_figure_to_the_last_digit(rows, told):
    runs = [
        run(Decimal(direct + inline) / 1000, outcome, hours=50, inline_evaluation_usd=Decimal(inline) / 1000)
        for direct, inline, outcome in told
    ]
    found = figures(rows, *runs, windows={"support_reply": timedelta(hours=1)}).row(0, named=True)
    if found["settled_usd"] is not None:
        parts = [found[p] for p in ("direct_usd", "inline_evaluation_usd", "capacity_share_usd")]
        assert sum(parts) == found["settled_usd"]


def test_the_upper_limit_of_fieller_stands_beside_where_it_is_bounded(rows):
    told = [run("1"), run("3")] * 20
    found = figures(rows, *told).row(0, named=True)
    assert found["fieller_low"] < 2 < found["fieller_high"]
    few = figures(rows, run("1"), *[run("1", "failure")] * 20).row(0, named=True)
    assert (few["fieller_high"], few["high"]) == (None, None)


def test_fewer_than_ten_successes_are_at_least_the_lower_limit(rows):
    found = figures(rows, *[run("1"), run("3")] * 4).row(0, named=True)
    assert found["settled_usd"] == Decimal(2)
    assert float(found["at_least_usd"]) == pytest.approx(found["low"])
    assert found["at_least_usd"] < found["settled_usd"]
    enough = figures(rows, *[run("1"), run("3")] * 5)
    assert enough["at_least_usd"].to_list() == [None]


def test_below_98_percent_priced_the_figure_is_at_least_itself(rows):
    found = figures(rows, *[run("1", n_attempts=10, n_unpriced=1)] * 10)
    assert found["at_least_usd"].to_list() == found["settled_usd"].to_list()


def test_a_workflow_that_nobody_judges_gets_no_unit_cost(rows):
    found = figures(rows, run("1", None), run("2", None)).row(0, named=True)
    assert (found["settled_usd"], found["to_date_usd"], found["expected_usd"]) == (None, None, None)
    assert found["caveats"] == "no outcome yet"


def sampled(rows):
    # Every run of stratum a is kept, one in four of stratum b: 1,000 successes cost 1,390 in truth.
    # Kept of a: 168 x 0.10 + 1 x 13.20 = 30.00; of b: 208 x 1.50 + 28 x 1.00 = 340.00.
    often = [run("0.10", adjusted_count=1.0)] * 168 + [run("13.20", "failure", adjusted_count=1.0)]
    rare = [run("1.50", adjusted_count=4.0)] * 208 + [run("1", "failure", adjusted_count=4.0)] * 28
    return cohort(runs_of(rows, *often, *rare), as_of=rows.start)


def test_of_sampled_traces_cost_and_successes_are_weighted_alike(rows):
    runs = sampled(rows)
    found = unit_costs(runs).row(0, named=True)
    assert found["settled_usd"] == found["to_date_usd"] == Decimal("1.39")  # (30 + 4 x 340) / (168 + 4 x 208)
    assert (found["n_runs"], found["successes"], found["estimated"]) == (405, 376, True)
    assert "sampled: estimated" in found["caveats"]
    assert found["low"] < 1.39 < found["high"]
    # What mixing sampled cost with all outcomes, or weighted cost with sampled outcomes, would have said.
    kept, weighted = runs["cost_usd"].sum(), (runs["cost_usd"] * runs["weight"]).sum()
    assert (round(kept / 1000, 2), round(weighted / 376, 2)) == (Decimal("0.37"), Decimal("3.70"))


def test_contributions_of_sampled_runs_add_up_too(rows):
    runs = sampled(rows)
    lines = runs.select("tenant", "run_id", "workflow", "cost_usd").with_columns(
        pl.lit("productive").alias("cost_category"),
        pl.lit(None, pl.String).alias("evaluation"),
        pl.when(pl.col("cost_usd") > 1).then(pl.lit("large")).otherwise(pl.lit("small")).alias("model"),
    )
    found = contributions(lines, runs, "model")
    assert found["usd_per_success"].sum() == Decimal("1.39")


def test_where_a_weight_is_unknown_every_figure_is_withheld(rows):
    told = [run("1")] * 12 + [run("1", flags="sampling_unknown")]
    found = figures(rows, *told).row(0, named=True)
    figure = ("settled_usd", "to_date_usd", "to_date_low_usd", "expected_usd", "low", "high", "at_least_usd")
    assert [found[name] for name in figure] == [None] * 7
    assert "sampled at an unknown rate: withheld" in found["caveats"]


def capacity(rows, **usd):
    return pl.DataFrame(
        {
            "tenant": "default",
            "run_id": [f"r{number}" for number in range(1, 11)],
            "allocated_usd": Decimal(usd["allocated"]) / 10,
            "capacity_usd": Decimal(usd["idle"]) / 10,
        },
        schema_overrides={"allocated_usd": pl.Decimal(38, 12), "capacity_usd": pl.Decimal(38, 12)},
    )


def test_a_gpu_at_20_percent_load_costs_its_idle_share_more_than_the_same_work_by_api(rows):
    by_api = figures(rows, *[run("2")] * 10).row(0, named=True)
    on_gpu = [run("0", cost_usd=None)] * 10
    runs = cohort(runs_of(rows, *on_gpu), as_of=rows.start, capacity=capacity(rows, allocated="20", idle="80"))
    by_gpu = unit_costs(runs).row(0, named=True)
    assert by_api["settled_usd"] == by_gpu["direct_usd"] == Decimal(2)
    assert by_gpu["capacity_share_usd"] == by_gpu["settled_usd"] - by_api["settled_usd"] == Decimal(8)
    assert by_gpu["settled_usd"] * 2 / 10 == by_api["settled_usd"]  # 20% load


def test_the_capacity_share_is_one_row_of_the_contributions(rows):
    runs = cohort(runs_of(rows, *[run("1")] * 10), as_of=rows.start, capacity=capacity(rows, allocated="0", idle="80"))
    lines = runs.select("tenant", "run_id", "workflow", "cost_usd", "started_at").with_columns(
        pl.lit("productive").alias("cost_category"), pl.lit(None, pl.String).alias("evaluation")
    )
    found = contributions(lines, runs, "hour")
    assert found.select("component", "usd_per_success").rows() == [
        ("usage", Decimal(1)),
        ("capacity_share", Decimal(8)),
    ]
    assert found["hour"].to_list() == [rows.start - timedelta(hours=1), None]
    assert found["usd_per_success"].sum() == unit_costs(runs)["to_date_usd"].item()


def test_a_young_cohort_looks_dear_to_date_and_the_expected_figure_recovers_the_truth(rows):
    # A true 1.43 USD (70 of 100 runs of 1 USD succeed), delays of 7 days on average, seen in a window of 30 days.
    chance = np.random.default_rng(7)
    n = 4000
    age, delay = chance.uniform(0, 30, n) * 24, chance.exponential(7, n) * 24
    known = (chance.random(n) < 0.7) & (delay <= age)
    told = [
        run("1", "success" if k else None, hours=float(a), delay=float(d))
        for a, d, k in zip(age, delay, known, strict=True)
    ]
    found = figures(rows, *told, windows={"support_*": timedelta(days=28)}).row(0, named=True)
    assert float(found["to_date_usd"]) == pytest.approx(1.86, rel=0.04)
    assert float(found["expected_usd"]) == pytest.approx(1.43, rel=0.05)
    assert found["to_date_low_usd"] < Decimal("1.43") < found["to_date_usd"]
    assert found["window_days"] == 28


def test_cost_per_success_has_one_derivation_in_the_package():
    divisions = []
    packages = (tokenpnl_analytics, tokenpnl_dashboard)
    for source in (path for package in packages for path in Path(package.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                divided, divisor = ast.unparse(node.left), ast.unparse(node.right)
                if ("usd" in divided or "cost" in divided) and "success" in divisor:
                    divisions.append((source.name, divided))
    exact = [place for place in divisions if place[0] == "units.py"]
    assert exact == [("units.py", "cost_usd")], "only usd_per_success divides money by successes"
    assert {name for name, _ in divisions} <= {"units.py", "intervals.py"}  # the latter in float64: an estimate
