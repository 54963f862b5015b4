"""Traces and invoice side by side."""

import polars as pl
from tests.analytics.billing import at, billed, traced

from tokenpnl_analytics.closing.billing_cells import cells
from tokenpnl_analytics.rules.reconciliation import RECONCILIATION, ReconciliationFile


def side_by_side(
    line_items: pl.DataFrame, invoice: pl.DataFrame, rules: ReconciliationFile | None = None
) -> list[dict[str, object]]:
    booked = invoice.with_columns(pl.col("cost").alias("booked_usd"))
    return cells(line_items, booked, rules or ReconciliationFile()).to_dicts()


def test_text_and_reasoning_meet_the_output_of_the_invoice() -> None:
    (cell,) = side_by_side(
        traced(
            {"usage_kind": "output_text", "tokens": 34, "usd": "0.34"},
            {"usage_kind": "output_reasoning", "tokens": 448, "usd": "4.48"},
        ),
        billed({"usage_kind": "output", "tokens": 482, "usd": "4.82"}),
    )
    assert (cell["usage_kind"], cell["traced_tokens"], cell["billed_tokens"]) == ("output", 482, 482)
    assert cell["level"] == "kind"


def test_cache_writes_meet_an_invoice_that_tells_no_lifetime() -> None:
    lifetimes = [{"usage_kind": f"input_cache_write_{life}", "tokens": 10, "usd": "1"} for life in ("5m", "1h")]
    (cell,) = side_by_side(traced(*lifetimes), billed({"usage_kind": "input_cache_write", "tokens": 20, "usd": "2"}))
    assert (cell["traced_tokens"], cell["billed_tokens"]) == (20, 20)


def test_lifetimes_stay_apart_where_the_invoice_tells_them() -> None:
    lifetimes = [{"usage_kind": f"input_cache_write_{life}", "tokens": 10, "usd": "1"} for life in ("5m", "1h")]
    assert len(side_by_side(traced(*lifetimes), billed(*lifetimes))) == 2


def test_an_invoice_without_kinds_is_met_by_model() -> None:
    (cell,) = side_by_side(
        traced({"tokens": 10, "usd": "1"}, {"usage_kind": "output_text", "tokens": 5, "usd": "2"}),
        billed({"usage_kind": None, "usd": "3"}),
    )
    assert (cell["level"], cell["usage_kind"], cell["traced_tokens"], cell["billed_tokens"]) == (
        "model",
        None,
        15,
        None,
    )


def test_an_invoice_without_models_is_met_by_day() -> None:
    (cell,) = side_by_side(
        traced({"tokens": 10, "usd": "1"}, {"model": "o5", "tokens": 5, "usd": "2"}),
        billed({"model": None, "usage_kind": None, "usd": "3"}),
    )
    assert (cell["level"], cell["model"], f"{cell['traced_usd']:f}") == ("day", None, "3.000000000000")


def test_tokens_come_from_the_usage_report_where_the_bill_tells_none() -> None:
    (cell,) = side_by_side(traced({"tokens": 10, "usd": "1"}), billed({"usd": "1"}, {"tokens": 10}))
    assert cell["billed_tokens"] == 10


def test_tokens_that_both_tell_count_once() -> None:
    (cell,) = side_by_side(traced({"tokens": 10, "usd": "1"}), billed({"tokens": 10, "usd": "1"}, {"tokens": 10}))
    assert cell["billed_tokens"] == 10


def test_a_charge_that_nobody_counts_has_unknown_tokens_and_no_charge_has_none() -> None:
    found = side_by_side(traced({"tokens": 10, "usd": "1"}, {"model": "o5", "tokens": 5}), billed({"usd": "1"}))
    assert {cell["model"]: cell["billed_tokens"] for cell in found} == {"gpt-5.4": None, "o5": 0}


def test_fees_and_gpu_time_are_no_business_of_an_invoice() -> None:
    found = side_by_side(
        traced(
            {"usage_kind": "fee", "usd": "1"},
            {"usage_kind": "gpu_time", "usd": "1"},
            {"tokens": 1},
        ),
        billed({"tokens": 1, "usd": "1"}),
    )
    assert len(found) == 1


def test_accounts_are_told_apart_by_the_first_rule_that_fits() -> None:
    rules = RECONCILIATION.parse("accounts:\n  - {environment: prod*, account: proj_live}\n  - {account: proj_test}\n")
    found = side_by_side(
        traced({"environment": "production", "tokens": 7}, {"environment": "ci", "tokens": 3}),
        billed({"account": "proj_live", "tokens": 7, "usd": "7"}, {"account": "proj_test", "tokens": 3, "usd": "3"}),
        rules,
    )
    assert [(cell["account"], cell["traced_tokens"]) for cell in found] == [("proj_live", 7), ("proj_test", 3)]


def test_tokens_near_midnight_are_known() -> None:
    rows = [{"started_at": at(hour=hour), "tokens": 1} for hour in (0, 9, 10, 13, 14, 23)]
    (cell,) = side_by_side(traced(*rows), billed({"tokens": 6, "usd": "1"}))
    # Early is before 14:00, late from 10:00 on: no time zone is further than 14 hours away.
    assert (cell["early_tokens"], cell["late_tokens"]) == (4, 4)
