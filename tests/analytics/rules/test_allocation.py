"""allocation.yaml: owners in a hierarchy without gaps, shares that do not exceed the whole."""

import pytest

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.rules.allocation import ALLOCATION, TEMPLATE, Owner


def refused(rule: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        ALLOCATION.parse(f"rules:\n  - {rule}\n")
    return str(caught.value)


def test_the_template_holds() -> None:
    assert [rule.name for rule in ALLOCATION.parse(TEMPLATE).rules] == ["support", "finance", "idle GPUs", "platform"]


def test_an_owner_has_a_path() -> None:
    assert Owner(org="Acme", team="Support").path == "Acme/Support"


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("{name: a, owner: {team: Support}}", "an owner is an org, or an org and a team"),
        ("{name: a, owner: {}}", "an owner is an org, or an org and a team"),
        ("{name: a, owner: {org: A/B}}", "should match pattern"),
        ("{name: a}", "names an owner, or says how the cost is shared"),
        ("{name: a, owner: {org: A}, share: {split: even}}", "one of both"),
        ("{name: a, share: {split: fixed}}", "`percent` belongs to `split: fixed`"),
        ("{name: a, share: {split: even, percent: {A: 50}}}", "`percent` belongs to `split: fixed`"),
        ("{name: a, share: {split: fixed, percent: {A: 60, B: 40.01}}}", "sum to 100.01"),
        ("{name: a, share: {split: fixed, percent: {A/B/C/D: 1}}}", "written org/team/product"),
        ("{name: a, share: {split: fixed, percent: {A//C: 1}}}", "written org/team/product"),
        ("{name: a, share: {split: fifty}}", "even"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_its_line(rule: str, reason: str) -> None:
    told = refused(rule)
    assert told.startswith("allocation.yaml:2: ")
    assert reason in told


def test_two_rules_of_one_name_are_refused() -> None:
    assert "two rules are named a" in refused("{name: a, owner: {org: A}}\n  - {name: a, owner: {org: B}}")
