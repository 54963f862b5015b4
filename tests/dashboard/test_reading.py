"""The questions of the pages: asked once a version, answered by analytics."""

from decimal import Decimal

import polars as pl
import pytest
from tests.dashboard.frames import NOW, FrameBook, book_of

from tokenpnl.tables import RESOURCES
from tokenpnl_analytics.frames import conform
from tokenpnl_analytics.periods import Period
from tokenpnl_dashboard import state
from tokenpnl_dashboard.parts.filters import Choice
from tokenpnl_dashboard.questions import pnl, reports
from tokenpnl_dashboard.questions.reports import Asked

ALL = Period("all", None, None)


@pytest.fixture
def book(monkeypatch: pytest.MonkeyPatch) -> FrameBook:
    book = book_of(120)
    state.serve(book)
    shown = state.edition_of(book.version(), now=NOW)
    monkeypatch.setattr(state.st, "session_state", {"edition": shown})
    return book


def total(choice: Choice, column: str, *, most: int = 12) -> tuple[Decimal, Decimal]:
    found, whole = pnl.statement_by(choice, column, most=most)
    return found["effective_usd"].sum(), whole["effective_usd"][0]


@pytest.mark.parametrize("column", ["day", "week", "month", "workflow", "customer_id", "model", "step"])
def test_the_columns_of_a_statement_add_up_to_its_total(book: FrameBook, column: str) -> None:
    parts, whole = total(Choice(ALL, {}), column)
    assert parts == whole == book.frames["line_items"]["cost_usd"].sum()


@pytest.mark.parametrize("column", ["day", "month", "workflow", "model"])
def test_what_the_applications_cache_avoided_stands_in_the_statement(book: FrameBook, column: str) -> None:
    hits = {"cached": pl.lit(value=True), "cache_avoided_usd": pl.lit(Decimal("0.5"))}
    book.frames["calls"] = book.frames["calls"].with_columns(**hits)
    state.serve(book)
    found, whole = pnl.statement_by(Choice(ALL, {}), column, most=2)
    assert found["app_cache_avoided_usd"].sum() == whole["app_cache_avoided_usd"][0]
    assert whole["app_cache_avoided_usd"][0] == Decimal("0.5") * book.frames["calls"].height
    told = reports.pnl(book, Asked(ALL, NOW, column, "UTC"))
    assert told["app_cache_avoided_usd"].sum() == whole["app_cache_avoided_usd"][0]


def test_beyond_the_dearest_the_others_are_one_column_and_nothing_is_lost(book: FrameBook) -> None:
    found, whole = pnl.statement_by(Choice(ALL, {}), "workflow", most=2)
    assert found.height == 3
    assert found["effective_usd"].sum() == whole["effective_usd"][0]


def test_successes_stand_beside_cost_only_where_every_filter_is_one_of_runs(book: FrameBook) -> None:
    of_runs, _ = pnl.statement_by(Choice(ALL, {"workflow": ["support_reply"]}), "month", most=12)
    of_lines, _ = pnl.statement_by(Choice(ALL, {"model": ["gpt-5"]}), "month", most=12)
    assert "successes" in of_runs.columns
    assert "successes" not in of_lines.columns


def test_unit_cost_is_asked_once_while_the_data_are_the_same(book: FrameBook) -> None:
    choice = Choice(ALL, {})
    pnl.unit_cost_by(choice, ALL, "workflow")
    asked = len(book.asked)
    pnl.unit_cost_by(choice, ALL, "workflow")
    pnl.the_cohort(choice, ALL)
    assert len(book.asked) == asked


def test_another_environment_than_production_is_counted_only_when_chosen(book: FrameBook) -> None:
    runs = book.frames["runs"]
    book.frames["runs"] = runs.with_columns(environment=runs["environment"].replace("production", "staging"))
    assert pnl.the_cohort(Choice(ALL, {}), ALL).is_empty()
    assert pnl.the_cohort(Choice(ALL, {"environment": ["staging"]}), ALL).height == runs.height


def test_telemetry_that_calls_itself_synthetic_is_known(book: FrameBook) -> None:
    assert not pnl.synthetic()
    said = {"tenant": "default", "resource_hash": "r", "attributes_json": '{"tokenpnl.synthetic":true}'}
    book.frames["resources"] = conform(pl.DataFrame([said]), RESOURCES)
    state.serve(book)
    assert pnl.synthetic()
