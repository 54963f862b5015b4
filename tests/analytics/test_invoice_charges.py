"""Dollars of an invoice, and charges beside usage."""

from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from tests.analytics.billing import billed, traced

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.closing.invoice_charges import charges_of, in_usd
from tokenpnl_analytics.rules.prices import FX, FxFile
from tokenpnl_analytics.rules.reconciliation import ReconciliationFile

RATES = FX.parse("months: {EUR: {2026-10: 1.10}}\ndates: {EUR: {2026-11-02: 1.12}}")
PAID = date(2026, 11, 3)


def converted(invoice: pl.DataFrame, fx: FxFile = RATES) -> pl.DataFrame:
    return in_usd(invoice, fx, month="2026-10", invoiced_on=PAID)


def charges(invoice: pl.DataFrame, line_items: pl.DataFrame | None = None) -> list[tuple[str, str, str]]:
    found = charges_of(converted(invoice), traced() if line_items is None else line_items, ReconciliationFile())
    return [
        (step, told, f"{usd.normalize():f}")
        for step, told, usd in found.select("step", "description", "booked_usd").iter_rows()
    ]


def test_the_month_books_at_its_average_and_the_invoice_pays_at_its_date() -> None:
    (row,) = converted(billed({"usd": "100", "currency": "EUR"})).to_dicts()
    assert (row["booked_usd"], row["payable_usd"]) == (Decimal(110), Decimal(112))


def test_a_usage_report_needs_no_rate() -> None:
    assert converted(billed({"tokens": 5, "currency": None}), FxFile())["booked_usd"].to_list() == [None]


def test_a_currency_without_rate_is_refused_with_the_line_to_add() -> None:
    with pytest.raises(ConfigurationError, match=r"add months: \{CHF: \{2026-10: RATE\}\}"):
        converted(billed({"usd": "1", "currency": "CHF"}))
    with pytest.raises(ConfigurationError, match=r"add dates: \{CHF: \{2026-11-03: RATE\}\}"):
        converted(billed({"usd": "1", "currency": "CHF"}), FX.parse("months: {CHF: {2026-10: 1.2}}"))


def test_every_category_has_its_step() -> None:
    beside = billed(
        {"charge_category": "Tax", "usd": "12.40", "description": "Tax"},
        {"charge_category": "Credit", "usd": "-5", "description": "Promotion"},
        {"charge_category": "Purchase", "usd": "20", "description": "Support"},
        {"charge_category": "Purchase", "usd": "480", "description": "PTU", "commitment": True},
        {"usd": "7"},
    )
    assert charges(beside) == [
        ("commitment", "PTU", "480"),
        ("credits", "Promotion", "-5"),
        ("fees_and_tax", "Support", "20"),
        ("fees_and_tax", "Tax", "12.4"),
    ]


def test_what_the_books_amortise_is_taken_off_the_commitment() -> None:
    ours = traced(
        {"usage_kind": "commitment", "usd": "470"}, {"usage_kind": "commitment", "usd": "10", "provider": "aws"}
    )
    paid = billed({"charge_category": "Purchase", "usd": "480", "description": "PTU", "commitment": True})
    assert charges(paid, ours) == [("commitment", "PTU", "480"), ("commitment", "amortised in the books", "-470")]


def test_the_rates_differ_by_an_fx_residual_over_the_whole_bill() -> None:
    bill = billed({"usd": "100", "currency": "EUR"}, {"usd": "50", "currency": "EUR"})
    assert charges(bill) == [("fx_residual", "EUR", "3")]
