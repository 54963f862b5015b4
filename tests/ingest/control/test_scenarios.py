import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_ingest.control import ControlStore


def names(control: ControlStore) -> list[str]:
    return [saved.name for saved in control.scenarios()]


def test_the_newest_version_under_a_name_counts(control: ControlStore) -> None:
    control.save_scenario("cheaper drafts", "name: one", actor="ann")
    control.save_scenario("cheaper drafts", "name: two", actor="bob")
    saved = control.scenario("cheaper drafts")
    assert (saved.content, saved.saved_by) == ("name: two", "bob")


def test_scenarios_are_listed_by_name(control: ControlStore) -> None:
    for name in ("retries", "batch", "retries"):
        control.save_scenario(name, "x: 1", actor="ann")
    assert names(control) == ["batch", "retries"]


def test_a_dropped_scenario_is_listed_no_more_until_it_is_saved_again(control: ControlStore) -> None:
    control.save_scenario("batch", "x: 1", actor="ann")
    control.drop_scenario("batch", actor="bob")
    assert names(control) == []
    with pytest.raises(RefusedInputError, match="no scenario is saved as 'batch'"):
        control.drop_scenario("batch", actor="bob")
    control.save_scenario("batch", "x: 2", actor="ann")
    assert names(control) == ["batch"]


def test_a_scenario_needs_a_name(control: ControlStore) -> None:
    with pytest.raises(RefusedInputError, match="under a name"):
        control.save_scenario(" ", "x: 1", actor="ann")


def test_who_saved_and_dropped_is_in_the_audit_chain(control: ControlStore) -> None:
    control.save_scenario("batch", "x: 1", actor="ann")
    control.drop_scenario("batch", actor="bob")
    assert [(row.actor, row.action) for row in control.audit_trail()] == [
        ("ann", "save_scenario"),
        ("bob", "drop_scenario"),
    ]
