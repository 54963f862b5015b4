"""The same calls on a fleet: its price is shared exactly, and what cannot move stays."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.analytics.conftest import attempts_of, runs_of

from tokenpnl_analytics.pricing.prices import token_lines
from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.rules.scenario_families import SelfHost
from tokenpnl_analytics.unit_cost.units import cohort
from tokenpnl_analytics.whatif.baseline import Baseline, frozen
from tokenpnl_analytics.whatif.details import SPAN_COLUMNS, call_details
from tokenpnl_analytics.whatif.families.self_host import replay
from tokenpnl_analytics.whatif.replay import begun, repriced
from tokenpnl_analytics.whatif.result import Evidence

SINCE, UNTIL = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
NO_SPANS = pl.DataFrame(schema=dict.fromkeys(SPAN_COLUMNS, pl.String))


def baseline_of(card: RateCard, *rows: dict[str, Any]) -> Baseline:
    usage = {"input_uncached_tokens": 1000, "output_text_tokens": 100}
    totals = {"input_total_tokens": 1000, "output_total_tokens": 100}
    attempts = attempts_of(*(usage | totals | row for row in rows))
    lines = token_lines(attempts, card).with_columns(pl.lit(None, pl.String).alias("pool"))
    runs = cohort(runs_of({}), as_of=UNTIL)
    return frozen(attempts, lines, call_details(NO_SPANS), runs, card=card, window=(SINCE, UNTIL))


def hosted(**changes: Any) -> SelfHost:
    stated = {
        "name": "own",
        "gpu": "l4",
        "model": "qwen3-8b",
        "usd_per_hour": Decimal("0.35"),
        "prefill_tokens_per_s": 5000.0,
        "decode_tokens_per_s": 500.0,
    }
    return SelfHost.model_validate(stated | changes)


def test_calls_share_the_fleets_price_exactly_and_cost_nothing_by_the_token(card: RateCard) -> None:
    baseline = baseline_of(card, {}, {"output_text_tokens": 300, "output_total_tokens": 300}, {})
    found = replay(baseline, begun(baseline), hosted())
    after = repriced(found.attempts, card)
    assert after["token_usd"].to_list() == [0, 0, 0]
    assert after["cost_usd"].sum() == Decimal("8.40")  # 24 h x $0.35
    # Work: 1000/5000 + 100/500 = 0.4 s, and 0.8 s of the longer answer.
    assert after["cost_usd"].sort().to_list() == [Decimal("2.1"), Decimal("2.1"), Decimal("4.2")]
    assert found.evidence is Evidence.ASSUMED
    assert found.success_evidence is Evidence.NOT_IDENTIFIABLE


def test_closed_weights_cannot_be_served_by_anybody_else(card: RateCard) -> None:
    baseline = baseline_of(card, {})
    found = replay(baseline, begun(baseline), hosted(model=None))
    assert found.refused_because is not None
    assert "gpt-4o are not public" in found.refused_because
    assert found.attempts.equals(begun(baseline))


def test_open_weights_may_stay_and_then_success_does_not_change(card: RateCard) -> None:
    baseline = baseline_of(card, {"provider": "together", "model": "qwen3-8b"})
    found = replay(baseline, begun(baseline), hosted(model=None))
    assert found.refused_because is None
    assert found.success is not None
    assert found.success.value == 0.0


def test_a_promise_that_no_fleet_keeps_is_refused(card: RateCard) -> None:
    baseline = baseline_of(card, {})
    found = replay(baseline, begun(baseline), hosted(slo_ms=100.0))
    assert found.refused_because is not None
    assert "no fleet keeps 100 ms" in found.refused_because


def test_calls_with_unknown_tokens_or_too_long_stay(card: RateCard) -> None:
    unknown = {"input_total_tokens": None, "input_uncached_tokens": None, "usage_missing": True}
    long = {"input_total_tokens": 9000, "input_uncached_tokens": 9000}
    baseline = baseline_of(card, {}, unknown, long)
    found = replay(baseline, begun(baseline), hosted(context_tokens=4096))
    assert found.attempts["deployment"].to_list().count("self_host") == 1
    assert any("2 calls" in sentence for sentence in found.assumptions)


def test_break_even_and_latency_stand_beside_the_result(card: RateCard) -> None:
    baseline = baseline_of(card, {}, {})
    measured = replay(baseline, begun(baseline), hosted()).measured
    assert measured["latency"]["replicas"].to_list() == [1]
    assert measured["break_even"]["fleet_usd"][0] == pytest.approx(8.4)


@given(st.lists(st.tuples(st.integers(1, 10_000), st.integers(0, 2000)), min_size=1, max_size=12))
def test_whatever_the_calls_the_parts_sum_to_the_price(card: RateCard, sizes: list[tuple[int, int]]) -> None:
    rows = [
        {
            "input_uncached_tokens": read,
            "input_total_tokens": read,
            "output_text_tokens": written,
            "output_total_tokens": written,
        }
        for read, written in sizes
    ]
    baseline = baseline_of(card, *rows)
    after = repriced(replay(baseline, begun(baseline), hosted()).attempts, card)
    assert after["cost_usd"].sum() == Decimal("8.40")


@pytest.mark.parametrize(("step", "given_back"), [("*", True), ("draft", False)])
def test_a_pool_is_given_back_only_when_nothing_uses_it_any_more(
    card: RateCard, *, step: str, given_back: bool
) -> None:
    baseline = baseline_of(card, {"step": "draft"}, {"step": "check"})
    pooled = baseline.attempts.with_columns(
        pl.lit("old").alias("pool"), pl.lit(Decimal(50)).cast(pl.Decimal(38, 12)).alias("capacity_usd")
    )
    busy = replace(baseline, attempts=pooled)
    found = replay(busy, begun(busy), hosted(where={"step": step}))
    after = repriced(found.attempts, card).filter(pl.col("deployment") == "self_host")
    fleet = Decimal("8.40")
    assert after["cost_usd"].sum() == (fleet if given_back else fleet + 50 * after.height)
    assert any(("given back" if given_back else "stays paid") in sentence for sentence in found.caveats)


def test_the_utilisation_tax_is_told_in_dollars_a_million_tokens(card: RateCard) -> None:
    baseline = baseline_of(card, {}, {})
    [told] = [one for one in replay(baseline, begun(baseline), hosted()).caveats if one.startswith("Utilisation tax")]
    # $8.40 for 2,200 tokens; 0.8 of 86,400 seconds busy.
    assert "cost $3,818.18 at this load and would cost $0.04" in told
