"""Why a cell differs."""

from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from tests.analytics.billing import at, billed, traced

from tokenpnl_analytics.closing.billing_cells import cells
from tokenpnl_analytics.closing.differences import DIFFERENCES, differences
from tokenpnl_analytics.rules.reconciliation import ReconciliationFile


def split(line_items: pl.DataFrame, invoice: pl.DataFrame) -> pl.DataFrame:
    return differences(
        cells(line_items, invoice.with_columns(pl.col("cost").alias("booked_usd")), ReconciliationFile())
    )


def only(found: pl.DataFrame) -> dict[str, Decimal]:
    """Return the differences of one cell that are not 0."""
    (row,) = found.select(DIFFERENCES).to_dicts()
    return {name.removesuffix("_usd"): amount for name, amount in row.items() if amount}


def test_equal_sides_differ_by_nothing() -> None:
    assert only(split(traced({"tokens": 10, "usd": "1"}), billed({"tokens": 10, "usd": "1"}))) == {}


def test_tokens_beyond_the_traced_are_coverage_at_the_billed_price() -> None:
    # 10 billed at 0.20 each, 8 traced at 0.15: 2 x 0.20 untraced, 8 x 0.05 dearer.
    found = split(traced({"tokens": 8, "usd": "1.20"}), billed({"tokens": 10, "usd": "2"}))
    assert only(found) == {"coverage": Decimal("0.4"), "price": Decimal("0.4")}


def test_spans_that_count_twice_are_negative_coverage() -> None:
    found = split(traced({"tokens": 10, "usd": "1"}, {"tokens": 10, "usd": "1"}), billed({"tokens": 10, "usd": "1"}))
    assert only(found) == {"coverage": Decimal(-1)}


def test_traces_without_a_bill_are_negative_coverage_at_the_traced_price() -> None:
    found = split(
        traced({"tokens": 10, "usd": "1"}, {"model": "o5", "tokens": 5, "usd": "3"}), billed({"tokens": 10, "usd": "1"})
    )
    assert only(found.filter(pl.col("model") == "o5")) == {"coverage": Decimal(-3)}


def test_a_bill_without_traces_is_coverage_even_if_it_tells_no_tokens() -> None:
    assert only(split(traced({"model": "o5"}), billed({"usd": "7"})).filter(pl.col("model") == "gpt-5.4")) == {
        "coverage": Decimal(7)
    }


def test_usage_that_the_books_have_no_price_for_is_price() -> None:
    found = split(traced({"tokens": 10, "cost_source": "unpriced"}), billed({"tokens": 10, "usd": "2"}))
    assert only(found) == {"price": Decimal(2)}


def test_tokens_for_nothing_are_a_free_tier() -> None:
    found = split(traced({"tokens": 10, "usd": "1"}), billed({"tokens": 8, "usd": "0"}))
    # 8 of 10 were free, 2 were not billed at all.
    assert only(found) == {"free_tier": Decimal("-0.8"), "coverage": Decimal("-0.2")}


def test_dollars_without_tokens_cannot_be_explained() -> None:
    assert only(split(traced({"tokens": 10, "usd": "1"}), billed({"usd": "1.5"}))) == {"unexplained": Decimal("0.5")}
    assert only(split(traced({"tokens": 10, "usd": "1"}), billed({"usd": "1"}))) == {}


def by_day(found: pl.DataFrame, name: str) -> list[str]:
    return [f"{amount.normalize():f}" for amount in found.sort("day")[name]]


def test_late_calls_billed_on_the_next_day_are_timing() -> None:
    line_items = traced(
        {"started_at": at(7), "tokens": 100, "usd": "10"},
        {"started_at": at(7, 23), "tokens": 30, "usd": "3"},
        {"started_at": at(8), "tokens": 50, "usd": "5"},
    )
    invoice = billed({"tokens": 100, "usd": "10"}, {"day": at(8).date(), "tokens": 80, "usd": "8"})
    found = split(line_items, invoice)
    assert by_day(found, "timing_usd") == ["-3", "3"]
    assert by_day(found, "coverage_usd") == ["0", "0"]
    assert found["ahead_tokens"].to_list() == [30, 0]


