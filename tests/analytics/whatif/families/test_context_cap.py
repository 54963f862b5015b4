"""A cap on input: summarised, read in chunks, or refused."""

from decimal import Decimal
from typing import Any

import polars as pl
from tests.analytics.whatif.traffic import traffic

from tokenpnl_analytics.rules.scenario_families import ContextCap
from tokenpnl_analytics.whatif.families.context_cap import replay
from tokenpnl_analytics.whatif.replay import Replayed, begun, repriced
from tokenpnl_analytics.whatif.result import Evidence

LONG = {
    "input_uncached_tokens": 600,
    "input_cache_read_tokens": 400,
    "input_total_tokens": 1000,
    "output_text_tokens": 90,
    "output_total_tokens": 90,
}


def tried(row: dict[str, Any], **scenario: Any) -> Replayed:
    baseline = traffic(row)
    return replay(baseline, begun(baseline), ContextCap.model_validate({"name": "cap"} | scenario))


def tokens(found: Replayed) -> list[tuple[Any, ...]]:
    columns = ("input_uncached_tokens", "input_cache_read_tokens", "input_total_tokens", "output_total_tokens", "added")
    return found.attempts.select(pl.col(columns)).rows()


def test_a_summary_and_the_rest_fill_the_cap_and_somebody_writes_the_summary() -> None:
    # kept + .25 (1000 - kept) = 400: 200 stay, 800 become a summary of 200. Cache keeps its 40%: 160.
    found = tried(LONG, max_input_tokens=400)
    assert tokens(found) == [(240, 160, 400, 90, False), (800, 0, 800, 200, True)]
    assert found.success_evidence is Evidence.NOT_IDENTIFIABLE


def test_chunks_overlap_and_each_writes_an_answer() -> None:
    # Chunks of 400 advance by 300: 0-400, 300-700, 600-1000.
    found = tried(LONG, max_input_tokens=400, how="chunk", overlap_tokens=100)
    assert tokens(found) == [(240, 160, 400, 90, False), (400, 0, 400, 90, True), (400, 0, 400, 90, True)]


def test_the_last_chunk_holds_what_is_left() -> None:
    found = tried(LONG, max_input_tokens=600, how="chunk", overlap_tokens=100)
    assert [row[2] for row in tokens(found)] == [600, 500]


def test_a_refused_call_is_not_made() -> None:
    assert tried(LONG, max_input_tokens=400, how="refuse").attempts["kept"].to_list() == [False]


def test_a_cap_that_nothing_reaches_changes_nothing() -> None:
    for how in ("summarise", "chunk", "refuse"):
        found = tried(LONG, max_input_tokens=1000, how=how)
        assert found.attempts.equals(found.attempts.filter(pl.col("kept") & ~pl.col("changed") & ~pl.col("added")))
        assert found.attempts.height == 1


def test_who_writes_a_summary_does_not_search_again() -> None:
    baseline = traffic({"web_searches": 3})
    found = replay(baseline, begun(baseline), ContextCap(name="short", max_input_tokens=400_000))
    assert found.attempts["web_searches"].to_list() == [3, 0]


def test_a_summary_that_an_api_writes_for_ones_own_server_is_paid() -> None:
    baseline = traffic({"provider": "vllm", "model": "qwen3-8b", "deployment": "self_host"})
    by = {"model": "gpt-4o", "provider": "openai"}
    cap = ContextCap.model_validate({"name": "short", "max_input_tokens": 250_000, "summary_by": by})
    found = replay(baseline, begun(baseline), cap)
    # The million is read at $2.50, and 250,000 tokens of summary are written at $10 a million.
    assert repriced(found.attempts, baseline.card)["token_usd"].to_list()[1] == Decimal(5)
