"""The form of the what-if lab: what it writes is a scenario file."""

import pytest

from tokenpnl_analytics.rules.scenarios import SCENARIOS, Family
from tokenpnl_dashboard.shapes.scenario_builder import BLANK, FIELDS, change, with_change

MODELS = {"to.model": "gpt-5-mini", "cheap.model": "gpt-5-mini", "model": "qwen3-8b"}


@pytest.mark.parametrize("family", FIELDS)
def test_every_kind_of_change_makes_a_file_that_holds(family: Family) -> None:
    values = {asked.path: MODELS.get(asked.path, asked.default) for asked in FIELDS[family]}
    text = with_change(BLANK, change(family, values, {"workflow": ["support"], "step": []}))
    [scenario] = SCENARIOS.parse(text).scenarios
    assert scenario.family == family
    assert scenario.where.workflow == ("support",)


def test_a_change_is_added_below_the_others_and_comments_stay() -> None:
    text = "name: x\nscenarios:\n  # why we try it\n  - name: first\n    family: prompt_cache\n"
    made = with_change(text, change(Family.RETRY, {"max_attempts": 1}, {}))
    assert "# why we try it" in made
    assert [one.name for one in SCENARIOS.parse(made).scenarios] == ["first", "fewer attempts"]


def test_a_name_that_stands_already_gets_a_number() -> None:
    made = change(Family.RETRY, {"max_attempts": 1}, {})
    text = with_change(with_change(BLANK, made), made)
    assert [one.name for one in SCENARIOS.parse(text).scenarios] == ["fewer attempts", "fewer attempts 2"]


def test_keys_after_the_scenarios_are_kept() -> None:
    text = "name: x\nscenarios:\n  - name: first\n    family: prompt_cache\ncombine: false\n"
    file = SCENARIOS.parse(with_change(text, change(Family.RETRY, {"max_attempts": 1}, {})))
    assert (file.combine, len(file.scenarios)) == (False, 2)
