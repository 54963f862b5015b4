"""A switch to another model pays for the cold cache that it causes, by the provider's lifetime and fee."""

from datetime import timedelta

import polars as pl
from tests.analytics.whatif.families.cached import SINCE, baseline_of

from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.whatif.families.cold_cache import Warmth, cold_after_move, cold_after_switch
from tokenpnl_analytics.whatif.replay import begun, repriced

CLAUDE = {"provider": "anthropic", "model": "claude-sonnet-4-5"}
READ, FRESH, WRITE = "input_cache_read_tokens", "input_uncached_tokens", "input_cache_write_5m_tokens"
PROMPT = ["a", "b", "c", "d"]


def moved_to(card: RateCard, rows: list[dict[str, object]], model: str, provider: str = "anthropic") -> pl.DataFrame:
    frame = begun(baseline_of(card, *rows))
    after = frame.with_columns(pl.lit(model).alias("model"), pl.lit(provider).alias("provider"))
    return cold_after_move(frame, after).with_columns(pl.col(READ, WRITE, FRESH).fill_null(0))


WARM = CLAUDE | {READ: 2048, FRESH: 0, "session_id": "s"}


def test_a_switch_writes_once_what_it_reads_later(card: RateCard) -> None:
    found = moved_to(card, [WARM, WARM], "claude-opus-4-1")
    assert found.select(READ, WRITE, FRESH).rows() == [(0, 2048, 0), (2048, 0, 0)]
    assert found["changed"].to_list() == [True, False]


def test_the_new_cache_is_cold_again_after_its_lifetime(card: RateCard) -> None:
    # Anthropic keeps a prefix for five minutes; the third call comes six after the second.
    rows = [WARM, WARM, WARM | {"started_at": SINCE + timedelta(minutes=7)}]
    assert moved_to(card, rows, "claude-opus-4-1")[READ].to_list() == [0, 2048, 0]


def test_a_provider_that_charges_no_fee_bills_what_is_cold_as_input(card: RateCard) -> None:
    found = moved_to(card, [WARM, WARM], "gpt-4.1", "openai")
    assert found.select(READ, WRITE, FRESH).rows() == [(0, 0, 2048), (2048, 0, 0)]


def test_what_was_written_for_a_fee_is_input_where_there_is_none(card: RateCard) -> None:
    rows = [CLAUDE | {WRITE: 2048, FRESH: 0, "session_id": "s"}, WARM]
    assert moved_to(card, rows, "gpt-4.1", "openai").select(READ, WRITE, FRESH).rows() == [(0, 0, 2048), (2048, 0, 0)]


def test_only_what_was_marked_to_be_kept_is_written_again(card: RateCard) -> None:
    half = {READ: 0, WRITE: 1500, FRESH: 548}, {READ: 1500, WRITE: 0, FRESH: 548}
    rows = [CLAUDE | {"session_id": "s"} | row for row in half]
    found = moved_to(card, rows, "claude-opus-4-1")
    assert found.select(READ, WRITE, FRESH).rows() == [(0, 1500, 548), (1500, 0, 548)]


def test_a_provider_without_a_known_cache_keeps_nothing(card: RateCard) -> None:
    assert moved_to(card, [WARM, WARM], "mistral-large", "mistral")[FRESH].to_list() == [2048, 2048]


def test_a_step_that_never_used_a_cache_stays_as_it_is(card: RateCard) -> None:
    found = moved_to(card, [CLAUDE, CLAUDE], "claude-opus-4-1")
    assert found[FRESH].to_list() == [2048, 2048]
    assert not found["changed"].any()


def test_the_cold_cache_costs_the_fee_of_the_new_provider(card: RateCard) -> None:
    silent = WARM | {"output_text_tokens": 0, "output_total_tokens": 0}
    found = moved_to(card, [silent], "claude-opus-4-1")
    plain = begun(baseline_of(card, silent | {"model": "claude-opus-4-1", READ: 0, FRESH: 2048}))
    spent = repriced(found, card)["cost_usd"].sum()
    assert spent * 4 == 5 * repriced(plain, card)["cost_usd"].sum()


def test_a_switched_call_reads_what_earlier_calls_left_with_the_new_model(card: RateCard) -> None:
    blocks = [PROMPT, [*PROMPT[:3], "x"]]
    baseline = baseline_of(card, CLAUDE | {"model": "claude-opus-4-1"}, WARM, blocks=blocks)
    moved = begun(baseline).with_columns(pl.lit("claude-opus-4-1").alias("model"))
    found = cold_after_switch(moved, pl.col("attempt_id") == "a1")
    assert found[READ].to_list() == [None, 1536]
    assert found["touched_by"].to_list() == [None, None]


def test_the_ends_of_the_range_read_nothing_and_as_much_as_before(card: RateCard) -> None:
    moved = begun(baseline_of(card, WARM, WARM)).with_columns(pl.lit("claude-opus-4-1").alias("model"))
    read = [cold_after_switch(moved, pl.lit(value=True), end)[READ].to_list() for end in (Warmth.COLD, Warmth.WARM)]
    assert read == [[0, 0], [2048, 2048]]


def test_no_switch_changes_nothing(card: RateCard) -> None:
    frame = begun(baseline_of(card, WARM, blocks=[PROMPT]))
    assert cold_after_switch(frame, pl.lit(value=False)).equals(frame)
