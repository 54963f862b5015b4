"""A statement that covers a closed month says at what it was closed and how it reads now."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from streamlit.testing.v1 import AppTest
from tests.dashboard.months import OCTOBER_5, close, closing_of, furnished, load, run

import tokenpnl_dashboard
from tokenpnl_analytics.periods import Period
from tokenpnl_dashboard import state
from tokenpnl_dashboard.book import open_book
from tokenpnl_dashboard.cli import tokenpnl
from tokenpnl_dashboard.closing.closed_words import sentences
from tokenpnl_ingest.home import Home

APP = str(Path(tokenpnl_dashboard.__file__).parent / "app.py")
ALL = Period("all", None, None)
NOVEMBER = Period("2026-11", datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """October closed at three calls of $0.021; November open with one."""
    home = furnished(tmp_path)
    with closing_of(home) as closing:
        close(closing)
    return home


def told(home: Home, period: Period) -> list[str]:
    with closing_of(home) as closing:
        return sentences(closing, period)


def test_a_closed_month_that_nothing_touched_reads_as_closed(home: Home) -> None:
    assert told(home, ALL) == ["2026-10 is closed at $0.0630 and reads so now."]
    assert told(home, NOVEMBER) == []


def test_a_late_span_stands_beside_the_closed_figure(home: Home) -> None:
    load(home, *run(4, OCTOBER_5, 2))
    assert told(home, ALL) == [
        "2026-10 is closed at $0.0630 and reads $0.0840 now, as shown here; the open month carries the difference."
    ]


def test_the_posted_statement_keeps_the_closed_month_and_adds_up_to_the_same(home: Home) -> None:
    load(home, *run(4, OCTOBER_5, 2))

    def months(*more: str) -> dict[str, str]:
        done = CliRunner().invoke(
            tokenpnl, ["report", "pnl", "--by", "month", "--json", "--home", str(home.path), *more]
        )
        return {row["period"][:7]: row["effective_usd"] for row in json.loads(done.stdout)["rows"]}

    assert months() == {"2026-10": "0.084", "2026-11": "0.021"}
    assert months("--posted") == {"2026-10": "0.063", "2026-11": "0.042"}


def test_as_closed_and_restated_stand_side_by_side_in_the_posted_statement(home: Home) -> None:
    load(home, *run(4, OCTOBER_5, 2))
    asked = ["report", "pnl", "--posted", "--by", "month", "--json", "--home", str(home.path)]
    october, november = json.loads(CliRunner().invoke(tokenpnl, asked).stdout)["rows"]
    columns = "as_closed_usd", "restated_usd", "difference_usd"
    assert [october[name] for name in columns] == ["0.063", "0.084", "0.021"]
    assert [november[name] for name in columns] == [None, None, None]
    other = CliRunner().invoke(tokenpnl, [*asked, "--zone", "Europe/Rome"])
    assert "months are closed in UTC" in str(other.exception or other.stderr)


def test_closed_and_restated_stand_at_each_workflow_too(home: Home) -> None:
    load(home, *run(4, OCTOBER_5, 2))
    asked = ["report", "pnl", "--posted", "--by", "workflow", "--json", "--home", str(home.path)]
    (only,) = json.loads(CliRunner().invoke(tokenpnl, asked).stdout)["rows"]
    columns = "effective_usd", "as_closed_usd", "restated_usd", "difference_usd"
    assert [only[name] for name in columns] == ["0.105", "0.063", "0.084", "0.021"]


def test_a_statement_page_shows_closed_months_in_three_columns(home: Home) -> None:
    load(home, *run(4, OCTOBER_5, 2))
    with open_book(home) as book:
        state.serve(book, home)
        app = AppTest.from_file(APP, default_timeout=60)
        app.query_params["period"] = "all"
        app.switch_page("views/pnl.py").run()
    assert not app.exception
    assert app.dataframe[1].value.to_dict("records") == [
        {"Month": "2026-10", "As closed": "$0.0630", "Restated": "$0.0840", "Difference": "$0.0210"}
    ]
