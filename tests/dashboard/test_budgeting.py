"""Sums by the hour add up to the books, and are asked once each."""

from datetime import timedelta

import polars as pl
import pytest
from tests.dashboard.frames import NOW, FrameBook, book_of

from tokenpnl_analytics.periods import parse_period
from tokenpnl_analytics.planning.forecast import accuracy
from tokenpnl_analytics.planning.variance import BARS, whole
from tokenpnl_analytics.rules.budgets import BUDGETS
from tokenpnl_dashboard.questions import budgeting

MANY = book_of(600)
LINES, ATTEMPTS = MANY.frames["line_items"], MANY.frames["attempts"]


def test_hours_add_up_to_line_items_and_calls():
    usage = budgeting.hourly_usage(MANY.query, ["workflow"])
    assert usage["cost_usd"].sum() == LINES["cost_usd"].sum()
    assert usage["tokens"].sum() == LINES["quantity"].sum()
    assert usage["n_lines"].sum() == LINES.height
    assert usage["n_calls"].sum() == ATTEMPTS["superseded"].not_().sum()
    assert usage.select("workflow", "hour").is_duplicated().sum() == 0


def test_large_stores_are_asked_for_sums_alone():
    book = FrameBook(MANY.frames)
    budgeting.burns(book.query, BUDGETS.parse("budgets: [{name: a, amount_usd: 1}]"), as_of=NOW)
    budgeting.bridge_of(book.query, *_periods())
    budgeting.backtest_of(book.query, as_of=NOW)
    assert set(book.asked) == {"line_item_sums", "call_sums"}


def test_a_budget_counts_its_selection_alone():
    rules = BUDGETS.parse("budgets: [{name: a, amount_usd: 1, where: {workflow: support_reply, customer: acme}}]")
    (burn,) = budgeting.burns(MANY.query, rules, as_of=NOW)
    chosen = (pl.col("workflow") == "support_reply") & (pl.col("customer_id") == "acme")
    month = pl.col("started_at").is_between(pl.datetime(2026, 11, 1, time_zone="UTC"), NOW, closed="left")
    assert burn.spent_usd == LINES.filter(chosen & month)["cost_usd"].sum()


def test_a_budget_that_ended_is_not_in_force():
    rules = BUDGETS.parse("budgets: [{name: a, amount_usd: 1, to: 2026-10-31}]")
    assert budgeting.burns(MANY.query, rules, as_of=NOW) == []
    assert len(budgeting.burns(MANY.query, rules, as_of=NOW, at=NOW - timedelta(days=30))) == 1


def test_the_bridge_sums_to_the_change_of_the_books():
    before, after = _periods()
    row = whole(budgeting.bridge_of(MANY.query, before, after)).row(0, named=True)
    costs = [
        LINES.filter(pl.col("started_at").is_between(period.since, period.until, closed="left"))["cost_usd"].sum()
        for period in (before, after)
    ]
    assert [row["before_usd"], row["after_usd"]] == costs
    assert sum(row[name] for name in BARS) == costs[1] - costs[0]


def test_sixty_days_are_enough_for_a_backtest():
    judged = accuracy(budgeting.backtest_of(MANY.query, as_of=NOW))
    assert judged["horizon"].to_list() == [1, 7, 14, 28]
    assert judged.filter(pl.col("horizon") == 7)["wape"][0] == pytest.approx(0.2, abs=0.2)


def _periods():
    after = parse_period("2026-11-01..2026-11-20", now=NOW)
    before = after.previous()
    assert before is not None
    return before, after
