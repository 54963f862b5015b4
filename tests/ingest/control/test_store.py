import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.ingest.control.conftest import Place

from tokenpnl.errors import ConfigurationError, StoreError
from tokenpnl_ingest.control import ControlStore
from tokenpnl_ingest.control.engines import engine_of
from tokenpnl_ingest.home import CONTROL_VARIABLE, Home


def sql(place: Place, *statements: str) -> None:
    """Do what an intruder with the database's password would do."""
    engine = engine_of(place.url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


@pytest.fixture
def three_rows(place: Place) -> Place:
    with place.open() as control:
        for action in ("one", "two", "three"):
            control.audit("ann", action, {"usd": "0.1"})
    return place


def faults(place: Place) -> list[str]:
    with place.open() as control:
        return control.verify()


def test_a_store_that_is_opened_again_knows_everything(three_rows: Place) -> None:
    with three_rows.open() as control:
        assert [row.action for row in control.audit_trail()] == ["one", "two", "three"]
        assert control.verify() == []


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        ("UPDATE audit SET actor = 'bob' WHERE seq = 2", "row 2 was changed, or written without the key"),
        ("DELETE FROM audit WHERE seq = 2", "row 2 is missing or out of order: row 3 stands in its place"),
        ("DELETE FROM audit WHERE seq = 3", "the chain ends at row 2, but row 3 was written: its end was cut off"),
        ("DELETE FROM audit", "the chain ends at row 0, but row 3 was written: its end was cut off"),
    ],
)
def test_an_edit_of_the_database_is_found(three_rows: Place, edit: str, fault: str) -> None:
    sql(three_rows, edit)
    assert faults(three_rows)[0].startswith(fault)


def test_rows_that_changed_places_are_found(three_rows: Place) -> None:
    swap = [f"UPDATE audit SET seq = {new} WHERE seq = {old}" for old, new in ((1, 9), (2, 1), (9, 2))]
    sql(three_rows, *swap)
    assert faults(three_rows)


def test_nothing_is_written_over_an_end_that_was_cut_off(three_rows: Place) -> None:
    sql(three_rows, "DELETE FROM audit WHERE seq = 3")
    with three_rows.open() as control, pytest.raises(StoreError, match="ends at row 2, with row 3 noted as its end"):
        control.audit("eve", "cover", {})
    assert faults(three_rows)


def test_a_note_that_was_removed_stops_all_writing(three_rows: Place) -> None:
    three_rows.head.unlink()
    with three_rows.open() as control, pytest.raises(StoreError, match="no note of its end"):
        control.audit("eve", "cover", {})


def test_a_broken_chain_is_accepted_under_a_name_only_and_stays_on_record(three_rows: Place) -> None:
    sql(three_rows, "DELETE FROM audit WHERE seq = 3")
    with three_rows.open() as control:
        control.accept_chain(actor="cfo", reason="restored from last night's backup")
        assert "its end was cut off" in control.audit_trail()[-1].detail
        control.audit("ann", "go on", {})
        assert control.verify() == []


def test_a_deed_that_fails_leaves_no_audit_row(three_rows: Place) -> None:
    with three_rows.open() as control, pytest.raises(TypeError):
        control.audit("ann", "odd", {"set": {1}})
    with three_rows.open() as control:
        assert len(control.audit_trail()) == 3


def test_a_table_that_is_gone_is_explained(three_rows: Place) -> None:
    sql(three_rows, "DROP TABLE alerts")
    with three_rows.open() as control, pytest.raises(StoreError, match="the control store refused: .*alerts"):
        control.alerts()


def test_a_store_of_another_home_is_refused(three_rows: Place) -> None:
    with pytest.raises(ConfigurationError, match="made by another home"):
        three_rows.open(key=b"other")


def test_a_store_of_a_newer_release_is_refused(three_rows: Place) -> None:
    sql(three_rows, "INSERT INTO migrations VALUES ('add_everything')")
    with pytest.raises(StoreError, match="'add_everything', which this release does not know"):
        three_rows.open()


def test_a_file_that_is_no_database_is_explained(sqlite_place: Place) -> None:
    Path(sqlite_place.url.removeprefix("sqlite:///")).write_bytes(b"not a database, but long enough to look at" * 30)
    with pytest.raises(StoreError, match="file is not a database"):
        sqlite_place.open()


def test_a_server_that_does_not_answer_is_explained(tmp_path: Path) -> None:
    place = Place(f"postgresql+psycopg://ann:secret@/books?host={tmp_path}", tmp_path / "audit.head")
    with pytest.raises(ConfigurationError, match=r"cannot be opened.*check \$TOKENPNL_CONTROL") as caught:
        place.open()
    assert "secret" not in str(caught.value)


WRITER = """
import sys
from pathlib import Path
from tokenpnl_ingest.control import ControlStore
with ControlStore.open(sys.argv[1], key=b"k" * 32, head=Path(sys.argv[2])) as control:
    for number in range(25):
        control.audit(sys.argv[3], "write", {"n": number})
"""


def test_three_processes_write_one_chain(place: Place) -> None:
    place.open().shut()
    command = [sys.executable, "-c", WRITER, place.url, str(place.head)]
    writers = [subprocess.Popen([*command, name]) for name in ("ann", "bob", "cid")]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    with place.open() as control:
        assert len(control.audit_trail()) == 75
        assert control.verify() == []


FIRST = """
import sys
from tokenpnl_ingest.control import ControlStore
from tokenpnl_ingest.home import Home
with ControlStore.of(Home.at(sys.argv[1])) as control:
    control.audit(sys.argv[2], "begin", {})
"""


def test_processes_that_meet_at_a_new_home_make_one_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONTROL_VARIABLE, raising=False)
    command = [sys.executable, "-c", FIRST, str(tmp_path / "home")]
    writers = [subprocess.Popen([*command, name]) for name in ("ann", "bob", "cid", "dan")]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * 4
    with ControlStore.of(Home.at(tmp_path / "home")) as control:
        assert sorted(row.actor for row in control.audit_trail()) == ["ann", "bob", "cid", "dan"]
        assert control.verify() == []


def test_a_home_has_its_own_store_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONTROL_VARIABLE, raising=False)
    home = Home.at(tmp_path / "home")
    with ControlStore.of(home) as control:
        control.audit("ann", "look", {})
    files = sorted(path.name for path in home.path.iterdir() if path.name.startswith(("control", "audit")))
    assert files == ["audit-control.sqlite.head", "audit-control.sqlite.head.lock", "control.sqlite"]
    assert {(home.path / name).stat().st_mode & 0o777 for name in files} == {0o600}


def test_a_database_that_was_replaced_by_an_empty_one_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONTROL_VARIABLE, raising=False)
    home = Home.at(tmp_path / "home")
    with ControlStore.of(home) as control:
        control.audit("ann", "look", {})
    (home.path / "control.sqlite").unlink()
    with ControlStore.of(home) as control:
        assert control.verify() == ["the chain ends at row 0, but row 1 was written: its end was cut off"]


def test_a_store_can_be_moved_to_postgresql_by_its_variable(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONTROL_VARIABLE, postgresql_url.replace("+psycopg", ""))
    home = Home.at(tmp_path / "home")
    with ControlStore.of(home) as control:
        control.audit("ann", "look", {})
        assert control.verify() == []
    assert not (home.path / "control.sqlite").exists()
    assert len(list(home.path.glob("audit-postgres-*.head"))) == 1
