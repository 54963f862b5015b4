"""The ladder past effective cost."""

from decimal import Decimal

import polars as pl

from tokenpnl_analytics.closing.billed_ladder import LADDER, STEP_COLUMNS, with_billed
from tokenpnl_analytics.closing.reconcile import STEPS
from tokenpnl_analytics.frames import MONEY

OF_OPENAI = {
    "traced": "100", "coverage": "7", "price": "1", "commitment": "-2", "credits": "-5", "fees_and_tax": "0.25",
    "fx_residual": "0.5", "timing": "-0.125", "unexplained": "0.000000000001", "billed": "101.625000000001",
}  # fmt: skip


def steps(**of: dict[str, str]) -> pl.DataFrame:
    rows = [(provider, step, Decimal(usd)) for provider, told in of.items() for step, usd in told.items()]
    return pl.DataFrame(rows, schema={"provider": pl.String, "step": pl.String, "net_usd": MONEY}, orient="row")


def rows(**effective: str | None) -> pl.DataFrame:
    held = [(provider, None if usd is None else Decimal(usd)) for provider, usd in effective.items()]
    return pl.DataFrame(held, schema={"provider": pl.String, "effective_usd": MONEY}, orient="row")


def test_effective_cost_and_the_steps_sum_to_the_bill_to_the_last_digit() -> None:
    (row,) = with_billed(rows(all="130"), steps(openai=OF_OPENAI)).to_dicts()
    assert (row["not_invoiced_usd"], row["traced_usd"]) == (Decimal(30), Decimal(100))
    through = sum((row[name] for name in STEP_COLUMNS.values()), row["effective_usd"] - row["not_invoiced_usd"])
    assert through == row["billed_usd"] == Decimal("101.625000000001")


def test_every_step_of_a_reconciliation_stands_under_its_own_name() -> None:
    (row,) = with_billed(rows(all="130"), steps(openai=OF_OPENAI)).to_dicts()
    assert {step: row[STEP_COLUMNS[step]] for step in STEPS} == {step: Decimal(OF_OPENAI[step]) for step in STEPS}


def test_invoices_of_several_providers_are_summed() -> None:
    both = steps(openai=OF_OPENAI, anthropic={"traced": "10", "price": "-1", "billed": "9"})
    (row,) = with_billed(rows(all="130"), both).to_dicts()
    assert (row["traced_usd"], row["billed_usd"]) == (Decimal(110), Decimal("110.625000000001"))


def test_without_an_invoice_nothing_is_known() -> None:
    (row,) = with_billed(rows(all="130"), steps()).to_dicts()
    assert {row[name] for name in LADDER} == {None}


def test_a_provider_without_an_invoice_has_none_beside_one_that_has() -> None:
    found = with_billed(rows(anthropic="4", openai="100"), steps(openai=OF_OPENAI), ["provider"])
    assert found["billed_usd"].to_list() == [None, Decimal("101.625000000001")]
    assert found["not_invoiced_usd"].to_list() == [None, Decimal(0)]
