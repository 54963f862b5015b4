"""What doctor says of books that lag behind, and of a control store that does not answer."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.analytics.desk import call, desk_at, run, traces

from tokenpnl_dashboard import checks
from tokenpnl_dashboard.book import StoredBook
from tokenpnl_ingest.home import CONTROL_VARIABLE, Home
from tokenpnl_ingest.otlp import Signal


def statuses(found: list[checks.Finding]) -> dict[str, str]:
    return {finding.check: finding.status for finding in found}


def test_books_that_lag_for_more_than_a_minute_are_named(tmp_path: Path) -> None:
    with desk_at(tmp_path / "home") as desk:
        body = traces([run(1, "r1"), call(1, 1, parent=0)])
        desk.collector.submit(Signal.TRACES, body, "application/json").result(30)
        assert desk.collector.drain(30)
        book, now = StoredBook(desk.collector.store), datetime.now(UTC)
        assert statuses(list(checks.data_findings(book, now)))["books"] == checks.NOTE
        later = now + timedelta(minutes=2)
        assert statuses(list(checks.data_findings(book, later)))["books"] == checks.UNTRUSTED
        desk.keeper.catch_up()
        assert "books" not in statuses(list(checks.data_findings(book, later)))


def test_a_control_store_that_does_not_answer_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home.at(tmp_path)
    assert list(checks.control_findings(home)) == []
    monkeypatch.setenv(CONTROL_VARIABLE, f"postgresql://nobody@/nothing?host={tmp_path}")
    assert statuses(list(checks.control_findings(home))) == {"control store": checks.BROKEN}
