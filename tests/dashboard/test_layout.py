from datetime import UTC, datetime
from decimal import Decimal

import polars as pl

from tokenpnl_dashboard.layout import for_eyes


def costs(*usd: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "customer_id": [f"c{number}" for number in range(len(usd))],
            "effective_usd": [Decimal(amount) for amount in usd],
            "retry_usd": [Decimal(0)] * len(usd),
            "fallback_usd": [Decimal("0.5")] * len(usd),
            "priced_share": [0.9867] * len(usd),
            "n_runs": [1200] * len(usd),
        },
        schema_overrides=dict.fromkeys(("effective_usd", "retry_usd", "fallback_usd"), pl.Decimal(38, 12)),
    )


def test_few_values_stand_side_by_side_rounded_with_their_units() -> None:
    laid = for_eyes("pnl", costs("114.1335", "0.017699070373"), "customer_id")
    assert laid.columns == ["line", "c0", "c1"]
    assert laid.row(0) == ("effective_usd", "$114.13", "$0.0177")
    assert laid.row(2) == ("priced_share", "99%", "99%")
    assert laid.row(3) == ("n_runs", "1,200", "1,200")


def test_a_line_that_says_nothing_drops_out() -> None:
    assert "retry_usd" not in for_eyes("pnl", costs("1", "2"), "customer_id")["line"].to_list()


def test_many_values_stand_below_each_other_the_dearest_first() -> None:
    laid = for_eyes("pnl", costs("1", "2", "3", "6", "5", "4"), "customer_id")
    assert laid.columns == ["customer_id", "effective_usd", "n_runs", "priced_share"]
    assert laid["effective_usd"].to_list() == ["$6.00", "$5.00", "$4.00", "$3.00", "$2.00", "$1.00"]


def test_many_periods_keep_their_order() -> None:
    days = [datetime(2026, 11, day, tzinfo=UTC) for day in range(1, 7)]
    found = costs("1", "2", "3", "6", "5", "4").with_columns(period=pl.Series(days)).drop("customer_id")
    laid = for_eyes("pnl", found, "day")
    assert laid["period"].to_list() == [f"2026-11-0{day}" for day in range(1, 7)]


def test_usage_keeps_its_kinds_down_and_unknown_cost_unknown() -> None:
    found = pl.DataFrame(
        {"usage_kind": ["output_text"], "quantity": [35904048], "cost_usd": [None], "n_lines": [3]},
        schema_overrides={"cost_usd": pl.Decimal(38, 12)},
    )
    assert for_eyes("usage", found, None).row(0) == ("output_text", "35,904,048", None, "3")


def test_a_factor_is_no_money_and_a_truth_is_a_word() -> None:
    found = pl.DataFrame({"workflow": ["desk"], "design_effect": [1.234], "estimated": [True]})
    assert for_eyes("units", found, "workflow").rows() == [("design_effect", "1.23"), ("estimated", "yes")]
    untrue = found.with_columns(estimated=pl.lit(value=False))
    assert for_eyes("units", untrue, "workflow")["line"].to_list() == ["design_effect"]
