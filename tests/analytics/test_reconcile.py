"""A month against its invoices."""

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.analytics.billing import at, billed, traced

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.closing.reconcile import STEPS, WATERFALL, Reconciliation, Terms, days_of_month, reconcile
from tokenpnl_analytics.rules.prices import FX
from tokenpnl_analytics.rules.reconciliation import RECONCILIATION


def steps(found: Reconciliation) -> dict[str, str]:
    """Return the steps that are not 0."""
    return {
        step: f"{net.normalize():f}" for step, net in found.waterfall.select("step", "net_usd").iter_rows() if net != 0
    }


def test_the_order_of_the_waterfall_is_fixed() -> None:
    found = reconcile(traced({"tokens": 1, "usd": "1"}), billed({"tokens": 1, "usd": "1"}), "2026-10")
    assert found.waterfall["step"].to_list() == list(WATERFALL)
    assert steps(found) == {"traced": "1", "billed": "1"}


def test_every_kind_of_difference_has_its_step() -> None:
    line_items = traced(
        {"tokens": 100, "usd": "10"},
        {"model": "o5", "tokens": 10, "usd": "5"},
        {"model": "free", "tokens": 10, "usd": "0.5"},
        {"model": "lump", "tokens": 10, "usd": "4"},
        {"usage_kind": "commitment", "usd": "30"},
    )
    invoice = billed(
        {"tokens": 120, "usd": "12"},
        {"model": "o5", "tokens": 10, "usd": "6"},
        {"model": "free", "tokens": 10, "usd": "0"},
        {"model": "lump", "usd": "4.25"},
        {"charge_category": "Purchase", "commitment": True, "usd": "32"},
        {"charge_category": "Credit", "usd": "-3"},
        {"charge_category": "Tax", "usd": "12.40"},
    )
    assert steps(reconcile(line_items, invoice, "2026-10")) == {
        "traced": "49.5",
        "coverage": "2",
        "price": "1",
        "commitment": "2",
        "credits": "-3.5",
        "fees_and_tax": "12.4",
        "unexplained": "0.25",
        "billed": "63.65",
    }


def test_a_foreign_invoice_ends_at_what_is_paid() -> None:
    fx = FX.parse("months: {EUR: {2026-10: 1.10}}\ndates: {EUR: {2026-11-01: 1.12}}")
    found = reconcile(
        traced({"tokens": 10, "usd": "110"}),
        billed({"tokens": 10, "usd": "100", "currency": "EUR"}),
        "2026-10",
        Terms(fx=fx),
    )
    assert steps(found) == {"traced": "110", "fx_residual": "2", "billed": "112"}


def test_calls_of_the_last_evening_that_the_next_month_bills_are_timing() -> None:
    line_items = traced(
        {"started_at": at(31, 23), "tokens": 10, "usd": "1"}, {"started_at": at(31), "tokens": 90, "usd": "9"}
    )
    november = at(32).date()
    bill = billed({"day": at(31).date(), "tokens": 90, "usd": "9"}, {"day": november, "tokens": 10, "usd": "1"})
    found = reconcile(line_items, bill, "2026-10")
    assert steps(found) == {"traced": "10", "timing": "-1", "billed": "9"}
    (named,) = found.findings.to_dicts()
    assert (named["first_day"], named["last_day"], named["size_usd"]) == (at(31).date(), november, Decimal(1))
    assert named["amount_usd"] == Decimal(-1)


def test_days_before_the_month_count_only_where_the_files_hold_them() -> None:
    line_items = traced(
        {"started_at": at(0, 23), "tokens": 10, "usd": "1"}, {"started_at": at(1), "tokens": 5, "usd": "0.5"}
    )
    bill = billed({"day": at(1).date(), "tokens": 15, "usd": "1.5"})
    assert steps(reconcile(line_items, bill, "2026-10")) == {"traced": "0.5", "coverage": "1", "billed": "1.5"}
    told = billed({"day": at(0).date(), "tokens": 0, "usd": "0"}, {"day": at(1).date(), "tokens": 15, "usd": "1.5"})
    assert steps(reconcile(line_items, told, "2026-10")) == {"traced": "0.5", "timing": "1", "billed": "1.5"}


def test_a_provider_that_sent_no_invoice_is_no_part_of_it() -> None:
    line_items = traced({"tokens": 1, "usd": "1"}, {"provider": "mistral", "tokens": 1, "usd": "8"})
    found = reconcile(line_items, billed({"tokens": 1, "usd": "1"}), "2026-10")
    assert found.verdicts["provider"].to_list() == ["openai"]


