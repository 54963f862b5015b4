from datetime import UTC, datetime

import pytest

from tokenpnl.errors import ConfigurationError, RefusedInputError
from tokenpnl_ingest.control import ControlStore

OCTOBER, NOVEMBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


def test_a_version_gives_its_bytes_back(control: ControlStore) -> None:
    content = bytes(range(256)) * 400
    assert control.record_version("card 1", content, {"genai-prices": "0.2.3"}, actor="ann")
    assert control.version_content("card 1") == content
    [stored] = control.versions()
    assert (stored.version, stored.sources, stored.recorded_by) == ("card 1", {"genai-prices": "0.2.3"}, "ann")


def test_the_same_version_again_is_stored_once_and_audited_once(control: ControlStore) -> None:
    control.record_version("card 1", b"a", {}, actor="ann")
    assert not control.record_version("card 1", b"a", {}, actor="bob")
    assert len(control.versions()) == 1
    assert [row.action for row in control.audit_trail()] == ["record_version"]


def test_a_version_never_changes_its_content(control: ControlStore) -> None:
    control.record_version("card 1", b"a", {}, actor="ann")
    with pytest.raises(RefusedInputError, match="stored with another content.*a version of its own"):
        control.record_version("card 1", b"b", {}, actor="ann")
    assert control.version_content("card 1") == b"a"


def test_an_unknown_version_is_answered_with_those_that_exist(control: ControlStore) -> None:
    control.record_version("card 1", b"a", {}, actor="ann")
    with pytest.raises(RefusedInputError, match="no price version 'card 9'; there are card 1"):
        control.version_content("card 9")
    with pytest.raises(RefusedInputError, match="no price version 'card 9' to schedule"):
        control.schedule("card 9", None, None, "new", actor="ann")


def test_postings_come_back_in_their_order(control: ControlStore) -> None:
    control.record_version("card 1", b"a", {}, actor="ann")
    first = control.schedule("card 1", None, None, "first", actor="ann")
    second = control.schedule("card 1", OCTOBER, NOVEMBER, "discount found", actor="bob")
    assert control.schedules() == [first, second]
    assert (second.since, second.until, second.reason, second.posted_by) == (OCTOBER, NOVEMBER, "discount found", "bob")
    assert second.posted_at > first.posted_at


def test_a_span_that_ends_before_it_begins_is_refused(control: ControlStore) -> None:
    control.record_version("card 1", b"a", {}, actor="ann")
    with pytest.raises(RefusedInputError, match="ends before it begins"):
        control.schedule("card 1", NOVEMBER, OCTOBER, "typo", actor="ann")
    with pytest.raises(RefusedInputError, match="ends before it begins"):
        control.request_rebook(NOVEMBER, NOVEMBER, "typo", actor="ann")


def test_a_rebook_is_open_until_it_is_finished(control: ControlStore) -> None:
    number = control.request_rebook(OCTOBER, None, "new card", actor="ann")
    [asked] = control.open_rebooks()
    assert (asked.id, asked.since, asked.until, asked.reason) == (number, OCTOBER, None, "new card")
    control.finish_rebook(number)
    control.finish_rebook(number)
    assert control.open_rebooks() == []
    assert [row.action for row in control.audit_trail()] == ["request_rebook", "finish_rebook"]


def test_nobody_does_a_thing_without_a_name(control: ControlStore) -> None:
    with pytest.raises(ConfigurationError, match="the name is empty"):
        control.record_version("card 1", b"a", {}, actor=" ")
    assert control.versions() == []
