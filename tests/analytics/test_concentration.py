"""Who carries the cost, and what a run costs: shares that end at one, bins that hold every priced run."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.unit_cost.concentration import concentration, cost_histogram
from tokenpnl_analytics.unit_cost.units import cohort


def runs_of(rows: Any, *told: tuple[str | None, str, str | None]) -> Any:
    table = rows.runs(*(
        {"customer_id": customer, "cost_usd": Decimal(usd), "outcome": outcome, "outcome_at": rows.start}
        for customer, usd, outcome in told
    ))  # fmt: skip
    return cohort(table, as_of=rows.start)


def test_the_dearest_customer_comes_first_and_shares_run_up_to_one(rows: Any) -> None:
    found = concentration(runs_of(rows, ("a", "1", "success"), ("b", "6", None), (None, "3", "success")), "customer_id")
    assert found.select("customer_id", "cost_usd", "successes").rows() == [("b", 6, 0), (None, 3, 1), ("a", 1, 1)]
    assert found["cost_share"].to_list() == pytest.approx([0.6, 0.9, 1.0])
    assert found["success_share"].to_list() == [0.0, 0.5, 1.0]
    assert found["owner_share"].to_list() == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_shares_of_nothing_are_unknown(rows: Any) -> None:
    found = concentration(runs_of(rows, ("a", "0", None)), "customer_id")
    assert found.select("cost_share", "success_share").rows() == [(None, None)]


def test_runs_fall_into_four_bins_a_decade(rows: Any) -> None:
    found = cost_histogram(
        runs_of(rows, ("a", "1", "success"), ("a", "1.5", None), ("a", "1.8", None), ("a", "0", None))
    )
    assert found.select("succeeded", "n_runs").rows() == [(False, 1), (True, 1), (False, 1)]
    assert found["low_usd"].to_list() == pytest.approx([1, 1, 10**0.25])
    assert found["high_usd"].to_list() == pytest.approx([10**0.25, 10**0.25, 10**0.5])


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 10**6)), min_size=1, max_size=12))
def test_every_run_is_counted_once(rows: Any, told: list[tuple[str | None, int]]) -> None:
    runs = runs_of(rows, *((customer, str(cents), "success") for customer, cents in told))
    assert concentration(runs, "customer_id")["n_runs"].sum() == len(told)
    assert concentration(runs, "customer_id")["cost_usd"].sum() == sum(cents for _, cents in told)
    assert cost_histogram(runs)["n_runs"].sum() == sum(cents > 0 for _, cents in told)
