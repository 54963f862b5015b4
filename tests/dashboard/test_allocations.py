"""Chargeback: closed months only, by the lines and rules frozen at the close."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from tests.analytics.line_rows import lines_of

from tokenpnl.errors import ConfigurationError, StoreError
from tokenpnl.tables import RUNS
from tokenpnl_analytics.closing.close import Frozen, manifest
from tokenpnl_analytics.frames import empty
from tokenpnl_dashboard.closing.allocations import chargeback, closed_months
from tokenpnl_dashboard.closing.snapshots import Snapshot
from tokenpnl_ingest.control import ControlStore, MonthSpan
from tokenpnl_ingest.home import CONFIG_VARIABLE, CONTROL_VARIABLE, Home

RULES = 'version: "7"\nrules:\n  - {name: all, owner: {org: Acme, team: Core}}\n'
NOVEMBER = MonthSpan("2026-11", datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONTROL_VARIABLE, raising=False)
    monkeypatch.delenv(CONFIG_VARIABLE, raising=False)


def closed(tmp_path: Path, rules: dict[str, str]) -> Home:
    home = Home.at(tmp_path)
    frozen = Frozen(lines_of({"usd": "1.25"}, {"usd": "0.000000000001"}), empty(RUNS), rules, {}, {})
    listed = manifest(frozen, **vars(NOVEMBER))
    Snapshot(home.closed / "2026-11").write(frozen, listed)
    with ControlStore.of(home) as control:
        control.soft_close(NOVEMBER, preparer="ann", detail={})
        control.close(NOVEMBER, people=("ann", "bob"), snapshot_sha256=listed["sha256"], detail=listed)
    return home


def test_an_open_month_is_refused_with_what_is_closed(tmp_path: Path) -> None:
    home = closed(tmp_path, {"allocation.yaml": RULES})
    with pytest.raises(ConfigurationError, match=r"2026-10 is not closed.*\(closed: 2026-11\).*tokenpnl close"):
        chargeback(home, "2026-10")


def test_without_closed_months_there_are_none(tmp_path: Path) -> None:
    assert closed_months(Home.at(tmp_path)) == []
    with pytest.raises(ConfigurationError, match=r"\(closed: none\)"):
        chargeback(Home.at(tmp_path), "../2026-11")


def test_a_month_set_aside_when_it_was_reopened_is_not_closed(tmp_path: Path) -> None:
    home = closed(tmp_path, {"allocation.yaml": RULES})
    with ControlStore.of(home) as control:
        control.reopen("2026-11", actor="cfo", reason="wrong account")
    # Not even where somebody brought its folder back.
    assert (home.closed / "2026-11").is_dir()
    assert closed_months(home) == []


def test_nobody_is_charged_by_figures_that_were_tampered_with(tmp_path: Path) -> None:
    home = closed(tmp_path, {"allocation.yaml": RULES})
    file = home.closed / "2026-11" / "line_items.parquet"
    file.chmod(0o600)
    pl.read_parquet(file).with_columns(pl.col("cost_usd") * 2).write_parquet(file)
    with pytest.raises(StoreError, match="2026-11: line_items is .*nothing is made of it"):
        chargeback(home, "2026-11")


def test_owners_are_charged_as_closed_by_the_frozen_rules(tmp_path: Path) -> None:
    home = closed(tmp_path, {"allocation.yaml": RULES})
    home.config.mkdir(exist_ok=True)
    (home.config / "allocation.yaml").write_text("rules:\n  - {name: new, owner: {org: Other}}\n")
    row = chargeback(home, "2026-11").table().row(0, named=True)
    assert (row["month"], row["owner"], row["rules_version"]) == ("2026-11", "Acme/Core", "7")
    assert row["cost_usd"] == Decimal("1.250000000001")


def test_a_month_closed_without_rules_is_allocated_by_those_of_today(tmp_path: Path) -> None:
    home = closed(tmp_path, {})
    home.config.mkdir(exist_ok=True)
    (home.config / "allocation.yaml").write_text("rules:\n  - {name: new, owner: {org: Other}}\n")
    assert chargeback(home, "2026-11").table()["owner"].to_list() == ["Other"]
