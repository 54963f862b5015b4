"""The line under a sum of money says what it rests on."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from tests.analytics.desk import call, desk_at, run, traces
from tests.analytics.line_rows import lines_of
from tests.dashboard.frames import NOW, book_of, empty_book

from tokenpnl_analytics.periods import Period
from tokenpnl_analytics.unit_cost.units import cohort
from tokenpnl_dashboard.book import StoredBook
from tokenpnl_dashboard.questions.disclosure import (
    Disclosure,
    Known,
    Summed,
    confidence,
    dated,
    disclosure_of,
    invoices_of,
    unchecked,
)
from tokenpnl_ingest.control import ControlStore, Reconciled
from tokenpnl_ingest.home import Home
from tokenpnl_ingest.otlp import Signal

ALL = Period("all", None, None)


SET_AGAINST = "2026-10 openai (traced $100.00, billed $100.50)"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose October was set against an invoice of openai, and which knows one rate card."""
    home = Home.at(tmp_path)
    result = Reconciled("2026-10", "openai", "org-1", True, Decimal("100.5"), Decimal(100), Decimal(0), {})
    with ControlStore.of(home, clock=lambda: datetime(2026, 11, 2, tzinfo=UTC)) as control:
        control.record_reconciliation(result, actor="ann")
        control.record_version("card 1 sha256:abc", b"card", {}, actor="ann")
    return home


def test_a_sum_of_posted_lines_says_n_priced_share_freshness_and_basis() -> None:
    lines = lines_of({"usd": "1", "price_version": "card 1 sha256:abc"}, {"cost_source": "unpriced", "quantity": 12})
    told = disclosure_of(Known(empty_book().query, NOW), Summed(ALL, lines=lines))
    assert (told.n, told.counted, told.priced_share, told.newest_fact_at) == (2, "line item", 0.5, NOW)
    assert "closed months as closed" in told.basis
    assert (told.outcome_coverage, told.interval_method) == (None, None)


def test_a_cost_per_success_brings_its_interval_and_coverage_with_it() -> None:
    book = book_of(300)
    runs = cohort(book.frames["runs"], as_of=NOW)
    lines = disclosure_of(Known.of(book), Summed(ALL, runs=runs, unit="tenant"))
    assert (lines.n, lines.counted) == (book.frames["line_items"].height, "line item")
    assert lines.interval_method is not None
    assert lines.interval_method.startswith("95%, ")
    assert lines.outcome_coverage == runs.filter("settled")["outcome"].is_not_null().mean()
    counted = disclosure_of(Known.of(book), Summed(ALL, runs=runs, unit="tenant", counts_runs=True))
    assert (counted.n, counted.counted) == (runs.height, "run")


def test_a_month_that_was_set_against_its_invoice_is_named(home: Home) -> None:
    assert invoices_of(ALL, home) == [SET_AGAINST]
    told = disclosure_of(Known(empty_book().query, NOW, home), Summed(ALL))
    assert told.not_checked == f"invoices of anything but {SET_AGAINST}"


def test_only_months_that_the_period_touches_count(home: Home) -> None:
    october = Period("2026-10", datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
    november = Period("2026-11", datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    assert invoices_of(october, home) == [SET_AGAINST]
    assert invoices_of(november, home) == []


def test_a_rate_card_is_dated_by_the_day_since_when_it_is_known(home: Home) -> None:
    assert dated(["card 1 sha256:abc", "other"], home) == ["card 1 sha256:abc (since 2 Nov 2026)", "other"]


def test_a_control_store_that_cannot_be_read_is_no_fault_of_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENPNL_CONTROL", "postgresql://nobody@127.0.0.1:1/none")
    told = disclosure_of(Known(empty_book().query, NOW, Home.at(tmp_path)), Summed(ALL))
    assert told.not_checked == "invoices, as the control store does not answer"


@pytest.mark.parametrize(
    ("priced_share", "untraced_share", "told"),
    [
        (None, None, "low confidence: – of usage lines priced"),
        (0.9, 0.0, "low confidence: 90% of usage lines priced"),
        (0.99, None, "medium confidence: no invoice reconciled"),
        (1.0, -0.05, "medium confidence: traces and invoices differ by 5.0%"),
        (0.98, 0.02, "high confidence: traces and invoices differ by 2.0%"),
    ],
)
def test_confidence_is_a_word_with_its_reason(
    priced_share: float | None, untraced_share: float | None, told: str
) -> None:
    assert confidence(priced_share, untraced_share) == told


def test_what_travels_with_an_aggregate_is_told_in_words_and_as_a_document() -> None:
    told = Disclosure(
        ["card 1"], 3, "run", 0.5, None, datetime(2026, 11, 2, tzinfo=UTC), "effective cost in USD", None, unchecked([])
    )
    assert told.sentence() == (
        "Prices: card 1. Basis: effective cost in USD. Of 3 runs, 50% of usage lines priced. Data to 2 Nov 2026 00:00 "
        "UTC. Interval: none, the sums are exact. Not checked: invoices, as none of this period is reconciled."
    )
    assert told.document()["newest_fact_at"] == datetime(2026, 11, 2, tzinfo=UTC)


def test_what_was_not_set_against_an_invoice_is_told() -> None:
    assert unchecked(None) == "invoices, as the control store does not answer"
    assert unchecked([SET_AGAINST]) == f"invoices of anything but {SET_AGAINST}"


def test_figures_of_books_that_lag_are_said_to_be_unfinished(tmp_path: Path) -> None:
    with desk_at(tmp_path / "home") as desk:
        body = traces([run(1, "r1"), call(1, 1, parent=0)])
        desk.collector.submit(Signal.TRACES, body, "application/json").result(30)
        assert desk.collector.drain()
        book = StoredBook(desk.collector.store)
        early = disclosure_of(Known.of(book), Summed(ALL))
        assert (early.n, early.batches_behind) == (0, 1)
        assert early.sentence().startswith("Books are 1 batch behind: figures are unfinished. No price list was used.")
        desk.keeper.catch_up()
        booked = disclosure_of(Known.of(book), Summed(ALL))
        assert booked.batches_behind == 0
        assert "unfinished" not in booked.sentence()
