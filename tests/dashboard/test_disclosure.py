"""The line under a sum of money says what it rests on."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tokenpnl_analytics.periods import Period
from tokenpnl_dashboard.questions.disclosure import (
    Disclosure,
    confidence,
    cost_disclosure,
    dated,
    invoices_of,
    unchecked,
)
from tokenpnl_ingest.control import ControlStore, Reconciled
from tokenpnl_ingest.home import Home

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


def test_prices_basis_coverage_and_what_was_not_checked_are_told() -> None:
    assert cost_disclosure(["card 1 sha256:abc"], 2, 0.5, []) == (
        "Prices: card 1 sha256:abc. Basis: effective cost, the exact sum of 2 line items; no estimate. "
        "Coverage: 50% of them priced. Not checked: invoices, as none of this period is reconciled."
    )


def test_a_month_that_was_set_against_its_invoice_is_named(home: Home) -> None:
    assert invoices_of(ALL, home) == [SET_AGAINST]
    told = cost_disclosure([], 2, 1.0, invoices_of(ALL, home))
    assert f"Set against invoices: {SET_AGAINST}. Not checked: invoices of anything else." in told


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
    told = cost_disclosure(dated(["card"], Home.at(tmp_path)), 1, 1.0, invoices_of(ALL, Home.at(tmp_path)))
    assert "the control store does not answer" in told


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
