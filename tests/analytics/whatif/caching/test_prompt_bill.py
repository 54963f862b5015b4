"""The input bill under providers' rules: the figures on real chat traffic, and cases by hand."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from tokenpnl_analytics.whatif.caching.lifetimes import ttl_curve
from tokenpnl_analytics.whatif.caching.prompt_bill import bill, bill_over_time, prompt_tokens
from tokenpnl_analytics.whatif.caching.prompt_rules import RULES, PromptRule, prompt_rule, storage_usd
from tokenpnl_analytics.whatif.caching.traces import Trace, read_trace

DAY = date(2026, 11, 1)


def rule_of(provider: str, model: str, name: str | None = None) -> PromptRule:
    found = prompt_rule(provider, model, DAY, name=name)
    assert found is not None
    return found


FIVE_MINUTES = rule_of("anthropic", "claude-sonnet-4-5", "anthropic 5m")
ONE_HOUR = rule_of("anthropic", "claude-sonnet-4-5", "anthropic 1h")
BEFORE_5_6 = rule_of("openai", "gpt-5.1")


def as_published(rule: PromptRule, minimum: int) -> PromptRule:
    """Return the rule as the published figures count: reads in steps of 128, short prompts pay the write too."""
    return replace(rule, minimum_tokens=minimum, step_tokens=128 if minimum else 1, writes_below_minimum=True)


@pytest.fixture(scope="module")
def mooncake(shared_data: Path) -> Trace:
    return read_trace((shared_data / "reference" / "mooncake" / "conversation_trace.jsonl").read_bytes(), name="x")


def factor(trace: Trace, rule: PromptRule) -> float:
    assert trace.requests is not None
    return round(float(bill(prompt_tokens(trace.requests, rule), rule)["factor"].item()), 4)


def test_the_five_minute_cache_saves_a_little_on_real_chats(mooncake: Trace) -> None:
    assert factor(mooncake, as_published(FIVE_MINUTES, 0)) == 0.9126
    assert factor(mooncake, as_published(FIVE_MINUTES, 1024)) == 0.9468


def test_the_one_hour_cache_loses_on_real_chats(mooncake: Trace) -> None:
    assert factor(mooncake, as_published(ONE_HOUR, 0)) == 1.2901
    assert factor(mooncake, as_published(ONE_HOUR, 1024)) == 1.3401
    assert factor(mooncake, ONE_HOUR) > 1.3
    assert ONE_HOUR.break_even_hit_share == pytest.approx(0.526, abs=5e-4)


def test_a_cache_without_a_write_fee_saves_a_quarter(mooncake: Trace) -> None:
    assert factor(mooncake, as_published(BEFORE_5_6, 1024)) == 0.7627
    assert BEFORE_5_6.break_even_hit_share is None


def test_the_loss_shrinks_as_the_cache_warms(mooncake: Trace) -> None:
    assert mooncake.requests is not None
    rule = as_published(ONE_HOUR, 0)
    over_time = bill_over_time(prompt_tokens(mooncake.requests, rule), rule, every_s=600)["factor"]
    assert (round(over_time[0], 2), round(over_time[-1], 2)) == (1.45, 1.22)


def test_lifetimes_hit_the_published_shares(mooncake: Trace) -> None:
    refreshed = ttl_curve(mooncake.references, [3600, 60, 300], refreshed=True)
    assert refreshed["amount_hit_share"].round(3).to_list() == [0.105, 0.293, 0.374]
    from_writing = ttl_curve(mooncake.references, [60, 300, 3600], refreshed=False)
    assert (from_writing["hits"] <= refreshed["hits"]).all()


def prompts(*rows: tuple[int, int, list[str]]) -> pl.DataFrame:
    return pl.DataFrame(
        [(second * 1_000_000, tokens, blocks, 512) for second, tokens, blocks in rows],
        schema={"time_us": pl.Int64, "input_tokens": pl.Int64, "blocks": pl.List(pl.String), "block_tokens": pl.Int64},
        orient="row",
    )


def test_a_prefix_is_read_and_the_rest_is_written() -> None:
    asked = prompts((0, 1536, ["a", "b", "c"]), (60, 2048, ["a", "b", "c", "d"]))
    found = prompt_tokens(asked, FIVE_MINUTES)
    assert found.select("read_tokens", "written_tokens").rows() == [(0, 1536), (1536, 512)]
    # 1536 x 1.25 + 1536 x 0.1 + 512 x 1.25 = 2713.6 of 3584
    assert bill(found, FIVE_MINUTES)["factor"].item() == pytest.approx(2713.6 / 3584)


def test_a_hit_renews_the_prefix_and_its_end_is_the_end_of_the_lifetime() -> None:
    same = ["a", "b"]
    found = prompt_tokens(
        prompts((0, 1024, same), (300, 1024, same), (600, 1024, same), (901, 1024, same)), FIVE_MINUTES
    )
    assert found["read_tokens"].to_list() == [0, 1024, 1024, 0]


def test_short_prompts_and_short_prefixes_are_ordinary_input() -> None:
    found = prompt_tokens(prompts((0, 512, ["a"]), (1, 512, ["a"]), (2, 1536, ["a", "b", "c"])), FIVE_MINUTES)
    assert found.select("read_tokens", "written_tokens").rows() == [(0, 0), (0, 0), (0, 1536)]


def test_openai_reads_whole_steps_of_128() -> None:
    asked = prompts((0, 1100, ["a", "b", "c"]), (1, 1100, ["a", "b", "c"]))
    assert prompt_tokens(asked, BEFORE_5_6)["read_tokens"].to_list() == [0, 1024]


def test_a_block_behind_a_new_one_is_not_read() -> None:
    asked = prompts((0, 2048, ["a", "b", "c", "d"]), (1, 2048, ["a", "b", "x", "d"]))
    assert prompt_tokens(asked, FIVE_MINUTES)["read_tokens"].to_list() == [0, 1024]


def test_explicit_storage_is_rented_by_the_hour() -> None:
    rule = rule_of("google", "gemini-2.5-pro", "gemini explicit")
    # Held from 0 to half an hour and an hour on: 1.5 hours of 5120 tokens.
    found = prompt_tokens(prompts((0, 5120, list("abcdefghij")), (1800, 5120, list("abcdefghij"))), rule)
    assert found["stored_token_hours"].sum() == pytest.approx(1.5 * 5120)
    assert storage_usd("gemini-2.5-pro") == Decimal("4.5")
    # 10,240 tokens, 5,120 of them at a tenth, and storage at twice the price of a token.
    assert bill(found, rule, storage_factor=Decimal(2))["factor"].item() == pytest.approx(1 - 0.45 + 1.5)


def test_a_prompt_without_blocks_is_ordinary_input() -> None:
    found = prompt_tokens(prompts((0, 2000, []), (1, 2000, [])), BEFORE_5_6)
    assert found["read_tokens"].to_list() == [0, 0]


@pytest.mark.parametrize(
    ("model", "minimum"),
    [("claude-opus-5", 512), ("claude-sonnet-4-5", 1024), ("claude-opus-4-7", 2048), ("claude-haiku-4-5", 4096)],
)
def test_the_minimum_goes_by_the_model(model: str, minimum: int) -> None:
    assert rule_of("anthropic", model).minimum_tokens == minimum


def test_openai_charges_for_writes_from_gpt_5_6_on() -> None:
    assert rule_of("openai", "gpt-5.5").write_factor == 1
    assert rule_of("openai", "gpt-5.6").write_factor == Decimal("1.25")


def test_a_rule_holds_from_its_first_day_on() -> None:
    assert prompt_rule("anthropic", "claude-3-5-sonnet", date(2024, 8, 13)) is None
    assert prompt_rule("anthropic", "claude-sonnet-4", date(2025, 5, 21), name="anthropic 1h") is None
    assert prompt_rule("nobody", "no-model", DAY) is None


def test_every_rule_says_where_it_is_written() -> None:
    assert all(rule.source and rule.models for rule in RULES)
    assert all(rule.breakpoints == 4 for rule in RULES if rule.provider == "anthropic")
