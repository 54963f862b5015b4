"""Laws that every family keeps on any traffic: nothing changes nothing, no order counts, no saving beyond the cost."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.analytics.conftest import START
from tests.analytics.whatif.traffic import traffic

from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.rules.scenarios import SCENARIOS, Family, Scenario, in_order
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.costs import compared, saving_usd
from tokenpnl_analytics.whatif.families.registry import replayed
from tokenpnl_analytics.whatif.replay import Replayed, begun, repriced

MINI = {"model": "gpt-4o-mini", "provider": "openai"}
SAME = {"model": "gpt-4o", "provider": "openai"}
SERVER = {"gpu": "l4", "usd_per_hour": "0.35", "prefill_tokens_per_s": 5000.0, "decode_tokens_per_s": 500.0}
WHERE = {"model": "gpt-4o"}

IDENTITIES: dict[Family, dict[str, Any]] = {
    Family.REPRICE: {"service_tier": "standard"},
    Family.SWAP: {"to": SAME},
    Family.ROUTE: {"rules": [{"to": SAME}]},
    # Every answer passes: nothing goes on to a stronger model.
    Family.CASCADE: {"cheap": SAME, "verifier": {"tpr": 1, "fpr": 1}, "cheap_correct_share": 1},
    Family.RESPONSE_CACHE: {"ttl_s": 1e-6},
    Family.SEMANTIC_CACHE: {"hit_share": 0, "wrong_share": 0, "n_pairs": 100},
    # No prompt is long enough, in traffic that reads nothing from a cache.
    Family.PROMPT_CACHE: {"minimum_tokens": 10**9, "where": {"model": "gpt-4o", "step": "fresh"}},
    Family.CONTEXT_CAP: {"max_input_tokens": 10**9},
    Family.OUTPUT_CAP: {"shaped_share": 1.0},
    Family.RETRY: {"max_attempts": 1},
    # A fleet of one's own is never the present state of an API's calls: where no call is meant, none moves.
    Family.SELF_HOST: {**SERVER, "where": {"model": "nobody-has-it"}},
    Family.DEPLOYMENT: {"managed_api": SAME},
}
CHANGES: dict[Family, dict[str, Any]] = {
    Family.REPRICE: {"rules": [{"match": {"provider": "openai"}, "discount_pct": 10}]},
    Family.SWAP: {"to": MINI},
    Family.ROUTE: {"rules": [{"when": {"context_up_to": 5000}, "to": MINI}]},
    Family.CASCADE: {"cheap": MINI, "verifier": {"tpr": 0.9, "fpr": 0.2}, "cheap_correct_share": 0.7},
    Family.RESPONSE_CACHE: {"any_temperature": True, "shared_by": "tenant"},
    Family.SEMANTIC_CACHE: {"hit_share": 0.3, "wrong_share": 0.05, "n_pairs": 100, "usd_per_lookup": "0.000001"},
    Family.PROMPT_CACHE: {},
    Family.CONTEXT_CAP: {"max_input_tokens": 3000, "how": "chunk"},
    Family.OUTPUT_CAP: {"max_output_tokens": 50},
    Family.RETRY: {"max_attempts": 1},
    Family.SELF_HOST: SERVER | {"model": "qwen3-8b"},
    Family.DEPLOYMENT: {"managed_api": MINI},
}
CONTRACT = {
    "kept": pl.Boolean(),
    "changed": pl.Boolean(),
    "added": pl.Boolean(),
    "extra_usd": MONEY,
    "answered": MONEY,
    "priced_by": pl.String(),
    "touched_by": pl.String(),
}
# Replaying is slow: shrinking a failure would take minutes, and the calls of an example are few enough to read.
FEW = settings(max_examples=5, phases=(Phase.explicit, Phase.reuse, Phase.generate))
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "model": st.sampled_from(["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "nothing"]),
            "read": st.sampled_from([0, 0, 1024, 2048]),
            "fresh": st.integers(1, 8000),
            "output": st.integers(0, 400),
            "prompt": st.sampled_from(["p", "q", None]),
            "run": st.integers(1, 3),
            "confidence": st.sampled_from([None, 0.2, 0.9]),
        }
    ),
    min_size=1,
    max_size=7,
)


def scenario(family: Family, said: dict[str, Any], **more: Any) -> Scenario:
    asked = {"family": family.value, "name": family.value} | more | said
    return SCENARIOS.model.model_validate({"name": "x", "scenarios": [asked]}).scenarios[0]


def baseline_of(calls: list[dict[str, Any]], order: list[int] | None = None) -> Baseline:
    """Return the baseline of calls a minute apart; blocks and scores by attempt, whatever the order of the rows."""
    rows = []
    for number, call in enumerate(calls):
        total = call["read"] + call["fresh"]
        rows.append({
            "attempt_id": f"a{number}", "run_id": f"r{call['run']}", "trace_id": f"t{call['run']}",
            "session_id": f"s{call['run']}", "started_at": START + timedelta(minutes=number), "model": call["model"],
            "provider": "anthropic" if call["model"].startswith("claude") else "openai",
            "step": "cached" if call["read"] else "fresh", "prompt_hash": call["prompt"],
            "input_cache_read_tokens": call["read"], "input_uncached_tokens": call["fresh"],
            "input_total_tokens": total, "output_text_tokens": call["output"], "output_total_tokens": call["output"],
        })  # fmt: skip
    made = traffic(*(rows[place] for place in order or range(len(rows))), runs=({}, {}, {}))
    of = {f"a{number}": call for number, call in enumerate(calls)}
    told = [of[attempt] for attempt in made.attempts["attempt_id"]]
    blocks = [[f"{call['prompt']}{k}" for k in range((call["read"] + call["fresh"]) // 512 + 1)] for call in told]
    details = made.attempts.with_columns(
        pl.Series("blocks", blocks, pl.List(pl.String)),
        pl.lit(512.0).alias("block_tokens"),
        pl.lit(0.0).alias("temperature"),
        pl.Series("confidence", [call["confidence"] for call in told], pl.Float64),
    )
    return replace(made, attempts=details)


def costs_of(baseline: Baseline, found: Replayed) -> pl.DataFrame:
    after = repriced(found.attempts, baseline.card, found.cards)
    return after.select("attempt_id", "added", "cost_usd").sort("attempt_id", "added", "cost_usd")


def test_every_family_of_the_registry_is_held_to_these_laws() -> None:
    assert set(IDENTITIES) == set(CHANGES) == set(Family)


@pytest.mark.parametrize("family", list(Family))
@settings(FEW)
@given(calls=CALLS)
def test_parameters_of_the_present_state_change_nothing(family: Family, calls: list[dict[str, Any]]) -> None:
    baseline = baseline_of(calls)
    found = replayed(baseline, begun(baseline), scenario(family, IDENTITIES[family], where=WHERE))
    after = repriced(found.attempts, baseline.card, found.cards)
    assert after["cost_usd"].equals(baseline.attempts["cost_usd"])
    assert not found.attempts["changed"].any()
    assert found.attempts["kept"].all()
    assert found.attempts["extra_usd"].sum() == 0


@pytest.mark.parametrize("family", list(Family))
@settings(FEW)
@given(calls=CALLS)
def test_the_frame_keeps_its_contract(family: Family, calls: list[dict[str, Any]]) -> None:
    baseline = baseline_of(calls)
    frame = begun(baseline)
    found = replayed(baseline, frame, scenario(family, CHANGES[family], where=WHERE)).attempts
    assert found.schema == frame.schema
    assert {name: found.schema[name] for name in CONTRACT} == CONTRACT
    recorded = found.head(frame.height)
    assert recorded["attempt_id"].equals(frame["attempt_id"])
    assert not recorded["added"].any()
    assert found[frame.height :]["added"].all()
    others = ~frame.select(pl.col("model") == "gpt-4o").to_series()
    assert recorded.filter(others).equals(frame.filter(others))
    assert not found.select(pl.col("kept", "changed", "added", "extra_usd").is_null().any()).to_series().any()


@pytest.mark.parametrize("family", list(Family))
@settings(FEW)
@given(calls=CALLS, data=st.data())
def test_the_order_in_which_calls_arrive_changes_nothing(
    family: Family, calls: list[dict[str, Any]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(calls))))
    asked = scenario(family, CHANGES[family])
    one, other = baseline_of(calls), baseline_of(calls, order)
    there, back = (replayed(baseline, begun(baseline), asked) for baseline in (one, other))
    assert there.refused_because == back.refused_because
    assert costs_of(one, there).equals(costs_of(other, back))
    assert there.saving_range == back.saving_range


@settings(FEW, max_examples=15)
@given(calls=CALLS, families=st.lists(st.sampled_from(list(Family)), min_size=2, max_size=5, unique=True))
def test_no_composition_saves_more_than_the_traffic_cost(calls: list[dict[str, Any]], families: list[Family]) -> None:
    baseline = baseline_of(calls)
    frame = begun(baseline)
    cards: dict[str, RateCard] = {}
    for asked in in_order([scenario(family, CHANGES[family]) for family in families]):
        found = replayed(replace(baseline, cards=cards), frame, asked)
        frame, cards = found.attempts, cards | dict(found.cards)
    costs = compared(baseline, [replace(found, attempts=frame, cards=cards)])
    before: Decimal = costs.filter("known").select(pl.col("before_usd").sum()).item()
    assert saving_usd(costs) <= before
