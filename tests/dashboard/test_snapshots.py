from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.analytics.closed_lines import line, lines_of

from tokenpnl.errors import StoreError
from tokenpnl.tables import RUNS
from tokenpnl_analytics.closing.close import Frozen, manifest
from tokenpnl_analytics.frames import empty
from tokenpnl_dashboard.closing.snapshots import Snapshot

LINES = lines_of(line("a/output_text", "0.000009"), line("b/output_text", None))
FROZEN = Frozen(LINES, empty(RUNS), {"outcomes.yaml": "version: 1\n"}, {"EUR": Decimal("1.08")}, {"card 1": None})
LISTED = manifest(
    FROZEN,
    month="2026-10",
    since=datetime(2026, 10, 1, tzinfo=UTC),
    until=datetime(2026, 11, 1, tzinfo=UTC),
    zone="UTC",
)


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    made = Snapshot(tmp_path / "closed" / "2026-10")
    made.write(FROZEN, LISTED)
    return made


def faults(snapshot: Snapshot, listed: dict[str, Any] = LISTED) -> list[str]:
    return snapshot.faults(listed, listed["sha256"])


def test_what_was_written_is_read_back_to_the_last_digit(snapshot: Snapshot) -> None:
    assert snapshot.line_items().equals(LINES)
    assert snapshot.runs().is_empty()
    assert snapshot.listed() == LISTED
    assert faults(snapshot) == []


def test_a_closed_month_is_for_reading_by_its_owner_alone(snapshot: Snapshot) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in [snapshot.folder, *snapshot.folder.rglob("*")]}
    assert modes.pop("2026-10") == modes.pop("rules") == 0o500
    assert set(modes.values()) == {0o400}


def test_a_month_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    # What is no table cannot be written: the folder must not appear half filled.
    broken = Frozen(LINES, empty(RUNS), {"no/such/folder.yaml": ""}, {}, {})
    snapshot = Snapshot(tmp_path / "2026-10")
    with pytest.raises(StoreError, match="cannot be written"):
        snapshot.write(broken, LISTED)
    assert not snapshot.folder.exists()
    # The next attempt clears what the failed one left.
    snapshot.write(FROZEN, LISTED)
    assert [path.name for path in tmp_path.iterdir()] == ["2026-10"]


def test_what_is_in_the_way_is_set_aside_and_never_overwritten(snapshot: Snapshot) -> None:
    snapshot.write(FROZEN, LISTED)
    snapshot.write(FROZEN, LISTED)
    names = sorted(path.name for path in snapshot.folder.parent.iterdir())
    assert names == ["2026-10", "2026-10.reopened-1", "2026-10.reopened-2"]
    assert Snapshot(snapshot.folder.with_name("absent")).set_aside() is None


def test_a_missing_month_and_a_broken_manifest_are_explained(snapshot: Snapshot, tmp_path: Path) -> None:
    assert "cannot be read" in faults(Snapshot(tmp_path / "2026-09"))[0]
    manifest_file = snapshot.folder / "manifest.json"
    manifest_file.chmod(0o600)
    manifest_file.write_text("[]")
    assert faults(snapshot) == [f"the manifest of {snapshot.folder} is no JSON object"]


def test_one_digit_of_one_line_is_found(snapshot: Snapshot) -> None:
    file = snapshot.folder / "line_items.parquet"
    file.chmod(0o600)
    least = pl.col("list_cost_usd") + Decimal("0.000000000001")
    LINES.with_columns(least).write_parquet(file)
    assert [told.split(" is ")[0] for told in faults(snapshot)] == ["2026-10: line_items", "2026-10: sha256"]


def test_a_manifest_that_was_not_signed_is_found(snapshot: Snapshot) -> None:
    assert snapshot.faults(LISTED | {"zone": "Europe/Rome"}, LISTED["sha256"]) == [
        "2026-10: the control store's manifest is not the one that was signed"
    ]
