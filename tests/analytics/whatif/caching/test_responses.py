"""Whose answer may be given to whom."""

import polars as pl
from tests.analytics.conftest import attempts_of

from tokenpnl_analytics.whatif.caching.responses import response_references
from tokenpnl_analytics.whatif.details import SPAN_COLUMNS, call_details


def n_keys(*rows: dict[str, object], by_customer: bool = True) -> int:
    details = call_details(pl.DataFrame(schema=dict.fromkeys(SPAN_COLUMNS, pl.String)))
    attempts = attempts_of(*({"prompt_hash": "p"} | row for row in rows)).join(
        details, on=["trace_id", "span_id"], how="left"
    )
    numbered = attempts.with_row_index("position")
    return response_references(numbered, by_customer=by_customer)["key"].n_unique()


def test_customers_do_not_share_answers_unless_they_may() -> None:
    two = {"customer_id": "a"}, {"customer_id": "b"}
    assert n_keys(*two) == 2
    assert n_keys(*two, by_customer=False) == 1


def test_two_unknown_customers_are_not_one() -> None:
    assert n_keys({"run_id": "r1"}, {"run_id": "r2"}) == 2
    assert n_keys({"run_id": "r1"}, {"run_id": "r1"}) == 1
