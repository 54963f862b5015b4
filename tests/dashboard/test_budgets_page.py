"""The page of budgets, in every state."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from tests.dashboard.frames import FrameBook, book_of, empty_book

import tokenpnl_dashboard
from tokenpnl_dashboard import state
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


def test_the_control_store_is_read_for_who_took_note(home: Home):
    with ControlStore.of(home) as control:
        control.record_alert("k", {"alert": {}, "channels": {}})
    assert not opened(MANY, home).exception
