"""The cash view holds what the days held, and refuses to be a unit cost."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from tokenpnl_analytics.unit_cost.cash import cash_view


def test_cost_and_outcomes_of_the_same_days_stand_side_by_side_without_a_quotient(rows: Any) -> None:
    day = timedelta(days=1)
    lines = pl.DataFrame(
        {"started_at": [rows.start, rows.start - day], "cost_usd": [Decimal(3), Decimal(5)]},
        schema={"started_at": pl.Datetime("ns", "UTC"), "cost_usd": pl.Decimal(38, 12)},
    )
    runs = rows.runs(
        {"outcome": "success", "outcome_at": rows.start, "started_at": rows.start - 9 * day, "value_usd": Decimal(7)},
        {"outcome": "success", "outcome_at": rows.start - day, "value_usd": Decimal(1)},
        {"outcome": "failure", "outcome_at": rows.start},
        {"outcome": None},
    )
    found = cash_view(lines, runs, since=rows.start, until=rows.start + day)
    assert found.to_dicts() == [
        {"cost_usd": 3, "n_success": 1, "n_failure": 1, "n_abandoned": 0, "value_usd": 7, "note": "not a unit cost"}
    ]
    assert cash_view(lines, runs)["cost_usd"].to_list() == [8]
