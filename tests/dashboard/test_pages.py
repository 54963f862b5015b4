"""Every page in every state: no data, one run, unpriced usage, many runs."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest
from tests.dashboard.frames import FrameBook, book_of, empty_book

import tokenpnl_dashboard
from tokenpnl.errors import StoreError
from tokenpnl_dashboard import state

APP = str(Path(tokenpnl_dashboard.__file__).parent / "app.py")
VIEWS = {
    "overview": "",
    "pnl": "views/pnl.py",
    "allocation": "views/allocation.py",
    "waste": "views/waste.py",
    "runs": "views/runs.py",
    "run": "views/run.py",
}
QUESTION = {
    "overview": "glue?",
    "pnl": "against before?",
    "allocation": "by which rule?",
    "waste": "buy nothing?",
    "runs": "Which runs?",
    "run": "step by step?",
}
BOOKS = {
    "one": book_of(1),
    "unpriced": book_of(40, unpriced=True),
    "many": book_of(300),
}


def opened(page: str, book: FrameBook, /, **params: str | list[str]) -> AppTest:
    state.serve(book)
    app = AppTest.from_file(APP, default_timeout=60)
    if page == "run" and "run" not in params and book.frames["runs"].height:
        params["run"] = book.frames["runs"]["run_id"][-1]
    for name, value in params.items():
        app.query_params[name] = value
    if VIEWS[page]:
        app.switch_page(VIEWS[page])
    return app.run()


def said(app: AppTest) -> str:
    shown = [*app.title, *app.header, *app.markdown, *app.caption, *app.warning, *app.error]
    return "\n".join(str(element.value) for element in shown)


@pytest.mark.parametrize("page", VIEWS)
@pytest.mark.parametrize("kind", BOOKS)
def test_a_page_draws_without_error_under_one_question(page: str, kind: str) -> None:
    app = opened(page, BOOKS[kind], period="all")
    assert not app.exception
    assert len(app.title) == 1
    assert app.title[0].value.endswith(QUESTION[page])


@pytest.mark.parametrize("page", VIEWS)
def test_a_page_without_data_says_how_to_begin(page: str) -> None:
    app = opened(page, empty_book())
    assert not app.exception
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in said(app)


@pytest.mark.parametrize("page", ["overview", "pnl", "waste", "runs"])
def test_a_window_without_data_offers_all_time(page: str) -> None:
    app = opened(page, BOOKS["one"], period="last-month")
    assert not app.exception
    app.button[-1].click().run()
    assert not app.exception
    assert app.selectbox(key="period").value == "all"
    assert "Nothing was paid here" not in said(app)


def test_the_overview_says_a_number_first() -> None:
    text = said(opened("overview", BOOKS["many"], period="all"))
    assert "bought no direct result.**" in text
    assert "One success of contract\\_review cost" in text


def test_unpriced_usage_makes_dollars_a_floor() -> None:
    text = said(opened("overview", BOOKS["unpriced"], period="all"))
    assert "of at least" in text
    assert "unpriced: dollars are a floor" in text


def test_a_filter_in_the_address_narrows_the_page() -> None:
    app = opened("runs", BOOKS["many"], period="all", workflow="support_reply")
    runs = BOOKS["many"].frames["runs"]
    assert f"**{(runs['workflow'] == 'support_reply').sum()} runs**" in said(app)
    assert app.multiselect(key="workflow").value == ["support_reply"]


def test_a_category_in_the_address_leads_to_the_runs_behind_it() -> None:
    app = opened("runs", BOOKS["many"], period="all", category="timeout")
    lines = BOOKS["many"].frames["line_items"]
    behind = lines.filter(lines["cost_category"] == "timeout")["run_id"].n_unique()
    assert f"**{behind} runs**" in said(app)


def test_runs_without_outcome_can_be_asked_for() -> None:
    app = opened("runs", BOOKS["many"], period="all", outcome="none")
    assert f"**{BOOKS['many'].frames['runs']['outcome'].null_count()} runs**" in said(app)


def test_runs_of_no_customer_can_be_asked_for() -> None:
    app = opened("runs", BOOKS["many"], period="all", customer="(none)")
    assert f"**{BOOKS['many'].frames['runs']['customer_id'].null_count()} runs**" in said(app)


def test_a_list_of_runs_is_cut_into_pages() -> None:
    app = opened("runs", BOOKS["many"], period="all")
    assert len(app.dataframe[0].value) == 100


def test_a_narrower_filter_on_a_late_page_begins_again_at_the_first() -> None:
    app = opened("runs", BOOKS["many"], period="all", page="3")
    assert app.session_state["page"] == 3
    app.multiselect(key="workflow").set_value(["support_reply"]).run()
    assert not app.exception
    assert len(app.dataframe[0].value) == 100


def test_a_period_that_is_none_is_answered_with_the_forms_there_are() -> None:
    app = opened("runs", BOOKS["many"], period="whenever")
    assert not app.exception
    assert "write one of all, today" in app.warning[0].value


@pytest.mark.parametrize("by", ["day", "month", "workflow", "customer", "model", "step"])
def test_the_statement_stands_by_any_dimension(by: str) -> None:
    app = opened("pnl", BOOKS["many"], period="all", by=by)
    assert not app.exception
    assert "Effective cost" in app.dataframe[0].value["Line"].to_list()


def test_a_run_shows_its_attempts_and_the_span_of_the_address() -> None:
    attempts = BOOKS["many"].frames["attempts"]
    run_id, span_id = attempts.select("run_id", "span_id").row(0)
    app = opened("run", BOOKS["many"], run=run_id, span=span_id)
    assert not app.exception
    assert any(span_id in table.value.to_string() for table in app.dataframe)


def test_an_unknown_run_leads_back_to_the_list() -> None:
    app = opened("run", BOOKS["many"], run="nope")
    assert app.title[0].value == "No such run"


def test_an_unknown_span_does_not_break_the_page_of_its_run() -> None:
    app = opened("run", BOOKS["many"], span="nope")
    assert not app.exception
    assert "is not part of this run" in said(app)


class BrokenBook(FrameBook):
    """A book whose collector went away."""

    def version(self):
        raise StoreError("the collector does not answer")


def test_a_collector_that_went_away_leaves_the_last_good_figures() -> None:
    book = book_of(40)
    app = opened("overview", book, period="all")
    book.version = BrokenBook({}).version  # type: ignore[method-assign]
    app.run()
    assert not app.exception
    assert "Collector not reachable" in said(app)


def test_a_changed_version_is_asked_again() -> None:
    book = book_of(40)
    app = opened("runs", book, period="all")
    book.frames, book.data_version = book_of(50).frames, 2
    assert "**50 runs**" in said(app.run())


def test_old_data_say_that_periods_count_from_them() -> None:
    book = book_of(40)
    newest = book.frames["runs"]["started_at"].max()
    assert isinstance(newest, datetime)
    app = opened("overview", book)
    assert ("older than 48 h" in said(app)) == state.edition_of(book.version(), now=datetime.now(newest.tzinfo)).stale


@pytest.mark.parametrize("page", ["overview", "pnl", "waste"])
def test_a_page_of_books_that_lag_says_that_its_figures_are_unfinished(page: str) -> None:
    book = book_of(40)
    book.batches_behind = 3
    app = opened(page, book, period="all")
    assert "Books are 3 batches behind: figures are unfinished" in said(app)
    book.batches_behind, book.data_version = 0, 2
    assert "unfinished" not in said(app.run())


def test_the_statement_and_the_overview_say_what_their_dollars_rest_on() -> None:
    for page in ("pnl", "overview"):
        text = said(opened(page, BOOKS["many"], period="all")).replace("\\", "")
        assert "of usage lines priced" in text
        assert "Data to 24 Nov 2026" in text
        assert "Not checked: invoices" in text
        assert "list prices" not in text


@pytest.mark.parametrize("by", ["deployment", "tenant"])
def test_the_statement_is_read_by_every_dimension_of_the_books(by: str) -> None:
    app = opened("pnl", BOOKS["many"], period="all", by=by)
    assert not app.exception
    column = BOOKS["many"].frames["line_items"][by]
    assert {name or "(none)" for name in column.unique()} <= set(app.dataframe[0].value.columns)


def test_a_link_by_deployment_leads_to_its_runs_alone() -> None:
    book = book_of(30)
    first = book.frames["runs"]["run_id"][0]
    of_first = pl.col("run_id") == first
    lines = book.frames["line_items"]
    kind = pl.when(of_first).then(pl.lit("edge")).otherwise(pl.lit("cloud")).alias("deployment")
    book.frames["line_items"] = lines.with_columns(kind)
    app = opened("runs", book, period="all", deployment="edge")
    assert not app.exception
    assert app.dataframe[0].value["Run"].str[:8].to_list() == [first[:8]]
