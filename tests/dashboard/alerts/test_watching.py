"""Every rule finds what it watches, the number first."""

from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest
from tests.dashboard.frames import NOW, FrameBook, book_of

from tokenpnl_analytics.rules.alerts import ALERTS
from tokenpnl_analytics.rules.budgets import BUDGETS
from tokenpnl_dashboard.alerts.alert import Alert
from tokenpnl_dashboard.alerts.watching import Watched, found
from tokenpnl_ingest.control.records import CloseState

AS_OF = NOW + timedelta(minutes=1)
MANY = book_of(900)
LINES = MANY.frames["line_items"]
SPENT = LINES.filter(pl.col("started_at") >= pl.datetime(2026, 11, 1, time_zone="UTC"))["cost_usd"].sum()


def told(rule: str, *, budgets: str = "", book: FrameBook = MANY, state: CloseState = CloseState.OPEN) -> list[Alert]:
    rules = ALERTS.parse(
        f"channels: [{{name: a, kind: slack, url_from: A}}]\nrules: [{{name: r, channels: [a], {rule}}}]\n"
    )
    watched = Watched(book.query, AS_OF, rules, BUDGETS.parse(budgets), lambda _: state)
    return [alert for alert, _ in found(watched)]


def budget(amount: Decimal) -> str:
    return f"budgets:\n  - {{name: all, amount_usd: {amount:.6f}, owner: Ana}}"


def test_a_budget_is_told_at_its_highest_crossed_threshold():
    (alert,) = told("watch: budget", budgets=budget(SPENT / Decimal("0.85")))
    assert alert.key == "budget/all/2026-11/80"
    assert alert.headline.startswith("$")
    assert "(85%) is spent on everything, 6.6 days before the month ends." in alert.headline
    assert "Owner: Ana." in alert.facts[0]
    assert alert.since is not None


def test_a_budget_below_its_thresholds_is_no_news():
    assert told("watch: budget", budgets=budget(SPENT * 3)) == []
    assert told("watch: budget, above: 90", budgets=budget(SPENT / Decimal("0.85"))) == []
    assert told("watch: budget, budget: other", budgets=budget(SPENT)) == []


def test_unpriced_usage_makes_a_budget_s_figure_a_floor():
    (alert,) = told("watch: budget", budgets=budget(Decimal("0.01")), book=book_of(40, unpriced=True))
    assert alert.headline.startswith("At least $")


def test_a_forecast_above_the_amount_is_told_before_it_is_spent():
    (alert,) = told("watch: forecast", budgets=budget(SPENT * Decimal("1.05")))
    assert alert.key == "forecast/all/2026-11/100"
    assert "is forecast for everything in 2026-11" in alert.headline
    assert "P10-P90 $" in alert.facts[0]
    assert told("watch: forecast", budgets=budget(SPENT * Decimal("0.99"))) == []
    assert told("watch: forecast", budgets=budget(SPENT * 4)) == []


def test_a_burst_of_calls_is_told_with_what_was_expected():
    lines, attempts = (MANY.frames[name] for name in ("line_items", "attempts"))
    at = (NOW - timedelta(hours=3)).replace(minute=5)
    mine = pl.col("workflow") == "support_reply"
    # Two hundred lines and attempts of other days, all in one hour of the last day.
    burst = [
        frame.filter(mine).head(200).with_columns(pl.lit(at).cast(frame.schema["started_at"]).alias("started_at"))
        for frame in (lines, attempts)
    ]
    frames = MANY.frames | {"line_items": pl.concat([lines, burst[0]]), "attempts": pl.concat([attempts, burst[1]])}
    book = FrameBook(frames)
    (alert,) = told("watch: anomaly, above: 0.01", book=book)
    assert alert.key == "anomaly/support_reply/gpt-5/2026-11-24T05"
    assert "in 1 hour on support_reply, gpt-5" in alert.headline
    assert "hours of history" in alert.facts[0]
    assert told("watch: anomaly, workflow: contract_review", book=book) == []
    assert told("watch: anomaly, above: 100000", book=book) == []


def test_a_dear_success_is_told_by_its_settled_figure():
    alerts = told("watch: unit_cost, above: 0.0001")
    assert {alert.key for alert in alerts} == {
        f"unit_cost/{name}/2026-11" for name in ("contract_review", "invoice_extraction", "support_reply")
    }
    assert all("Settled runs of the last 30 days" in alert.facts[0] for alert in alerts)
    assert told("watch: unit_cost, above: 1000") == []
    assert len(told("watch: unit_cost, above: 0.0001, workflow: support_reply")) == 1


def test_a_cost_per_success_of_few_successes_is_compared_with_nothing():
    assert told("watch: unit_cost, above: 0.0001", book=book_of(20)) == []


def test_unpriced_usage_is_told_above_its_share():
    (alert,) = told("watch: unpriced", book=book_of(400, unpriced=True))
    assert "of usage lines have no price" in alert.headline
    assert "claude-sonnet-5" in alert.facts[0]
    assert told("watch: unpriced", book=MANY) == []


def test_a_month_that_is_not_closed_in_time_is_told():
    (alert,) = told("watch: close")
    assert alert.headline == "23 days after its end 2026-10 is open, not closed."
    assert told("watch: close, above: 30") == []
    assert told("watch: close", state=CloseState.CLOSED) == []


@pytest.mark.parametrize("rule", ["watch: budget", "watch: anomaly", "watch: unpriced"])
def test_a_store_of_one_run_is_no_fault(rule: str):
    assert told(rule, book=book_of(1)) == []
