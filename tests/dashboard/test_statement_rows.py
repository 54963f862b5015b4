"""Bill, budget and volume terms beside a statement, from a real store."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest
from tests.dashboard.months import DECEMBER_3, close, closing_of

from tokenpnl_analytics.closing.billed_ladder import LADDER
from tokenpnl_analytics.periods import Period, parse_period
from tokenpnl_analytics.pricing.trueups import ESTIMATED
from tokenpnl_analytics.rules.accounts import ACCOUNTS
from tokenpnl_dashboard.closing import settlements
from tokenpnl_dashboard.closing.months import Closing
from tokenpnl_dashboard.closing.statement_rows import Shown, with_rows
from tokenpnl_dashboard.questions import reports
from tokenpnl_dashboard.questions.reports import Asked
from tokenpnl_ingest.control.records import Reconciled
from tokenpnl_ingest.home import Home

TERMS = "rebates: [{name: r, match: {provider: openai}, steps: [{above: 0, pct: 10}]}]\n"
BUDGETS = "budgets: [{name: desk, amount_usd: 1, where: {workflow: desk}}]\n"
CREDIT = "prepaid:\n  - {name: start, provider: openai, amount: 10, bought_on: 2026-10-01, expires: 2026-11-30}\n"
OCTOBER = Period("2026-10", datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
ALL = Period("all", None, None)
WATERFALL = {"traced": "0.063", "coverage": "0.5", "fx_residual": "-0.01", "billed": "0.553"}


@pytest.fixture
def closing(home: Home) -> Iterator[Closing]:
    """Three calls of $0.021 in October, one in November, all by OpenAI."""
    for name, text in (("contract", TERMS), ("budgets", BUDGETS), ("commitments", CREDIT)):
        (home.config / f"{name}.yaml").write_text(text)
    with closing_of(home) as opened:
        yield opened


def bill(closing: Closing, waterfall: dict[str, str] = WATERFALL) -> None:
    steps = [{"step": step, "net_usd": usd, "gross_usd": usd} for step, usd in waterfall.items()]
    result = Reconciled("2026-10", "openai", "(all)", True, None, None, None, {"waterfall": steps})
    closing.control.record_reconciliation(result, actor="ann")


def shown(closing: Closing, period: Period = OCTOBER, **told: object) -> pl.DataFrame:
    what = replace(Shown(period, DECEMBER_3), **told)
    asked = Asked(what.period, what.as_of, what.by, what.zone, where=dict(what.where))  # type: ignore[arg-type]
    return with_rows(reports.pnl(closing.book, asked), closing, what)


def test_the_bill_of_a_month_belongs_to_its_own_row(closing: Closing) -> None:
    bill(closing)
    found = shown(closing, ALL, by="month")
    assert found["billed_usd"].to_list() == [Decimal("0.553"), None]
    assert found["not_invoiced_usd"].to_list() == [Decimal(0), None]
    assert shown(closing, ALL)["not_invoiced_usd"].to_list() == [Decimal("0.021")]


def test_a_part_of_a_month_has_no_bill(closing: Closing) -> None:
    bill(closing)
    part = parse_period("2026-10-01..2026-10-30", now=DECEMBER_3)
    assert set(shown(closing, part).select(LADDER).row(0)) == {None}


def test_an_invoice_tells_nothing_of_workflows(closing: Closing) -> None:
    bill(closing)
    assert "billed_usd" not in shown(closing, by="workflow").columns
    assert "billed_usd" not in shown(closing, where={"workflow": ["desk"]}).columns
    assert shown(closing, where={"provider": ["openai"]})["billed_usd"].to_list() == [Decimal("0.553")]
    assert shown(closing, where={"provider": ["anthropic"]})["billed_usd"].to_list() == [None]


def test_a_reconciliation_without_its_way_is_no_bill(closing: Closing) -> None:
    bill(closing, {"fx_residual": "3"})
    assert shown(closing)["billed_usd"].to_list() == [None]


def test_a_budget_stands_beside_its_own_workflow_only(closing: Closing) -> None:
    (row,) = shown(closing, by="workflow").to_dicts()
    assert (row["budget_usd"], row["budget_spent_usd"], row["budget_variance_usd"]) == (
        Decimal(1), Decimal("0.063"), Decimal("0.937"),
    )  # fmt: skip
    assert "budget_usd" not in shown(closing).columns
    assert "budget_usd" in shown(closing, where={"workflow": ["desk"]}).columns


def test_volume_terms_are_estimated_while_the_month_is_open_and_posted_once_it_is_closed(closing: Closing) -> None:
    assert shown(closing, ALL, by="month")[ESTIMATED].to_list() == [Decimal("-0.0063"), Decimal("-0.0021")]
    close(closing)
    assert shown(closing, ALL, by="month")[ESTIMATED].to_list() == [None, Decimal("-0.0021")]
    posted = closing.posted(OCTOBER.since, OCTOBER.until)
    assert posted.filter(pl.col("usage_kind") == "true_up")["cost_usd"].sum() == Decimal("-0.0063")


def test_credit_of_a_closed_month_reads_the_commitments_frozen_with_it(closing: Closing) -> None:
    before = closing.credit("2026-10")
    assert before.rows() == [("start", "openai", Decimal(10), Decimal("0.063"), Decimal(0), Decimal("9.937"))]
    assert "prepaid" in {each.name for each in closing.conditions("2026-10", now=DECEMBER_3)}
    close(closing)
    entries = settlements.entries(closing, OCTOBER, closing.configuration.read(ACCOUNTS))
    (closing.home.config / "commitments.yaml").write_text("version: 1\n")
    assert closing.credit("2026-10").equals(before)
    again = settlements.entries(closing, OCTOBER, closing.configuration.read(ACCOUNTS))
    assert all(one.equals(other) for one, other in zip(entries, again, strict=True))
    assert closing.credit("2026-11").is_empty()
