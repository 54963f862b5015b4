"""budgets.yaml says what may be spent on what, and refuses what nobody could hold to."""

from datetime import date

import pytest

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.rules.budgets import BUDGETS

TEAMS = """
zone: Europe/Rome
groups:
  support:
    where: {workflow: [support_reply, triage], customer: (none)}
budgets:
  - name: everything
    amount_usd: 1200.50
  - {name: support, amount_usd: 300, group: support, every: quarter, from: 2026-10-01, to: 2027-03-31, owner: Ana}
"""


def test_an_empty_file_is_no_budget():
    assert BUDGETS.parse("").budgets == ()


def test_amounts_are_exact_and_thresholds_have_defaults():
    whole = BUDGETS.parse(TEAMS).budgets[0]
    assert str(whole.amount_usd) == "1200.50"
    assert whole.thresholds.actual == whole.thresholds.forecast == (50, 80, 100)


def test_a_group_stands_for_a_selection_of_columns():
    rules = BUDGETS.parse(TEAMS)
    selection = rules.selection(rules.budgets[1])
    assert selection.columns() == {"workflow": ["support_reply", "triage"], "customer_id": [None]}
    assert selection.spelled() == "workflow support_reply or triage, customer (none)"
    assert rules.selection(rules.budgets[0]).spelled() == "everything"


def test_a_budget_is_in_force_on_its_days_both_ends_included():
    support = BUDGETS.parse(TEAMS).budgets[1]
    days = (date(2026, 9, 30), date(2026, 10, 1), date(2027, 3, 31), date(2027, 4, 1))
    assert [support.within(day, day) for day in days] == [False, True, True, False]
    assert support.within(days[0], days[3])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "budgets:\n  - name: x\n    amount_usd: -1",
            r"budgets.yaml:3: budgets.0.amount_usd: .*greater than 0, got -1",
        ),
        ("budgets:\n  - {name: x}", "budgets.yaml:2: budgets.0.amount_usd: Field required"),
        ("budgets:\n  - name: x\n    amount_usd: 1\n    where: {colour: red}", "budgets.yaml:4: .*'workflow'"),
        ("budgets:\n  - {name: x, amount_usd: 1, group: y}", "no group y; the groups of this file: none"),
        ("zone: Mars\n", "budgets.yaml:1: zone: .*IANA"),
        ("currency: EUR", "budgets.yaml:1: currency: .*USD"),
        (
            "budgets:\n  - {name: x, amount_usd: 1, to: 2026-10-31}\n  - {name: x, amount_usd: 2, from: 2026-10-31}",
            "two budgets 'x' are in force on the same day",
        ),
        ("budgets:\n  - {name: x, amount_usd: 1, from: 2026-10-02, to: 2026-10-01}", "before it begins"),
        ("groups: {g: {}}\nbudgets:\n  - {name: x, amount_usd: 1, group: g, where: {model: m}}", "not on both"),
    ],
)
def test_what_nobody_could_hold_to_is_refused_with_its_line(text: str, told: str):
    with pytest.raises(ConfigurationError, match=told):
        BUDGETS.parse(text)


def test_one_name_may_have_another_amount_from_another_day():
    text = "budgets:\n  - {name: x, amount_usd: 1, to: 2026-10-31}\n  - {name: x, amount_usd: 2, from: 2026-11-01}"
    assert len(BUDGETS.parse(text).budgets) == 2
