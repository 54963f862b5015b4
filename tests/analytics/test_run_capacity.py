"""A pool's idle cost is spread over the runs it served, by allocated seconds, exactly."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.capacity.run_capacity import capacity_of_runs

SCHEMA = {
    "tenant": pl.String, "pool": pl.String, "run_id": pl.String, "usage_kind": pl.String, "cost_category": pl.String,
    "quantity": pl.Int64, "cost_usd": pl.Decimal(38, 12), "started_at": pl.Datetime("ns", "UTC"),
}  # fmt: skip
USUAL = {
    "tenant": "default", "pool": "h100", "usage_kind": "gpu_time", "cost_category": "productive", "quantity": 1,
    "started_at": datetime(2026, 11, 5, tzinfo=UTC),
}  # fmt: skip
IDLE = {"cost_category": "idle_capacity", "run_id": None}


def spread(*lines: dict[str, Any]) -> list[tuple[Any, ...]]:
    found = capacity_of_runs(pl.DataFrame([USUAL | line for line in lines], schema=SCHEMA, orient="row"))
    return found.select("run_id", "allocated_usd", "capacity_usd").rows()


def test_idle_cost_goes_to_runs_by_allocated_seconds() -> None:
    lines = (
        {"run_id": "a", "quantity": 30, "cost_usd": Decimal(3)},
        {"run_id": "b", "quantity": 10, "cost_usd": Decimal(1)},
        IDLE | {"quantity": 160, "cost_usd": Decimal(16)},
    )
    assert spread(*lines) == [("a", 3, 12), ("b", 1, 4)]


def test_each_pool_and_month_is_spread_alone() -> None:
    october = {"started_at": datetime(2026, 10, 31, 23, tzinfo=UTC)}
    lines = (
        {"run_id": "a", "cost_usd": Decimal(1)},
        {"run_id": "b", "cost_usd": Decimal(1), "pool": "a100"},
        {"run_id": "c", "cost_usd": Decimal(1)} | october,
        IDLE | {"cost_usd": Decimal(5)},
        IDLE | {"cost_usd": Decimal(7)} | october,
    )
    assert spread(*lines) == [("a", 1, 5), ("b", 1, 0), ("c", 1, 7)]


def test_idle_cost_of_a_pool_that_served_nobody_is_spread_on_nobody() -> None:
    assert spread(IDLE | {"cost_usd": Decimal(5)}) == []


def test_time_of_unknown_price_stays_unknown() -> None:
    assert spread({"run_id": "a", "cost_usd": None}) == [("a", None, 0)]


def test_other_lines_are_no_capacity() -> None:
    assert spread({"run_id": "a", "cost_usd": Decimal(1), "pool": None}) == []
    assert spread({"run_id": "a", "cost_usd": Decimal(1), "usage_kind": "output_text"}) == []


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=12), st.integers(0, 10**15))
def test_the_shares_sum_to_the_idle_cost_exactly(quantities: list[int], picodollars: int) -> None:
    idle = Decimal(picodollars).scaleb(-12)
    used = [{"run_id": str(n), "quantity": q, "cost_usd": Decimal(0)} for n, q in enumerate(quantities)]
    assert sum(row[2] for row in spread(*used, IDLE | {"cost_usd": idle})) == idle
