"""Any dollar of a report is followed to the line items, runs and spans behind it."""

from decimal import Decimal

import polars as pl
import pytest
from tests.dashboard.frames import NOW, book_of

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.periods import Period
from tokenpnl_dashboard.questions import drill, reports
from tokenpnl_dashboard.questions.reports import Asked

ALL = Period("all", None, None)
BOOK = book_of(120)


def asked(*texts: str, by: str | None = None) -> Asked:
    return Asked(ALL, NOW, by, "UTC", where=drill.narrowed(texts))


def test_the_lines_behind_every_category_add_up_to_its_figure() -> None:
    for category, usd in reports.categories(BOOK, asked()).select("cost_category", "cost_usd").iter_rows():
        behind = reports.lines(BOOK, asked(f"category={category}"))
        assert behind["cost_usd"].sum() == usd
        assert behind["span_id"].null_count() == 0


def test_the_dearest_line_comes_first() -> None:
    assert reports.lines(BOOK, asked())["cost_usd"].to_list() == sorted(
        BOOK.frames["line_items"]["cost_usd"].to_list(), reverse=True
    )


def test_values_of_one_column_are_alternatives_and_none_is_what_names_nothing() -> None:
    assert drill.narrowed(["customer=acme", "customer=(none)", "kind=output_text"]) == {
        "customer_id": ["acme", None],
        "usage_kind": ["output_text"],
    }


@pytest.mark.parametrize("text", ["retry", "colour=red", "cost_usd=1"])
def test_what_is_no_column_of_text_is_refused_with_those_that_are(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"category=retry.*cost_source"):
        drill.narrowed([text])


def test_a_narrowed_statement_is_that_of_its_lines() -> None:
    told = reports.pnl(BOOK, asked("customer=acme"))
    assert told["effective_usd"][0] == reports.lines(BOOK, asked("customer=acme"))["cost_usd"].sum()
    runs = BOOK.frames["runs"].filter(pl.col("customer_id") == "acme")
    assert told["n_runs"][0] == runs.height


def test_a_part_of_the_cost_of_runs_has_no_successes_of_its_own() -> None:
    assert "successes" not in reports.pnl(BOOK, asked("category=retry")).columns


def test_another_environment_is_read_when_it_is_named() -> None:
    book = book_of(20)
    book.frames = {
        name: frame.with_columns(environment=pl.lit("staging")) if "environment" in frame.columns else frame
        for name, frame in book.frames.items()
    }
    assert reports.pnl(book, asked("environment=staging"))["n_runs"][0] == 20


def test_where_traces_are_sampled_the_report_says_so_and_estimates_the_whole() -> None:
    book = book_of(20)
    assert "sampled" not in reports.disclosure(book, asked(), None, "pnl").sentence()
    book.frames["runs"] = book.frames["runs"].with_columns(adjusted_count=pl.lit(4.0))
    assert "traces are sampled and this is of those kept" in reports.disclosure(book, asked(), None, "pnl").sentence()
    (row,) = reports.estimate(book, asked()).iter_rows(named=True)
    assert (row["n"], row["n_runs_estimate"]) == (20, 80)
    assert row["estimate"] == pytest.approx(4 * float(book.frames["runs"]["cost_usd"].sum()))
    assert row["low"] < row["estimate"] < row["high"]
    # The books themselves hold what was traced, unweighted: no close and no chargeback sees a weight.
    assert reports.pnl(book, asked())["effective_usd"][0] == book.frames["line_items"]["cost_usd"].sum()


def test_a_model_has_no_estimate_of_its_own() -> None:
    with pytest.raises(ConfigurationError, match="sampled whole"):
        reports.estimate(BOOK, asked(by="model"))


def test_what_names_no_customer_is_told_the_largest_source_first() -> None:
    told = reports.unattributed(BOOK, asked())
    lines = BOOK.frames["line_items"].filter(pl.col("customer_id").is_null() | pl.col("workflow").is_null())
    assert told["cost_usd"].sum() == lines["cost_usd"].sum() > Decimal(0)
    assert told["cost_usd"].to_list() == sorted(told["cost_usd"].to_list(), reverse=True)
    assert set(told["lacks"]) == {"customer"}
