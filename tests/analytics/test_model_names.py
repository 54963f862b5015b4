"""One name for two spellings."""

import pytest

from tokenpnl_analytics.closing.model_names import common_names


@pytest.mark.parametrize(
    ("traced", "billed"),
    [
        ("gpt-5.4-mini", "gpt-5.4-mini-2026-03-17"),
        ("claude-sonnet-4-6", "Claude4.6Sonnet"),
        ("us.anthropic.claude-sonnet-4-6-20260501-v1:0", "Claude4.6Sonnet"),
        ("claude-opus-5", "anthropic/claude-opus-5"),
        ("models/gemini-3.8-flash", "gemini-3.8-flash"),
        ("claude-sonnet-5@20260301", "claude-sonnet-5"),
    ],
)
def test_spellings_of_one_model_meet_in_the_traced_name(traced: str, billed: str) -> None:
    assert common_names([traced], [billed], {}) == {traced: traced, billed: traced}


def test_versions_that_both_sides_tell_apart_stay_apart() -> None:
    two = ["gpt-4o-2024-05-13", "gpt-4o-2024-08-06"]
    assert common_names(two, two, {}) == {name: name for name in two}


def test_versions_that_one_side_mixes_are_one() -> None:
    found = common_names(["gpt-4o", "gpt-4o-2024-08-06"], ["gpt-4o-2024-08-06"], {})
    assert set(found.values()) == {"gpt-4o"}


def test_other_numbers_or_words_are_other_models() -> None:
    found = common_names(["gpt-5.4", "claude-sonnet-4-6"], ["gpt-5.4-mini", "claude-sonnet-6-4"], {})
    assert found == {name: name for name in found}


def test_what_is_configured_is_stronger_than_resemblance() -> None:
    found = common_names(["prod-chat"], ["gpt-5.4"], {"gpt-5.4": "prod-chat"})
    assert found["gpt-5.4"] == "prod-chat"
