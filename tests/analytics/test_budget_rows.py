"""Which budget stands on what is shown, and what it says beside the statement."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.periods import Period
from tokenpnl_analytics.planning.budget_rows import ROWS, budgeted, with_budgets
from tokenpnl_analytics.rules.budgets import BudgetsFile

RULES = BudgetsFile.model_validate(
    {
        "groups": {"team": {"where": {"workflow": ["desk", "tagging"]}}},
        "budgets": [
            {"name": "old", "amount_usd": 80, "to": "2026-09-30"},
            {"name": "all", "amount_usd": 100, "from": "2026-10-01"},
            {"name": "desk", "amount_usd": 40, "where": {"workflow": "desk"}},
            {"name": "team", "amount_usd": 70, "group": "team"},
            {"name": "lab", "amount_usd": 90, "every": "quarter", "where": {"environment": "lab"}},
        ],
    }
)
LATE = datetime(2027, 1, 15, tzinfo=UTC)


def months(first: int, last: int) -> Period:
    return Period("shown", datetime(2026, first, 1, tzinfo=UTC), datetime(2026, last + 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("where", "period", "amount"),
    [
        ({}, months(10, 10), Decimal(100)),
        ({}, months(9, 11), Decimal(280)),
        ({"workflow": ["desk"]}, months(10, 10), Decimal(40)),
        ({"workflow": ["tagging", "desk"]}, months(10, 10), Decimal(70)),
        ({"workflow": ["tagging"]}, months(10, 10), None),
        ({"workflow": ["desk"], "environment": ["lab"]}, months(10, 10), None),
        ({"environment": ["lab"]}, months(7, 9), Decimal(90)),
        ({"environment": ["lab"]}, months(7, 8), None),
        ({}, Period("all", None, None), None),
        ({}, Period("part", datetime(2026, 10, 2, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)), None),
        ({}, Period("part", datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 9, tzinfo=UTC)), None),
    ],
)
def test_a_budget_counts_where_it_stands_on_just_what_is_shown(
    where: dict[str, Any], period: Period, amount: Decimal | None
) -> None:
    assert budgeted(RULES, where, period, as_of=LATE) == amount


def test_a_month_in_progress_has_its_whole_budget() -> None:
    to_date = Period("mtd", datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 9, tzinfo=UTC))
    assert budgeted(RULES, {}, to_date, as_of=datetime(2026, 10, 8, 12, tzinfo=UTC)) == Decimal(100)


def test_spent_and_budget_make_the_variance_and_rows_without_a_budget_have_none() -> None:
    rows = pl.DataFrame({"effective_usd": [Decimal("104.5"), Decimal(7)]}, schema={"effective_usd": MONEY})
    found = with_budgets(rows, [Decimal(100), None])
    assert found.select(ROWS).rows() == [(Decimal(100), Decimal("104.5"), Decimal("-4.5")), (None, None, None)]


def test_without_a_budget_there_are_no_rows_of_it() -> None:
    rows = pl.DataFrame({"effective_usd": [Decimal(7)]}, schema={"effective_usd": MONEY})
    assert with_budgets(rows, [None]).columns == ["effective_usd"]
