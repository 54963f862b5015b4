"""Several scenarios on one baseline; the laws that every composition keeps."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analytics.conftest import START
from tests.analytics.whatif.traffic import many, traffic

from tokenpnl_analytics.rules.scenarios import SCENARIOS, Scenario
from tokenpnl_analytics.unit_cost.intervals import ratio_interval
from tokenpnl_analytics.whatif.compose import KEEP, compared_scenarios, weekly
from tokenpnl_analytics.whatif.families.registry import replayed
from tokenpnl_analytics.whatif.measure import SEED
from tokenpnl_analytics.whatif.replay import begun, repriced
from tokenpnl_analytics.whatif.result import Evidence

MINI = {"family": "swap", "name": "mini", "to": {"model": "gpt-4o-mini", "provider": "openai"}}
LESS = {"family": "reprice", "name": "less", "rules": [{"match": {"provider": "openai"}, "discount_pct": 10}]}
HALF = {"family": "output_cap", "name": "half", "shaped_share": 0.5}
SHORT = {"family": "context_cap", "name": "short", "max_input_tokens": 400_000}
CUT = {"family": "output_cap", "name": "cut", "max_output_tokens": 10_000}
ALL = (MINI, LESS, HALF, SHORT, CUT)
IDENTITIES: dict[str, dict[str, Any]] = {
    "reprice": {"family": "reprice", "service_tier": "standard"},
    "provider": {"family": "reprice", "provider": "openai"},
    "swap": {"family": "swap", "to": {"model": "gpt-4o", "provider": "openai"}},
    "context_cap": {"family": "context_cap", "max_input_tokens": 10_000_000},
    "output_cap": {"family": "output_cap", "shaped_share": 1.0},
    "output_maximum": {"family": "output_cap", "max_output_tokens": 10_000_000},
}


def scenarios(*asked: dict[str, Any]) -> tuple[Scenario, ...]:
    return SCENARIOS.model.model_validate({"name": "x", "scenarios": asked}).scenarios


def forty(**columns: Any) -> Any:
    return traffic(*(row | {"customer_id": f"c{k}"} for k, row in enumerate(many(40, **columns))))


@pytest.mark.parametrize("name", IDENTITIES)
def test_a_scenario_equal_to_the_baseline_changes_nothing(name: str) -> None:
    baseline = traffic({}, {"provider": "nobody", "model": "nothing"})
    asked = IDENTITIES[name] | {"name": name, "where": {"provider": "openai"}}
    found = replayed(baseline, begun(baseline), scenarios(asked)[0])
    assert repriced(found.attempts, baseline.card, found.cards)["cost_usd"].equals(baseline.attempts["cost_usd"])
    assert not found.attempts["changed"].any()


@settings(max_examples=10)
@given(
    st.lists(st.sampled_from(range(len(ALL))), min_size=2, max_size=5, unique=True),
    st.lists(
        st.fixed_dictionaries(
            {
                "model": st.sampled_from(["gpt-4o", "gpt-4o-mini", "nothing"]),
                "input_uncached_tokens": st.integers(0, 10**6),
                "output_text_tokens": st.integers(0, 10**5),
            }
        ).map(
            lambda row: (
                row
                | {
                    "input_total_tokens": row["input_uncached_tokens"],
                    "output_total_tokens": row["output_text_tokens"],
                }
            )
        ),
        min_size=2,
        max_size=6,
    ),
)
def test_steps_sum_to_the_combined_saving_which_is_at_most_the_cost(
    asked: list[int], rows: list[dict[str, Any]]
) -> None:
    found = compared_scenarios(traffic(*rows), scenarios(*(ALL[number] for number in asked)))
    if found.combined is None or found.combined.saving_usd is None:
        return
    assert found.waterfall["saving_usd"].sum() == found.combined.saving_usd
    assert found.combined.saving_usd <= found.combined.before_usd


def test_scenarios_are_replayed_in_the_printed_order_whatever_the_file_says() -> None:
    there = compared_scenarios(forty(), scenarios(LESS, MINI, HALF))
    back = compared_scenarios(forty(), scenarios(HALF, MINI, LESS))
    assert there.waterfall["scenario"].to_list() == ["half", "mini", "less"]
    assert there.waterfall.equals(back.waterfall)
    # Each of 40: 3.50, shaped 3.00, mini .18, 10% less .162.
    assert there.waterfall["saving_usd"].to_list() == [Decimal(20), Decimal("112.80"), Decimal("0.72")]


def test_together_they_rest_on_the_weakest_evidence() -> None:
    found = compared_scenarios(forty(), scenarios(LESS, MINI)).combined
    assert found is not None
    assert (found.evidence, found.success_evidence) == (Evidence.ASSUMED, Evidence.NOT_IDENTIFIABLE)


def test_an_assumption_moves_the_combined_saving_between_its_ends() -> None:
    found = compared_scenarios(forty(), scenarios(LESS, MINI))
    row = found.tornado.row(0, named=True)
    # The combined saving is 40 (3.5 - .189); mini alone moves by 40 x .21 x (.8 .. 1.3).
    assert row["stated_usd"] == pytest.approx(132.44)
    assert row["low_usd"] == pytest.approx(132.44 - 40 * 0.063)
    assert row["high_usd"] == pytest.approx(132.44 + 40 * 0.042)


def test_the_winner_is_scored_on_the_half_that_had_no_say() -> None:
    found = compared_scenarios(forty(), scenarios(LESS, MINI))
    assert found.winner is not None
    name, winner = found.winner
    assert name == "mini"
    assert winner.held_out.n + winner.chosen_on.n == 40


def test_keeping_the_present_model_is_one_of_the_choices() -> None:
    frontier = compared_scenarios(forty(), scenarios(LESS, MINI)).frontier
    assert frontier["scenario"].to_list() == [KEEP, "less", "mini", "combined"]


def test_one_scenario_is_not_combined_and_needs_no_wider_interval() -> None:
    found = compared_scenarios(forty(), scenarios(LESS))
    assert found.combined is None
    assert found.simultaneous == ()


def test_a_refused_scenario_is_left_out_of_what_is_done_together() -> None:
    batch = {"family": "reprice", "name": "batch", "service_tier": "batch"}
    found = compared_scenarios(forty(), scenarios(LESS, MINI, batch))
    assert found.results[2].saving_usd is None
    assert found.waterfall["scenario"].to_list() == ["mini", "less"]
    assert found.simultaneous[2].value is None


def test_weeks_say_what_would_have_been_saved_in_each() -> None:
    # The window is 1 to 29 November: one call in the first week.
    found = weekly(traffic({"started_at": START}), scenarios(LESS)[0])
    assert found["n_calls"].to_list() == [1, 0, 0, 0]
    assert found["saving_usd"].to_list() == [Decimal("0.35"), None, None, None]
    assert found["saving_share"][0] == pytest.approx(0.1)


FLEET = {
    "gpu": "h100",
    "model": "qwen3-8b",
    "usd_per_hour": "0.01",
    "prefill_tokens_per_s": 1e7,
    "decode_tokens_per_s": 1e6,
}
OWN = FLEET | {"family": "self_host", "name": "own"}


@pytest.mark.parametrize("host", [OWN, {"family": "deployment", "name": "where", "self_host": FLEET}])
def test_a_fleet_is_paid_once_for_a_call_that_a_step_before_made_two_of(host: dict[str, Any]) -> None:
    found = compared_scenarios(forty(), scenarios(SHORT, host))
    # One replica at a cent an hour for 28 days, whoever writes the summaries; nothing is paid by the token.
    assert found.waterfall["after_usd"].to_list()[-1] == Decimal("6.72")


def test_an_api_is_paid_once_for_a_call_that_a_step_before_made_two_of() -> None:
    api = {"family": "deployment", "name": "api", "managed_api": MINI["to"]}
    found = compared_scenarios(forty(), scenarios(SHORT | {"max_input_tokens": 500_000}, api))
    # At the mini, 500,000 in and 100,000 out: .075 + .06; a summary of 666,667 in 166,667 out: .10000005 + .1000002.
    assert found.waterfall["after_usd"].to_list()[-1] == 40 * Decimal("0.33500025")


def test_hosting_is_compared_with_what_the_steps_before_have_left_of_the_bill() -> None:
    dearer = {"family": "deployment", "name": "api", "managed_api": {"model": "gpt-4.1-mini", "provider": "openai"}}
    found = compared_scenarios(forty(), scenarios(MINI, dearer))
    assert found.waterfall["saving_usd"].to_list() == [Decimal("131.6"), Decimal(0)]


def test_the_range_of_a_fleet_holds_its_saving_after_a_step_before() -> None:
    found = compared_scenarios(forty(), scenarios(MINI, OWN))
    row = found.tornado.filter(scenario="own").to_dicts()[0]
    # 140 at first, 6.72 for one replica at either end.
    assert [row["low_usd"], row["stated_usd"], row["high_usd"]] == pytest.approx([133.28] * 3)


@pytest.mark.parametrize(
    "later",
    [
        {"family": "reprice", "name": "flex", "service_tier": "flex"},
        {"family": "deployment", "name": "api", "managed_api": MINI["to"]},
    ],
    ids=["reprice", "deployment"],
)
def test_prices_that_a_step_before_entered_hold_in_the_next(later: dict[str, Any]) -> None:
    found = compared_scenarios(forty(), scenarios(LESS, later))
    alone = {result.name: result.after_usd for result in found.results}
    assert found.combined is not None
    assert found.combined.after_usd == alone[later["name"]] * Decimal("0.9")


def test_a_loss_of_success_is_one_of_the_runs_that_a_scenario_may_touch() -> None:
    """Forty successful runs; half are of workflow `tries`, and half of those needed a second attempt."""
    told = {"outcome": "success", "outcome_at": START + timedelta(hours=1), "cost_usd": Decimal("3.50")}
    workflow = ["tries" if k <= 20 else "other" for k in range(1, 41)]
    runs = [told | {"customer_id": f"c{k}", "workflow": name} for k, name in enumerate(workflow)]
    rows = [
        row | {"workflow": name, "call_key": f"k{k}"}
        for k, (row, name) in enumerate(zip(many(40), workflow, strict=True))
    ]
    first = [row | {"attempt_id": f"first{k}", "status": "error", "billed": False, "superseded": True,
                    "started_at": START - timedelta(minutes=1)} for k, row in enumerate(rows[:10])]  # fmt: skip
    once = {"family": "retry", "name": "once", "max_attempts": 1, "where": {"workflow": ["tries"]}}
    found = compared_scenarios(traffic(*rows, *first, runs=runs), scenarios(once))
    result = found.results[0]
    assert (result.success.low, result.success.high, result.success.n) == (-0.5, 0.0, 20)
    # Ten runs cost nothing any more. Half of the successes at most are lost: the others cost up to twice as much.
    cost = np.array([0.0] * 10 + [3.5] * 10)
    sure = ratio_interval(cost, np.ones(20), np.arange(20), chance=np.random.default_rng(SEED))
    assert sure.high is not None
    assert result.cost_per_success_after.high == pytest.approx(
        2 * sure.high, rel=0.02
    )  # another order of clusters draws otherwise
    assert found.frontier.filter(scenario="once")["success_low"].to_list() == [0.75]


def test_a_range_holds_the_saving_also_where_another_step_leaves_calls_unpriced() -> None:
    to_nobody = {"when": {"step": ["check"]}, "to": {"model": "nothing", "provider": "x"}}
    route = {"family": "route", "name": "route", "rules": [to_nobody, {"to": MINI["to"]}]}
    rows = [row | {"step": "check" if k % 2 else "draft"} for k, row in enumerate(many(40))]
    found = compared_scenarios(traffic(*rows), scenarios(HALF, route))
    assert found.waterfall["saving_usd"][0] == 10  # twenty calls keep a price; half of $1 of output is saved on each
    row = found.tornado.filter(scenario="half").to_dicts()[0]
    assert row["low_usd"] < row["stated_usd"] == pytest.approx(row["high_usd"])  # at worst answers are as long as now


def test_another_tier_is_compared_row_by_row_also_where_a_cap_has_added_some() -> None:
    flex = {"family": "reprice", "name": "flex", "service_tier": "flex", "where": {"model": ["gpt-4o"]}}
    found = compared_scenarios(forty(), scenarios(SHORT, flex))
    assert found.combined is not None
    # This model has no such tier: forty calls and their forty summaries cost what they cost.
    assert found.waterfall["saving_usd"][1] == 0


def test_steps_sum_to_the_combined_saving_also_where_one_of_them_has_no_price() -> None:
    to_nobody = {"when": {"step": ["check"]}, "to": {"model": "nothing", "provider": "x"}}
    route = {"family": "route", "name": "route", "rules": [to_nobody, {"to": MINI["to"]}]}
    rows = [row | {"step": "check" if k % 2 else "draft"} for k, row in enumerate(many(40))]
    found = compared_scenarios(traffic(*rows), scenarios(route, OWN))
    assert found.combined is not None
    # Twenty calls cost 21 cents at the mini; what the others cost at nobody is not known. The fleet costs 6.72 for all.
    assert found.waterfall["saving_usd"].to_list() == [20 * Decimal("3.29"), 20 * Decimal("3.71") - Decimal("6.72")]
    assert found.waterfall["saving_usd"].sum() == found.combined.saving_usd


def test_a_pool_is_given_back_once() -> None:
    calls = forty()
    capacity = pl.lit(Decimal(1)).cast(pl.Decimal(38, 12))
    paid = calls.attempts.with_columns(
        pl.lit("ours").alias("pool"), capacity.alias("capacity_usd"), (pl.col("cost_usd") + capacity).alias("cost_usd")
    )
    found = compared_scenarios(replace(calls, attempts=paid), scenarios(OWN, OWN | {"name": "again"}))
    # The first fleet stands in place of 140 for tokens and 40 for the pool; the second one comes on top.
    assert found.waterfall["after_usd"].to_list() == [Decimal("6.72"), Decimal("13.44")]


def test_a_range_holds_the_saving_also_where_fewer_tokens_fall_under_the_minimum_of_a_cache() -> None:
    read = {"input_uncached_tokens": 0, "input_cache_read_tokens": 4200, "input_total_tokens": 4200}
    read |= {"output_text_tokens": 10, "output_total_tokens": 10}
    rows = [
        row | read | {"session_id": "s", "started_at": START + timedelta(minutes=k)} for k, row in enumerate(many(9))
    ]
    haiku = {"family": "swap", "name": "haiku", "to": {"model": "claude-haiku-4-5", "provider": "anthropic"}}
    tokens = {"input": 1.0, "output": 1.0, "low": 0.9, "high": 1.3}
    row = compared_scenarios(traffic(*rows), scenarios(haiku | {"tokens": tokens})).tornado.to_dicts()[0]
    assert row["low_usd"] <= row["stated_usd"] <= row["high_usd"]
