"""Tolerances of a month."""

from decimal import Decimal
from typing import Any

import pytest
from tests.analytics.billing import at, billed, traced

from tokenpnl_analytics.closing.reconcile import reconcile


def verdict(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> dict[str, Any]:
    (row,) = reconcile(traced(*ours), billed(*theirs), "2026-10").verdicts.to_dicts()
    return row


def spread(usd: str, day: int = 1) -> dict[str, Any]:
    return {"started_at": at(day), "day": at(day).date(), "tokens": 100, "usd": usd}


def both(traced_usd: str, billed_usd: str) -> dict[str, Any]:
    ours, theirs = spread(traced_usd), spread(billed_usd)
    del ours["day"], theirs["started_at"]
    return verdict([ours], [theirs])


@pytest.mark.parametrize(
    ("bill", "passed"),
    [("10050", True), ("10050.51", False), ("9950", True), ("9949", False)],
)
def test_half_a_percent_of_a_large_bill_passes(bill: str, passed: bool) -> None:
    # 0.5% of 10,050 is 50.25; of 10,050.51 it is 50.25, less than the 50.51 apart.
    assert both("10000", bill)["passed"] is passed


def test_fifty_dollars_pass_on_a_small_bill_only_within_two_percent_by_day_and_model() -> None:
    row = both("100", "110")
    assert (row["residual_usd"], row["tolerance_usd"]) == (Decimal(10), Decimal(50))
    # 2% of 110 is 2.20.
    assert (row["daily_residual_usd"], row["daily_tolerance_usd"]) == (Decimal(10), Decimal("2.2"))
    assert row["passed"] is False


def test_days_that_offset_do_not_hide_each_other() -> None:
    ours = [{"started_at": at(1), "tokens": 100, "usd": "100"}, {"started_at": at(20), "tokens": 100, "usd": "100"}]
    theirs = [{"day": at(1).date(), "tokens": 100, "usd": "110"}, {"day": at(20).date(), "tokens": 100, "usd": "90"}]
    row = verdict(ours, theirs)
    assert (row["residual_usd"], row["daily_residual_usd"], row["passed"]) == (Decimal(0), Decimal(20), False)


def test_taxes_and_credits_are_no_residual() -> None:
    row = verdict(
        [{"tokens": 1, "usd": "10"}],
        [
            {"tokens": 1, "usd": "10"},
            {"charge_category": "Tax", "usd": "900"},
            {"charge_category": "Credit", "usd": "-7"},
        ],
    )
    assert (row["residual_usd"], row["passed"]) == (Decimal(0), True)


@pytest.mark.parametrize(("bill", "needs"), [("100.5", False), ("100.6", True)])
def test_more_than_half_a_percent_unexplained_needs_a_reason(bill: str, needs: bool) -> None:
    # Without tokens on the invoice 0.50 of 100.50 is 0.4975%, 0.60 of 100.60 is 0.596%.
    assert verdict([{"tokens": 1, "usd": "100"}], [{"usd": bill}])["needs_reason"] is needs


def test_coverage_and_accuracy_tell_what_they_rest_on() -> None:
    row = verdict(
        [{"tokens": 80, "usd": "80"}, {"model": "o5", "tokens": 50, "usd": "50"}],
        [{"tokens": 100, "usd": "100"}, {"model": "o5", "tokens": 50, "usd": "60"}, {"model": "x", "usd": "40"}],
    )
    # 130 of 150 told tokens; 140 of 200 dollars matched; 10 of those 140 dollars are another price.
    assert row["coverage_share"] == pytest.approx(130 / 150)
    assert row["matched_share"] == pytest.approx(140 / 200)
    assert row["price_accuracy"] == pytest.approx(1 - 10 / 140)
    assert row["level"] == "kind"


def test_what_cannot_be_shared_is_unknown() -> None:
    row = verdict([], [{"usd": "1", "charge_category": "Tax"}])
    assert (row["coverage_share"], row["price_accuracy"], row["level"]) == (None, None, None)


def test_a_bill_that_was_spread_is_judged_over_its_days_and_says_so() -> None:
    # All 200 tokens were used on one of the two days that the row bills evenly.
    ours = [{"started_at": at(7), "tokens": 200, "usd": "200"}]
    theirs = [{"day": at(day).date(), "tokens": 100, "usd": "100", "spread": True} for day in (7, 8)]
    row = verdict(ours, theirs)
    assert (row["daily_residual_usd"], row["passed"], row["spread_usd"]) == (Decimal(0), True, Decimal(200))
    exact = verdict(ours, [line | {"spread": False} for line in theirs])
    assert (exact["daily_residual_usd"], exact["passed"], exact["spread_usd"]) == (Decimal(200), False, Decimal(0))


def test_spread_dollars_without_tokens_are_unexplained_only_as_a_whole() -> None:
    ours = [{"started_at": at(7), "tokens": 200, "usd": "200"}]
    theirs = [{"day": at(day).date(), "usd": "100", "spread": True} for day in (7, 8)]
    assert verdict(ours, theirs)["needs_reason"] is False
