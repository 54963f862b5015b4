"""The scenario file: what holds, and errors that say what to do."""

from pathlib import Path

import pytest
from tests.analytics.whatif.traffic import traffic

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.rules.scenarios import SCENARIOS, CallMatch, in_order

SAMPLES = sorted((Path(__file__).parents[2] / "sample_traces" / "config" / "scenarios").glob("*.yaml"))


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.name)
def test_a_scenario_file_of_the_samples_holds_and_is_explained(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert SCENARIOS.parse(text, name=file.name).scenarios
    assert text.startswith("# ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: x\nscenarios: []", "at least 1"),
        ("name: x\nscenarios: [{family: magic, name: a}]", "scenario.yaml:2"),
        ("name: x\nscenarios: [{family: output_cap, name: a}]", "max_output_tokens, shaped_share"),
        (
            "name: x\nscenarios: [&a {family: output_cap, name: a, shaped_share: 0.5}, *a]",
            "a stands again",
        ),
        ("name: x\nwindow: {last_days: 3, from: 2026-11-01}\nscenarios: []", "either last_days"),
        ("name: x\nscenarios: [{family: cascade, name: a, cheap: {model: m}}]", "threshold on a score"),
        (
            "name: x\nscenarios: [{family: context_cap, name: a, max_input_tokens: 100, how: chunk}]",
            "fewer tokens than they hold",
        ),
        ("name: x\nscenarios: [{family: semantic_cache, name: a, hit_share: 0.2}]", "same labelled pairs"),
    ],
    ids=["none", "family", "empty cap", "twice", "window", "cascade", "chunk", "pairs"],
)
def test_a_broken_file_is_refused_with_its_reason(text: str, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        SCENARIOS.parse(text)


def test_scenarios_are_put_into_the_printed_order() -> None:
    text = """name: x
scenarios:
- {family: reprice, name: batch, service_tier: batch}
- {family: swap, name: swap, to: {model: m}}
- {family: output_cap, name: cap, shaped_share: 0.5}
- {family: response_cache, name: cache}
"""
    assert [one.name for one in in_order(SCENARIOS.parse(text).scenarios)] == ["cache", "cap", "swap", "batch"]


@pytest.mark.parametrize(
    ("match", "n"),
    [
        ({}, 3),
        ({"step": "dr*"}, 2),
        ({"context_above": 10}, 1),
        ({"context_up_to": 10}, 1),
        ({"customer": "(none)"}, 3),
    ],
    ids=["all", "wildcard", "above", "up to", "none"],
)
def test_a_match_means_calls_that_fit_every_field(match: dict[str, object], n: int) -> None:
    rows = [{"input_total_tokens": 10}, {"input_total_tokens": 11}, {"input_total_tokens": None, "step": "judge"}]
    found = traffic(*rows).attempts.filter(CallMatch.model_validate(match).expr())
    assert found.height == n
