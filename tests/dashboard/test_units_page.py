"""The page of unit economics in every state, and its figures against the command line's."""

from decimal import Decimal
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from tests.dashboard.frames import NOW, FrameBook, book_of, empty_book
from tests.dashboard.test_pages import APP, said

from tokenpnl_analytics.periods import Period, parse_period
from tokenpnl_dashboard import state
from tokenpnl_dashboard.questions.reports import Asked, units, units_against
from tokenpnl_dashboard.shapes.unit_tables import difference
from tokenpnl_ingest.control import ControlStore, Reconciled
from tokenpnl_ingest.home import Home

BOOKS = {"one": book_of(1), "unpriced": book_of(40, unpriced=True), "many": book_of(300)}
RULES = """
workflows:
  - workflow: support_reply
    owner: support
    success: Solved at first contact.
    audit: {n: 200, n_false: 7}
    clean_up_usd: 4.50
"""


def opened(book: FrameBook, /, home: Home | None = None, **params: str) -> AppTest:
    state.serve(book, home)
    app = AppTest.from_file(APP, default_timeout=60)
    for name, value in params.items():
        app.query_params[name] = value
    app.switch_page("views/units.py")
    return app.run()


@pytest.fixture
def ruled(tmp_path: Path) -> Home:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "outcomes.yaml").write_text(RULES)
    return Home.at(tmp_path)


@pytest.mark.parametrize("kind", BOOKS)
@pytest.mark.parametrize("unit", ["workflow", "customer", "feature", "release"])
def test_the_page_draws_without_error_by_every_dimension(kind: str, unit: str) -> None:
    app = opened(BOOKS[kind], period="all", unit=unit)
    assert not app.exception
    assert [title.value for title in app.title] == ["What does one success cost, per workflow and customer?"]


def test_without_data_the_page_says_how_to_begin() -> None:
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in said(opened(empty_book()))


def test_a_window_without_runs_offers_all_time() -> None:
    app = opened(BOOKS["one"], period="last-month")
    assert "No runs here" in said(app)


def test_a_workflow_without_a_definition_is_named_with_the_way_to_add_one(ruled: Home) -> None:
    text = said(opened(BOOKS["many"], ruled, period="all"))
    assert "No success definition for `contract_review` and `invoice_extraction`. Add one." in text
    assert "`support_reply`" not in text


def test_the_figures_are_those_of_the_command_line() -> None:
    book = BOOKS["many"]
    app = opened(book, period="all")
    shown = app.dataframe[0].value.set_index("Workflow")
    as_of = state.edition_of(book.version(), now=book.version().newest_at).as_of
    told = units(book, Asked(Period("all", None, None), as_of, "workflow", "UTC"))
    for row in told.iter_rows(named=True):
        assert shown.loc[row["workflow"], "Runs"] == f"{row['n_runs']:,}"
        assert float(shown.loc[row["workflow"], "Settled"].strip("$")) == pytest.approx(
            float(row["settled_usd"]), rel=0.02
        )


@pytest.mark.parametrize("part", ["model", "step", "provider", "hour"])
def test_contributions_by_each_part_are_shown(part: str) -> None:
    app = opened(BOOKS["many"], period="all", slice=part)
    assert not app.exception
    assert part.capitalize() in app.dataframe[3].value.columns


def test_the_risk_is_computed_from_the_audit_of_the_definition(ruled: Home) -> None:
    app = opened(BOOKS["many"], ruled, period="all")
    app.selectbox(key="risk_workflow").select("support_reply").run()
    assert not app.exception
    text = said(app)
    assert "per true success" in text
    assert "3.5% of 200 audited successes were false" in text
    assert "Break\\-even" in text or "Break-even" in text


def test_the_untraced_share_of_a_reconciled_invoice_stands_among_the_controls(ruled: Home) -> None:
    assert "unknown: no invoice reconciled" in controls_of(opened(BOOKS["many"], ruled, period="all"))
    with ControlStore.of(ruled) as control:
        told = Reconciled("2026-11", "openai", "acme", True, Decimal(100), Decimal(88), Decimal(0), {})
        control.record_reconciliation(told, actor="controller")
    assert "12%" in controls_of(opened(BOOKS["many"], ruled, period="all"))


def controls_of(app: AppTest) -> set[str]:
    st.cache_data.clear()
    app.run()
    assert not app.exception
    return set(app.dataframe[2].value["Untraced share of invoice"])


def test_the_cash_view_stands_on_the_statement_and_is_no_unit_cost() -> None:
    state.serve(BOOKS["many"])
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params["period"] = "all"
    app.switch_page("views/pnl.py").run()
    assert not app.exception
    assert [one.label for one in app.expander] == ["Cash view: not a unit cost"]
    n = (BOOKS["many"].frames["runs"]["outcome"] == "success").sum()
    assert f"{n} successes" in app.expander[0].markdown[0].value


def test_a_changed_definition_breaks_the_trend_of_the_statement_aloud(ruled: Home) -> None:
    with (ruled.path / "config" / "outcomes.yaml").open("a") as file:
        file.write("  - {workflow: support_reply, owner: support, success: Solved., version: 2, from: 2026-11-01}\n")
    state.serve(BOOKS["many"], ruled)
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params["period"] = "all"
    app.switch_page("views/pnl.py").run()
    assert "breaks there" in said(app)
    assert "version 2 from 1 Nov 2026" in said(app)
    assert "1 Nov 2026: trends break" in set(opened(BOOKS["many"], ruled, period="all").dataframe[2].value.iloc[:, -1])


def test_a_period_is_set_against_the_one_before_with_the_figures_of_the_command_line() -> None:
    book = BOOKS["many"]
    weeks = "2026-10-20..2026-11-05"  # everything in them has settled, so that the moment of reading does not count
    app = opened(book, period=weeks)
    assert not app.exception
    assert "This period against the one before" in said(app)
    shown = next(frame.value for frame in app.dataframe if "Before" in frame.value.columns).set_index("Workflow")
    period = parse_period(weeks, now=NOW)
    asked, earlier = Asked(period, NOW, "workflow", "UTC"), period.previous()
    assert earlier is not None
    for row in units_against(book, asked, earlier).iter_rows(named=True):
        assert shown.loc[row["workflow"], "Difference"] == difference(row)
        assert shown.loc[row["workflow"], "Successes before"] == f"{row['successes_before']:,}"


def test_all_time_has_nothing_before_it_to_be_set_against() -> None:
    assert "against the one before" not in said(opened(BOOKS["many"], period="all"))


def test_a_disclosure_line_stands_under_the_figures() -> None:
    text = said(opened(BOOKS["many"], period="all"))
    for part in ("Basis", "Data to", "usage lines priced", "Clusters", "Not checked"):
        assert part in text
