"""A router by rules on recorded traffic: estimated where the log explored, bounded or silent where it did not."""

from decimal import Decimal

import polars as pl
import pytest
from tests.analytics.whatif.traffic import traffic

from tokenpnl_analytics.rules.scenario_families import CallMatch, Route, RouteRule, Target
from tokenpnl_analytics.whatif.families.route import replay, routed_runs
from tokenpnl_analytics.whatif.replay import begun, repriced
from tokenpnl_analytics.whatif.result import Evidence

from .mail import mail

FLASH, PRO = Target(model="deepseek-v4-flash"), Target(model="deepseek-v4-pro")
DISPUTES = Route(name="disputes", rules=(RouteRule(inputs={"intent": ("dispute",)}, to=PRO), RouteRule(to=FLASH)))
ALL_CHEAP = Route(name="cheap", rules=(RouteRule(to=FLASH),))


def test_sending_disputes_to_the_strong_model_is_estimated_near_the_truth() -> None:
    # Disputes are a quarter; there 48% become 80%. Four fifths of them were at the cheap model: +6.2 points, less 0.3
    # for the fifth of the other mails that loses the strong model; 97% of the runs are not withdrawn.
    found = replay(mail(), begun(mail()), DISPUTES)
    assert (found.evidence, found.success_evidence) == (Evidence.ASSUMED, Evidence.ESTIMATED)
    assert found.success is not None
    assert found.success.low < 0.06 < found.success.high
    assert found.success.value == pytest.approx(0.06, abs=0.02)


def test_all_calls_at_the_cheap_model_cost_less_and_lose_a_little() -> None:
    baseline = mail()
    found = replay(baseline, begun(baseline), ALL_CHEAP)
    after = repriced(found.attempts, baseline.card)
    assert after["cost_usd"].sum() < baseline.attempts["cost_usd"].sum()
    known = after.filter(pl.col("input_total_tokens").is_not_null())
    assert set(known["model"]) == {"deepseek-v4-flash"}
    assert found.success is not None
    assert found.success.value < 0


def test_a_route_that_sends_every_call_where_it_went_changes_nothing() -> None:
    baseline = mail()
    same = Route(name="same", rules=tuple(RouteRule(when=CallMatch(model=(t.model,)), to=t) for t in (FLASH, PRO)))
    found = replay(baseline, begun(baseline), same)
    assert repriced(found.attempts, baseline.card)["cost_usd"].equals(baseline.attempts["cost_usd"])
    assert not found.attempts["changed"].any()
    assert found.success is not None
    assert (found.success.low, found.success.value, found.success.high) == (0, 0, 0)


def test_a_model_that_was_never_asked_is_not_identifiable() -> None:
    other = Target(model="mistral-small-2603", provider="mistral")
    found = replay(mail(), begun(mail()), Route(name="new", rules=(RouteRule(to=other),)))
    assert found.success_evidence is Evidence.NOT_IDENTIFIABLE
    assert found.success is not None
    assert found.success.value is None
    assert found.caveats


def test_without_logged_routes_success_is_not_identifiable() -> None:
    frame = begun(mail()).with_columns(pl.lit(None, pl.String).alias("route_arm"))
    found = replay(mail(), frame, ALL_CHEAP)
    assert (found.success, found.success_evidence) == (None, Evidence.NOT_IDENTIFIABLE)
    assert "Nobody logged why" in found.caveats[0]


def test_a_router_that_never_explored_gives_no_point_estimate() -> None:
    frame = begun(mail()).with_columns(pl.lit(1.0).alias("route_propensity"))
    found = replay(mail(), frame, DISPUTES)
    assert found.success_evidence in (Evidence.BOUNDED, Evidence.NOT_IDENTIFIABLE)
    assert found.success is not None
    assert found.success.value is None


def test_without_propensities_logged_inputs_give_an_estimate_and_what_would_overturn_it() -> None:
    frame = begun(mail()).with_columns(pl.lit(None, pl.Float64).alias("route_propensity"))
    found = replay(mail(), frame, DISPUTES)
    assert found.success_evidence is Evidence.ESTIMATED
    assert found.success is not None
    # The truth is 6.2 points, see above; the inputs tell all that the draw depended on.
    assert found.success.value == pytest.approx(0.06, abs=0.02)
    assert "Lambda" in found.caveats[0]
    assert "E-value" in found.caveats[0]
    assert "propensity" in found.to_log[0]


def test_without_propensities_and_inputs_no_point_is_estimated() -> None:
    nothing = [pl.lit(None, pl.Float64).alias("route_propensity"), pl.lit(None, pl.String).alias("route_inputs")]
    found = replay(mail(), begun(mail()).with_columns(nothing), ALL_CHEAP)
    assert found.success_evidence in (Evidence.BOUNDED, Evidence.NOT_IDENTIFIABLE)
    assert found.success is not None
    assert found.success.value is None


def test_runs_with_several_draws_are_one_row_each() -> None:
    routed = begun(mail()).filter(pl.col("route_arm").is_not_null(), pl.col("run_id").is_not_null())
    frame = begun(mail()).with_columns(
        pl.when(pl.col("position") % 2 == 0).then(pl.lit("other")).otherwise("route_arm").alias("route_arm")
    )
    runs = routed_runs(mail(), frame, DISPUTES)
    assert runs is not None
    assert runs["run_id"].n_unique() == runs.height == routed["run_id"].n_unique()


def test_a_call_that_moves_reads_cold_unless_the_new_model_has_seen_its_beginning() -> None:
    baseline = mail()
    only_pro = Route(name="pro", rules=(RouteRule(to=PRO),))
    with_blocks = replay(baseline, begun(baseline), only_pro).attempts
    unknown = begun(baseline).with_columns(pl.lit(None, pl.List(pl.String)).alias("blocks"))
    without = replay(baseline, unknown, only_pro).attempts
    moved = with_blocks["changed"]
    read = [each.filter(moved)["input_cache_read_tokens"].sum() for each in (without, with_blocks)]
    assert 0 < read[0] < read[1]
    assert repriced(without, baseline.card)["cost_usd"].sum() > repriced(with_blocks, baseline.card)["cost_usd"].sum()
    assert without["input_total_tokens"].equals(with_blocks["input_total_tokens"])


def test_a_route_that_fits_no_call_is_refused() -> None:
    nothing = Route(name="none", rules=(RouteRule(when=CallMatch(step=("no_such_step",)), to=PRO),))
    found = replay(mail(), begun(mail()), nothing)
    assert "no call" in str(found.refused_because)
    assert repriced(found.attempts, mail().card)["cost_usd"].sum() > Decimal(1)


def test_a_model_that_nobody_sells_costs_not_nothing_for_calls_on_ones_own_servers() -> None:
    baseline = traffic({"provider": "vllm", "model": "qwen3-8b", "deployment": "self_host"})
    route = Route.model_validate({"name": "up", "rules": [{"to": {"model": "gpt-4o"}}]})
    after = repriced(replay(baseline, begun(baseline), route).attempts, baseline.card)
    assert after["token_usd"].to_list() == [Decimal("3.50")]
