"""Wildcards on the dimensions of line items: the first rule that fits counts."""

import pytest
from tests.analytics.line_rows import lines_of

from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.rules.line_match import COLUMN_OF, LineMatch, first_match


def fits(match: LineMatch, **line: object) -> bool:
    found: bool = lines_of(line).select(match.expr().alias("fits"))["fits"][0]
    return found


@pytest.mark.parametrize(
    ("pattern", "workflow", "expected"),
    [
        ("support_*", "support_reply", True),
        ("support_*", "my_support_reply", False),
        ("support_?", "support_a", True),
        ("support_?", "support_ab", False),
        ("a.b", "a-b", False),
        ("a+b (c)", "a+b (c)", True),
        ("*", "two\nlines", True),
        ("*", None, True),
        ("(none)", None, True),
        ("support_*", None, False),
    ],
)
def test_a_pattern_fits_as_in_a_shell(pattern: str, workflow: str | None, expected: bool) -> None:
    assert fits(LineMatch.model_validate({"workflow": pattern}), workflow=workflow) is expected


def test_one_of_several_patterns_is_enough_and_every_dimension_must_fit() -> None:
    match = LineMatch.model_validate({"workflow": ["a", "b"], "environment": "prod*"})
    assert fits(match, workflow="b", environment="production")
    assert not fits(match, workflow="b", environment="staging")


def test_a_rule_without_patterns_is_for_everything() -> None:
    assert fits(LineMatch(), workflow=None)


def test_the_first_rule_that_fits_counts() -> None:
    rules = [LineMatch.model_validate({"workflow": name}) for name in ("b", "*", "a")]
    lines = lines_of({"workflow": "a"}, {"workflow": "b"})
    assert lines.select(first_match(rules)).to_series().to_list() == [1, 0]
    assert lines.select(first_match(rules[:1])).to_series().to_list() == [None, 0]
    assert lines.select(first_match([])).to_series().to_list() == [None]


def test_every_dimension_is_a_column_of_line_items() -> None:
    assert set(COLUMN_OF.values()) <= set(LINE_ITEMS.names)
    assert set(COLUMN_OF) == set(LineMatch.model_fields)
