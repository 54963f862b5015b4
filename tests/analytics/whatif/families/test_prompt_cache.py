"""Prefix caches on recorded calls: what is read and written, calibrated on what was observed."""

from tests.analytics.whatif.families.cached import baseline_of

from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.rules.scenario_families import PromptCache
from tokenpnl_analytics.whatif.families.prompt_cache import replay
from tokenpnl_analytics.whatif.replay import begun, repriced

CLAUDE = {"provider": "anthropic", "model": "claude-sonnet-4-5"}
READ, FRESH = "input_cache_read_tokens", "input_uncached_tokens"
PROMPT = ["a", "b", "c", "d"]


def test_a_prefix_that_comes_again_is_written_once_and_then_read(card: RateCard) -> None:
    baseline = baseline_of(card, CLAUDE, CLAUDE, blocks=[PROMPT, [*PROMPT[:3], "x"]])
    found = replay(baseline, begun(baseline), PromptCache(name="cached"))
    wanted = (READ, "input_cache_write_5m_tokens", FRESH)
    assert found.attempts.select(wanted).rows() == [(0, 2048, 0), (1536, 512, 0)]
    assert found.attempts["changed"].all()
    assert found.caveats == ("No cache was observed here, so the rules are not calibrated: take a ceiling.",)


def test_writing_for_an_hour_what_nobody_reads_costs_twice_the_input(card: RateCard) -> None:
    silent = CLAUDE | {"output_text_tokens": 0, "output_total_tokens": 0}
    baseline = baseline_of(card, silent, silent, blocks=[list("abcd"), list("efgh")])
    found = replay(baseline, begun(baseline), PromptCache(name="hour", ttl="1h"))
    assert repriced(found.attempts, card)["cost_usd"].sum() == 2 * baseline.attempts["cost_usd"].sum()


def test_tenants_and_models_do_not_read_each_others_cache(card: RateCard) -> None:
    rows = (CLAUDE, CLAUDE | {"tenant": "other"}, CLAUDE | {"model": "claude-opus-4-1"})
    baseline = baseline_of(card, *rows, blocks=[PROMPT] * 3)
    found = replay(baseline, begun(baseline), PromptCache(name="cached"))
    assert found.attempts[READ].to_list() == [0, 0, 0]


def test_a_model_that_a_route_switched_to_begins_cold(card: RateCard) -> None:
    warm = CLAUDE | {READ: 2048, FRESH: 0}
    baseline = baseline_of(card, CLAUDE, warm, blocks=[PROMPT] * 2)
    switched = begun(baseline).with_columns(model=baseline.attempts["model"].scatter(1, "claude-opus-4-1"))
    found = replay(baseline, switched, PromptCache(name="cached", ttl="5m"))
    assert found.attempts[READ].to_list() == [0, 0]


def test_reads_are_scaled_to_the_observed_share(card: RateCard) -> None:
    half = CLAUDE | {READ: 1024, FRESH: 1024}
    baseline = baseline_of(card, CLAUDE, half, blocks=[PROMPT] * 2)
    found = replay(baseline, begun(baseline), PromptCache(name="cached"))
    # The rules alone read all 2048 of 4096 tokens; 1024 of 4096 were observed.
    assert found.measured["cached_share"].rows() == [(2, 0.25, 0.5, 0.25)]
    assert found.attempts[READ].to_list() == [0, 1024]


def test_a_cache_that_is_as_recorded_changes_nothing(card: RateCard) -> None:
    model = {"provider": "openai", "model": "gpt-4.1"}
    warm = model | {READ: 2048, FRESH: 0}
    baseline = baseline_of(card, model | {READ: 0}, warm, blocks=[PROMPT] * 2)
    found = replay(baseline, begun(baseline), PromptCache(name="as it is"))
    assert not found.attempts["changed"].any()
    assert repriced(found.attempts, card)["cost_usd"].to_list() == baseline.attempts["cost_usd"].to_list()


def test_without_blocks_it_is_refused_and_says_what_to_log(card: RateCard) -> None:
    baseline = baseline_of(card, CLAUDE)
    found = replay(baseline, begun(baseline), PromptCache(name="cached"))
    assert "prompt blocks" in (found.refused_because or "")
    assert "tokenpnl.prompt.blocks" in found.to_log[0]


def test_a_provider_without_known_rules_is_refused(card: RateCard) -> None:
    baseline = baseline_of(card, {"provider": "mistral", "model": "mistral-large"}, blocks=[PROMPT])
    found = replay(baseline, begun(baseline), PromptCache(name="cached"))
    assert "no prompt cache is known" in (found.refused_because or "")


def test_curves_say_what_other_sizes_and_lifetimes_would_hold(card: RateCard) -> None:
    # Four blocks of 512, a minute apart, then the same again: 2048 of 4096 tokens need room for four blocks.
    baseline = baseline_of(card, CLAUDE, CLAUDE, blocks=[PROMPT] * 2)
    measured = replay(baseline, begun(baseline), PromptCache(name="cached")).measured
    assert measured["curve"].rows() == [(2048, 0.5, 8)]
    assert measured["ttl_curve"]["hit_share"].to_list() == [0.5] * 8


def test_curves_keep_tenants_apart(card: RateCard) -> None:
    baseline = baseline_of(card, CLAUDE, CLAUDE | {"tenant": "other"}, blocks=[PROMPT] * 2)
    measured = replay(baseline, begun(baseline), PromptCache(name="cached")).measured
    assert measured["curve"].is_empty()
    assert set(measured["ttl_curve"]["hit_share"]) == {0.0}