def test_early_calls_billed_on_the_day_before_are_timing() -> None:
    line_items = traced(
        {"started_at": at(7), "tokens": 100, "usd": "10"}, {"started_at": at(8, 1), "tokens": 30, "usd": "3"}
    )
    invoice = billed({"tokens": 130, "usd": "13"})
    assert by_day(split(line_items, invoice), "timing_usd") == ["3", "-3"]


def test_a_gap_beside_traces_far_from_midnight_is_no_timing() -> None:
    # What was traced before 10:00 was not billed on the next day, whatever the time zone.
    line_items = traced(
        {"started_at": at(7, 5), "tokens": 30, "usd": "3"}, {"started_at": at(8), "tokens": 50, "usd": "5"}
    )
    invoice = billed({"day": at(8).date(), "tokens": 80, "usd": "8"})
    assert by_day(split(line_items, invoice), "coverage_usd") == ["-3", "3"]


def test_days_that_are_not_beside_each_other_do_not_offset() -> None:
    line_items = traced(
        {"started_at": at(7, 23), "tokens": 30, "usd": "3"}, {"started_at": at(9), "tokens": 50, "usd": "5"}
    )
    invoice = billed({"day": at(9).date(), "tokens": 80, "usd": "8"})
    assert by_day(split(line_items, invoice), "timing_usd") == ["0", "0"]


def test_only_what_offsets_is_timing() -> None:
    line_items = traced(
        {"started_at": at(7, 23), "tokens": 30, "usd": "3"}, {"started_at": at(8), "tokens": 50, "usd": "5"}
    )
    invoice = billed({"day": at(8).date(), "tokens": 70, "usd": "7"})
    found = split(line_items, invoice)
    assert by_day(found, "timing_usd") == ["-2", "2"]
    assert by_day(found, "coverage_usd") == ["-1", "0"]


amount = st.decimals(min_value=0, max_value=10**6, places=12)
tokens = st.integers(min_value=0, max_value=10**12)
moments = st.builds(at, st.integers(1, 4), st.integers(0, 23))
spans = st.fixed_dictionaries({"started_at": moments, "tokens": tokens, "usd": st.none() | amount})
charges = st.fixed_dictionaries(
    {"day": moments.map(lambda moment: moment.date()), "tokens": st.none() | tokens, "usd": st.none() | amount}
)


@given(st.lists(spans, min_size=1, max_size=6), st.lists(charges, min_size=1, max_size=6))
def test_the_parts_always_add_up_to_the_difference(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    found = split(traced(*ours), billed(*theirs))
    parts = found.select(sum=pl.sum_horizontal(DIFFERENCES), whole=pl.col("billed_usd") - pl.col("traced_usd"))
    assert parts["sum"].to_list() == parts["whole"].to_list()
    assert found["billed_usd"].sum() == sum(row["usd"] or 0 for row in theirs)
    assert found["traced_usd"].sum() == sum(row["usd"] or 0 for row in ours)


@given(st.lists(spans, min_size=1, max_size=6))
def test_an_invoice_of_the_traces_themselves_differs_by_nothing(ours: list[dict[str, Any]]) -> None:
    line_items = traced(*[row | {"usd": row["usd"] or Decimal(0)} for row in ours])
    same = line_items.group_by(pl.col("started_at").dt.date().alias("day")).agg(pl.col("quantity", "cost_usd").sum())
    invoice = billed(*[{"day": day, "tokens": n, "usd": usd} for day, n, usd in same.sort("day").iter_rows()])
    assert split(line_items, invoice).select(pl.sum_horizontal(pl.col(DIFFERENCES).abs()).sum()).item() == 0
