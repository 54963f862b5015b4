"""outcomes.yaml: definitions have an owner and versions, and a rule that says nothing is refused with its line."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tokenpnl.errors import ConfigurationError
from tokenpnl.model import OutcomeStatus
from tokenpnl_analytics.rules.outcomes import OUTCOMES, Definition, fits

FILE = """
workflows:
  - workflow: support_reply
    owner: support
    success: The customer does not come back within 7 days.
    window: 7d
    values: {success: 3.10}
    clean_up_usd: 12
    audit: {n: 200, n_false: 7}
    rules:
      - {when: {status: error}, outcome: failure}
      - {when: {evaluation: answer_ok, score_at_least: 0.8}, outcome: success, reason: judged}
  - workflow: support_reply
    owner: support
    success: Solved at first contact.
    version: 2
    from: 2026-10-01
  - {workflow: "support_*", owner: desk, success: The ticket is closed., window: 36h}
"""


def at(month: int) -> datetime:
    return datetime(2026, month, 15, tzinfo=UTC)


def definition(workflow: str, month: int) -> Definition | None:
    return OUTCOMES.parse(FILE).definition_of(workflow, at(month))


def test_the_version_that_holds_is_the_newest_that_had_begun() -> None:
    assert [definition("support_reply", month).version for month in (9, 10)] == ["1", "2"]


def test_of_several_patterns_the_first_that_fits_counts() -> None:
    assert definition("support_refund", 9).success == "The ticket is closed."
    assert definition("contract_review", 9) is None


def test_a_run_without_a_workflow_fits_no_pattern() -> None:
    assert not fits(None, "*")


def test_money_stays_exact_and_a_duration_is_read_in_its_unit() -> None:
    first = definition("support_reply", 9)
    assert first.values == {OutcomeStatus.SUCCESS: Decimal("3.10")}
    assert (first.window, definition("support_x", 9).window) == (timedelta(days=7), timedelta(hours=36))


def test_a_version_holds_from_its_day_in_utc() -> None:
    assert OUTCOMES.parse(FILE).versions_of("support_reply")[1].starts_at == datetime(2026, 10, 1, tzinfo=UTC)


RULE = "workflows: [{{workflow: a, owner: o, success: s, rules: [{{when: {when}, outcome: success}}]}}]"


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("{}", "a rule needs status, attribute or evaluation"),
        ("{evaluation: ok}", "evaluation goes with"),
        ("{status: ok, score_at_least: 0.5}", "evaluation goes with"),
        ("{status: ok, equals: x}", "equals needs the attribute"),
        ("{status: fine}", "'ok', 'error' or 'unset'"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(when: str, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        OUTCOMES.parse(RULE.format(when=when))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("window: soon", "outcomes.yaml:5: .*expected a duration such as 7d"),
        ("audit: {n: 3, n_false: 4}", "4 of 3 checked successes"),
        ("values: {won: 1}", "outcomes.yaml:5: "),
    ],
)
def test_a_wrong_entry_is_named_with_its_line(text: str, expected: str) -> None:
    head = "workflows:\n  - workflow: a\n    owner: o\n    success: s\n    "
    with pytest.raises(ConfigurationError, match=expected):
        OUTCOMES.parse(head + text)


def test_two_versions_from_one_day_are_refused() -> None:
    one = "{workflow: a, owner: o, success: s, from: 2026-10-01}"
    with pytest.raises(ConfigurationError, match="two versions for 'a' hold from the same day"):
        OUTCOMES.parse(f"workflows: [{one}, {one}]")


@pytest.mark.parametrize(("written", "read"), [("true", ("true",)), ("[yes-sir, 5]", ("yes-sir", "5")), ("x", ("x",))])
def test_what_an_attribute_equals_is_read_as_text(written: str, read: tuple[str, ...]) -> None:
    when = f"{{attribute: app.result, equals: {written}}}"
    assert OUTCOMES.parse(RULE.format(when=when)).workflows[0].rules[0].when.equals == read
