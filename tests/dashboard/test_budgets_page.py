"""The page of budgets, in every state."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from tests.dashboard.frames import FrameBook, book_of, empty_book

import tokenpnl_dashboard
from tokenpnl_dashboard import state
from tokenpnl_dashboard.alerts.alert import Alert
from tokenpnl_ingest.control import ControlStore
from tokenpnl_ingest.home import Home

APP = str(Path(tokenpnl_dashboard.__file__).parent / "app.py")
MANY = book_of(300)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place = Home.at(tmp_path)
    place.config.mkdir()
    rules = "budgets:\n  - {name: whole <b>, amount_usd: 1, owner: Ana}\n  - {name: calm, amount_usd: 100000}\n"
    (place.config / "budgets.yaml").write_text(rules)
    return place


def opened(book: FrameBook, home: Home | None = None, **params: str) -> AppTest:
    state.serve(book, home)
    app = AppTest.from_file(APP, default_timeout=60)
    for name, value in params.items():
        app.query_params[name] = value
    app.switch_page("views/budgets.py")
    return app.run()


def front(book: FrameBook, home: Home) -> AppTest:
    state.serve(book, home)
    return AppTest.from_file(APP, default_timeout=60).run()


def said(app: AppTest) -> str:
    shown = [*app.title, *app.header, *app.markdown, *app.caption, *app.warning, *app.error]
    return "\n".join(str(element.value) for element in shown)


@pytest.mark.parametrize("book", [book_of(1), book_of(40, unpriced=True), MANY], ids=["one", "unpriced", "many"])
def test_the_page_draws_without_error_under_one_question(book: FrameBook, home: Home):
    app = opened(book, home)
    assert not app.exception
    assert [title.value for title in app.title] == ["Will we overrun, and who knows?"]


def test_without_data_it_says_how_to_begin():
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in said(opened(empty_book()))


def test_without_budgets_it_shows_how_to_write_one_and_the_rest():
    text = said(opened(MANY))
    assert "No budget is in force" in text
    assert "amount_usd" in text
    assert "Why the cost moved" in text


def test_the_verdict_says_a_number_first_and_who_owns_the_worst(home: Home):
    text = said(opened(MANY, home))
    assert "**1 of 2 budgets will overrun or are over.**" in text
    assert "Owner\\: Ana" in text


def test_the_worst_budget_stands_first_and_another_can_be_chosen(home: Home):
    app = opened(MANY, home)
    assert app.dataframe[0].value["Standing"].to_list() == ["▲ over", "✓ within"]
    app.selectbox(key="budget").set_value("calm").run()
    assert not app.exception
    assert any("calm\\: 2026-11" in header.value for header in app.header)


def test_all_time_has_no_period_to_compare_with(home: Home):
    text = said(opened(MANY, home, period="all"))
    assert "All time has no period before it" in text


def test_the_backtest_stands_with_its_number_of_origins(home: Home):
    assert "inside P10-P90, n " in said(opened(MANY, home))


def test_the_page_says_who_is_told_and_what_was_told_last(home: Home):
    rules = "channels: [{name: ops, kind: slack, url_from: S}]\nrules: [{name: r, watch: budget, channels: [ops]}]\n"
    (home.config / "alerts.yaml").write_text(rules)
    told = Alert("budget/x", "budget", "warning", "$80 of $100 is spent on x.")
    state = {"ops": {"state": "sent", "at": "2026-11-24T12:00:00+00:00", "reason": ""}}
    with ControlStore.of(home) as control:
        control.record_alert(told.key, {"alert": told.as_dict(), "channels": state})
        control.acknowledge(told.key, "planned", actor="Ana")
    app = opened(MANY, home)
    assert not app.exception
    tables = [table.value for table in app.dataframe]
    assert any("ops" in table.get("Told", [""])[0] for table in tables)
    last = next(table for table in tables if "Last told" in table)
    assert (last["Alert"][0], last["Noted"][0], last["Channels"][0]) == (told.headline, "Ana: planned", "ops: sent")


def test_without_rules_the_page_says_that_nobody_is_told(home: Home):
    assert "Nobody: alerts.yaml has no rules." in said(opened(MANY, home))


def test_the_overview_shows_how_the_worst_budget_stands(home: Home):
    app = front(MANY, home)
    assert not app.exception
    (tile,) = [metric for metric in app.metric if metric.label.endswith(" of budget")]
    assert "whole" in said(app)
    assert float(tile.value.rstrip("%")) > 100


def test_the_overview_stands_while_the_budgets_are_broken(home: Home):
    (home.config / "budgets.yaml").write_text("budgets: 5")
    app = front(MANY, home)
    assert not app.exception
    assert all("of budget" not in metric.label for metric in app.metric)
