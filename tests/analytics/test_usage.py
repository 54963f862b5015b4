"""Disjoint usage: the published user reports of overlapping counts, and the law that kinds sum to totals."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analytics.spans import chat, frame

from tokenpnl_analytics.resolving.usage import KIND_NAMES, REPORTED_COLUMNS, disjoint_usage


def usage(**columns: Any) -> dict[str, Any]:
    """Return totals, kinds that are not NULL, and flags of one row."""
    told = {"cache_reported": False, "reasoning_reported": False} | columns
    row = disjoint_usage(frame(chat("a", usage=None, **told))).row(0, named=True)
    shown = ("input_total_tokens", "output_total_tokens", *KIND_NAMES, "flags")
    return {name.removesuffix("_tokens"): row[name] for name in shown if row[name] is not None}


def test_cached_tokens_lie_inside_the_input() -> None:
    told = usage(input_tokens=17_903, cache_read_tokens=17_817, cache_write_tokens=0)
    assert (told["input_uncached"], told["input_cache_read"], told["input_total"]) == (86, 17_817, 17_903)


def test_native_and_inclusive_reports_of_one_call_are_equal() -> None:
    split = {"cache_read_tokens": 128_955, "cache_write_5m_tokens": 1_253, "provider": "anthropic"}
    native = usage(input_tokens=5, **split)
    inclusive = usage(input_tokens=130_213, **split)
    assert native.pop("flags") == "input_semantics_proved"
    assert inclusive.pop("flags") == ""
    assert native == inclusive
    assert native["input_uncached"] == 5


def test_reasoning_lies_inside_the_output() -> None:
    told = usage(output_tokens=482, reasoning_tokens=448)
    assert (told["output_text"], told["output_reasoning"], told["output_total"]) == (34, 448, 482)


def test_reasoning_above_the_output_was_left_out_of_it() -> None:
    told = usage(output_tokens=41, reasoning_tokens=307)
    assert (told["output_text"], told["output_reasoning"], told["output_total"]) == (41, 307, 348)


def test_the_unsplit_rest_of_cache_writes_has_the_default_lifetime() -> None:
    told = usage(
        input_tokens=200_000,
        cache_read_tokens=0,
        cache_write_tokens=184_457,
        cache_write_5m_tokens=20_000,
        cache_write_1h_tokens=11_490,
        provider="anthropic",
    )
    assert told["input_cache_write_5m"] == 20_000 + (184_457 - 31_490)
    assert told["input_cache_write_1h"] == 11_490
    assert told["flags"] == "cache_write_lifetime_assumed"


def test_the_default_lifetime_of_openai_is_half_an_hour() -> None:
    told = usage(input_tokens=100, cache_read_tokens=0, cache_write_tokens=40, provider="openai")
    assert (told["input_cache_write_30m"], told["input_cache_write_5m"]) == (40, 0)


def test_output_is_priced_by_modality() -> None:
    told = usage(output_tokens=85, output_audio_tokens=47, reasoning_tokens=0)
    assert (told["output_text"], told["output_audio"]) == (38, 47)


def test_cached_audio_is_counted_once() -> None:
    told = usage(
        input_tokens=100,
        cache_read_tokens=30,
        cache_write_tokens=0,
        input_audio_tokens=40,
        input_audio_cache_read_tokens=20,
    )
    assert (told["input_audio"], told["input_audio_cache_read"], told["input_cache_read"]) == (20, 20, 10)
    assert told["input_uncached"] == 50


def test_an_absent_cache_count_is_unknown_and_the_rest_is_charged_uncached() -> None:
    told = usage(input_tokens=1110)
    assert "input_cache_read" not in told
    assert (told["input_uncached"], told["flags"]) == (1110, "cache_unknown")


def test_an_absent_cache_count_of_an_emitter_that_always_tells_is_zero() -> None:
    told = usage(input_tokens=113, cache_reported=True)
    assert (told["input_uncached"], told["input_cache_read"], told["flags"]) == (113, 0, "")


def test_an_absent_reasoning_count_is_unknown_and_the_rest_is_charged_as_text() -> None:
    told = usage(output_tokens=348)
    assert "output_reasoning" not in told
    assert (told["output_text"], told["flags"]) == (348, "reasoning_unknown")


def test_an_explicit_zero_stays_zero_and_an_absent_total_stays_unknown() -> None:
    assert usage(input_tokens=0, output_tokens=0)["input_uncached"] == 0
    assert usage() == {"flags": ""}


@pytest.mark.parametrize("side", ["input", "output"])
def test_modalities_that_do_not_fit_are_dropped_and_flagged(side: str) -> None:
    told = usage(
        **{f"{side}_tokens": 10, f"{side}_audio_tokens": 50, "cache_reported": True, "reasoning_reported": True}
    )
    assert told["flags"] == "usage_implausible"
    assert f"{side}_audio" not in told


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {name: st.none() | st.integers(0, 1000) for name in REPORTED_COLUMNS}
            | {"cache_reported": st.booleans(), "reasoning_reported": st.booleans()}
            | {"provider": st.sampled_from(["openai", "anthropic", None])}
        ),
        min_size=1,
        max_size=30,
    )
)
def test_kinds_are_never_negative_and_sum_to_their_total(told: list[dict[str, Any]]) -> None:
    rows = disjoint_usage(frame(*(chat(f"s{number}", usage=None, **row) for number, row in enumerate(told))))
    for side in ("input", "output"):
        kinds = [name for name in KIND_NAMES if name.startswith(side)]
        known = rows.filter(pl.col(f"{side}_total_tokens").is_not_null())
        assert known.filter(pl.sum_horizontal(kinds) != pl.col(f"{side}_total_tokens")).is_empty()
        assert known.filter(pl.any_horizontal(pl.col(kinds) < 0)).is_empty()
        unknown = rows.filter(pl.col(f"{side}_total_tokens").is_null())
        assert unknown.select(pl.col(kinds).count()).sum_horizontal().item() == 0
