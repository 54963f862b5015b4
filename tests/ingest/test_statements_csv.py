"""A CSV of outcomes: good rows are statements, a bad one is named by its line and what is wrong with it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_ingest.statements_csv import CsvOutcomes, read_outcomes

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def read(text: str, *, zone: str = "UTC", at: datetime | None = None) -> CsvOutcomes:
    return read_outcomes(text.encode(), zone=ZoneInfo(zone), at=at)


def test_every_column_is_read() -> None:
    head = "run_id,trace_id,business_id,status,value_usd,score,source,at,id,reason\n"
    row = f"r1,{'ab' * 16},ticket-7,success,3.10,0.9,reviewer,2026-11-24T12:00:00Z,o-1,checked\n"
    (told,) = read(head + row).statements
    assert told == {
        "run_id": "r1", "trace_id": "ab" * 16, "business_id": "ticket-7", "status": "success", "value_usd": "3.10",
        "score": 0.9, "source": "reviewer", "at": "2026-11-24T12:00:00Z", "outcome_id": "o-1", "reason": "checked",
    }  # fmt: skip


def test_an_empty_cell_says_nothing_and_null_takes_a_value_back() -> None:
    found = read("run_id,status,value_usd,at\nr1,success,,2026-11-24\nr2,success,null,2026-11-24\n")
    assert "value_usd" not in found.statements[0]
    assert found.statements[1]["value_usd"] is None


def test_whoever_sends_no_source_imports() -> None:
    assert read("business_id,status,at\nt,failure,2026-11-24\n").statements[0]["source"] == "import"


def test_a_time_without_zone_is_in_the_zone_that_is_given() -> None:
    found = read("run_id,status,at\nr,success,2026-11-24 12:00\n", zone="Europe/Rome")
    assert found.statements[0]["at"] == "2026-11-24T12:00:00+01:00"


def test_a_row_without_time_takes_the_one_for_all_or_is_refused() -> None:
    text = "run_id,status\nr,success\n"
    assert read(text, at=NOON).statements[0]["at"] == "2026-11-24T12:00:00Z"
    assert read(text).bad[0].reason.startswith("at: expected when it became true")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("r1,won,1,2026-11-24", "status: Input should be 'success', 'failure' or 'abandoned', got 'won'"),
        ("r1,success,much,2026-11-24", "value_usd: "),
        ("r1,success,1,soon", "at: expected an ISO time such as 2026-11-24T09:30:00Z, got 'soon'"),
        (",success,1,2026-11-24", "give run_id, trace_id or business_id"),
        ("r1,success", "expected 4 cells, got 2"),
        ("r1,success,1,2026-11-24,more", "expected 4 cells, got 5"),
    ],
)
def test_a_bad_row_is_told_with_its_line_and_the_good_ones_are_read(row: str, reason: str) -> None:
    good = 'r0,success,"1",2026-11-24'
    found = read(f"run_id,status,value_usd,at\n{good}\n\n{row}\n{good}\n")
    assert len(found.statements) == 2
    assert [bad.line for bad in found.bad] == [4]
    assert reason in found.bad[0].reason


def test_the_line_of_a_row_is_the_one_it_begins_on() -> None:
    found = read('run_id,status,at,reason\nr1,success,2026-11-24,"two\nlines"\nr2,won,2026-11-24,\n')
    assert [bad.line for bad in found.bad] == [4]


def test_semicolons_and_a_byte_order_mark_are_what_spreadsheets_write() -> None:
    found = read("\ufeffrun_id;status;at\nr1;success;2026-11-24\n")
    assert found.statements[0]["run_id"] == "r1"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the head needs status"),
        ("run_id,at\n", "the head needs status"),
        ("status,at\n", "the head needs status and one of run_id"),
        ("run_id,status,worth\n", "unknown column 'worth'"),
        ("run_id,run_id,status\n", "'run_id' stands twice"),
    ],
)
def test_a_file_with_another_head_is_refused_whole(text: str, reason: str) -> None:
    with pytest.raises(RefusedInputError, match=reason):
        read(text)


def test_a_file_that_is_no_utf_8_is_refused() -> None:
    with pytest.raises(RefusedInputError, match="UTF-8"):
        read_outcomes(b"run_id,status\n\xff\xfe", zone=ZoneInfo("UTC"))
