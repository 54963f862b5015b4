"""Meters in the words of providers."""

import pytest

from tokenpnl_analytics.closing.invoices.kinds import kind_of, tier_of


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (" input", "input_uncached"),
        (" cached input", "input_cache_read"),
        (" output", "output"),
        (" audio output", "output_audio"),
        ("Cached audio input", "input_audio_cache_read"),
        ("Input Tokens", "input_uncached"),
        ("image input", "input_image"),
        ("Reasoning tokens", "output"),
        ("output_text", "output"),
        ("input_cache_write_1h", "input_cache_write_1h"),
        ("Cache write tokens", "input_cache_write"),
        ("Cache Write 5m Input", "input_cache_write_5m"),
        ("cache creation input", "input_cache_write"),
        ("web search tool calls", "web_search"),
        ("assistants api | file search", None),
        ("Storage", None),
    ],
)
def test_a_meter_is_one_kind_or_none(words: str, kind: str | None) -> None:
    assert kind_of(words) == kind


def test_the_tier_is_read_from_the_meter() -> None:
    assert [tier_of(words) for words in ("batch input", "Input, priority", "input")] == ["batch", "priority", None]