def test_accounts_that_sent_no_invoice_are_no_part_of_it_and_what_fits_none_is_shown() -> None:
    rules = RECONCILIATION.parse(
        "accounts:\n  - {environment: prod*, account: live}\n  - {environment: ci, account: test}\n"
    )
    usual = {"tokens": 1, "usd": "1"}
    line_items = traced(*({"environment": name, **usual} for name in ("production", "ci", "laptop")))
    found = reconcile(line_items, billed({"account": "live", **usual}), "2026-10", Terms(rules=rules))
    told = found.verdicts.select("account", "traced_usd", "residual_usd").rows()
    assert told == [("(unmapped)", Decimal(1), Decimal(-1)), ("live", Decimal(1), Decimal(0))]


def test_traces_beside_an_invoice_of_tax_alone_are_counted() -> None:
    found = reconcile(traced({"tokens": 1, "usd": "8"}), billed({"charge_category": "Tax", "usd": "1"}), "2026-10")
    assert steps(found) == {"traced": "8", "coverage": "-8", "fees_and_tax": "1", "billed": "1"}


def test_an_invoice_of_fees_alone_is_reconciled_too() -> None:
    found = reconcile(traced(), billed({"charge_category": "Tax", "usd": "1"}), "2026-10")
    assert steps(found) == {"fees_and_tax": "1", "billed": "1"}
    assert found.verdicts["passed"].to_list() == [True]


def test_files_of_another_month_are_refused_with_what_they_hold() -> None:
    with pytest.raises(ConfigurationError, match=r"nothing in 2026-09.*2026-10-07 to 2026-10-07"):
        reconcile(traced(), billed({"usd": "1"}), "2026-09")
    with pytest.raises(ConfigurationError, match="no charge at all"):
        reconcile(traced(), billed({"tokens": 1}), "2026-10")


def test_a_month_is_written_in_one_way() -> None:
    assert [f"{day}" for day in days_of_month("2026-02")] == ["2026-02-01", "2026-02-28"]
    with pytest.raises(ConfigurationError, match="YYYY-MM"):
        days_of_month("October")


amount = st.decimals(min_value=-(10**6), max_value=10**6, places=8)
tokens = st.none() | st.integers(min_value=0, max_value=10**12)
moments = st.builds(at, st.integers(0, 33), st.integers(0, 23))
kinds = st.sampled_from(["input_uncached", "output_text", "output_reasoning", "input_cache_write_5m", "commitment"])
spans = st.fixed_dictionaries(
    {"started_at": moments, "usage_kind": kinds, "tokens": tokens.map(lambda n: n or 0), "usd": st.none() | amount}
)
charges = st.fixed_dictionaries(
    {
        "day": moments.map(lambda moment: moment.date()),
        "usage_kind": st.sampled_from(["input_uncached", "output", "input_cache_write", "other", None]),
        "charge_category": st.sampled_from(["Usage", "Purchase", "Credit", "Tax", "Adjustment"]),
        "commitment": st.booleans(),
        "currency": st.sampled_from(["USD", "EUR"]),
        "tokens": tokens,
        "usd": amount,
    }
)
RATES = FX.parse("months: {EUR: {2026-10: 1.0973}}\ndates: {EUR: {2026-11-01: 1.1201}}")


@given(st.lists(spans, max_size=6), st.lists(charges, max_size=6))
def test_the_steps_add_up_to_the_bill_to_the_last_digit(
    ours: list[dict[str, Any]], theirs: list[dict[str, Any]]
) -> None:
    inside = billed({"usd": "1", "charge_category": "Tax"}, *theirs)
    found = reconcile(traced(*ours), inside, "2026-10", Terms(fx=RATES))
    net = dict(found.waterfall.select("step", "net_usd").iter_rows())
    assert net["traced"] + sum(net[step] for step in STEPS) == net["billed"]
    expected = sum(
        (
            row["usd"] * (Decimal("1.1201") if row["currency"] == "EUR" else 1)
            for row in theirs
            if row["day"].month == 10
        ),
        Decimal(1),
    )
    assert net["billed"] == expected
    october = [row["usd"] or 0 for row in ours if row["started_at"].month == 10]
    assert net["traced"] == sum(october)


def test_no_step_is_larger_net_than_gross() -> None:
    found = reconcile(traced({"tokens": 3, "usd": "1"}), billed({"tokens": 4, "usd": "2"}), "2026-10").waterfall
    assert found.filter(pl.col("net_usd").abs() > pl.col("gross_usd")).is_empty()
