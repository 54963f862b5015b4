"""Figures show what their frames say, in the colours of the categories, with the same numbers as a table."""

from datetime import date
from decimal import Decimal

import polars as pl

from tokenpnl.model import CostCategory
from tokenpnl_dashboard.charts import pnl as pnl_charts
from tokenpnl_dashboard.charts import theme
from tokenpnl_dashboard.charts.theme import DARK, LIGHT

LADDER = pl.DataFrame(
    [
        ("list", "List cost", True, Decimal(110), None),
        ("discount", "Negotiated discount", False, Decimal(10), None),
        ("effective", "Effective cost", True, Decimal(100), 1.0),
        ("timeout", "Timeout", False, Decimal(5), 0.05),
        ("failed_run", "Failed run", False, Decimal(15), 0.15),
        ("productive", "Productive", True, Decimal(80), 0.8),
    ],
    schema=["line", "title", "total", "amount_usd", "share"],
    orient="row",
)


def test_each_step_hangs_where_the_one_before_ended() -> None:
    bar = pnl_charts.waterfall(LADDER, LIGHT).figure.data[0]
    assert list(bar.base) == [0.0, 100.0, 0.0, 95.0, 80.0, 0.0]
    assert list(bar.x) == [110.0, 10.0, 100.0, 5.0, 15.0, 80.0]


def test_steps_are_coloured_by_category_and_what_gave_no_result_has_its_pattern() -> None:
    marker = pnl_charts.waterfall(LADDER, LIGHT).figure.data[0].marker
    assert list(marker.color)[3:] == [theme.COLOUR[c] for c in ("timeout", "failed_run", "productive")]
    assert list(marker.pattern.shape) == ["", "", "", "/", "+", ""]


def test_a_discount_is_good_news_and_not_red() -> None:
    assert pnl_charts.waterfall(LADDER, LIGHT).figure.data[0].marker.color[1] == theme.SAVING


def test_bars_look_the_same_in_both_themes() -> None:
    light, dark = (pnl_charts.waterfall(LADDER, ink).figure.data[0].marker for ink in (LIGHT, DARK))
    assert light == dark


def test_the_waterfall_reads_aloud_with_reductions_in_parentheses_and_shares() -> None:
    alt = pnl_charts.waterfall(LADDER, LIGHT).alt
    assert "List cost $110.00; Negotiated discount (10.00); Effective cost $100.00  100%; Timeout (5.00)  5.0%" in alt


def test_the_table_has_the_numbers_of_the_figure() -> None:
    table = pnl_charts.waterfall(LADDER, LIGHT).table
    assert table.row(4)[:3] == ("Failed run", "(15.00)", "15%")


def test_a_mark_leads_to_its_category() -> None:
    assert list(pnl_charts.waterfall(LADDER, LIGHT).figure.data[0].customdata)[3] == "timeout"


def test_an_empty_ladder_is_an_empty_figure() -> None:
    assert pnl_charts.waterfall(LADDER.clear(), LIGHT).table.is_empty()


def test_days_are_stacked_with_results_at_the_bottom() -> None:
    days = pl.DataFrame(
        [
            (date(2026, 11, 23), "timeout", Decimal(1)),
            (date(2026, 11, 23), "productive", Decimal(4)),
            (date(2026, 11, 24), "productive", Decimal(3)),
        ],
        schema=["day", "cost_category", "cost_usd"],
        orient="row",
    )
    chart = pnl_charts.daily_cost(days, LIGHT)
    assert [trace.name for trace in chart.figure.data] == ["Productive", "Timeout"]
    assert list(chart.figure.data[0].y) == [4.0, 3.0]
    assert chart.table.row(1) == ("2026-11-24", "$3.00", "–") or chart.table.row(1)[1:] == ("$3.00", "–")
    assert chart.alt == "Cost per day by category, 23 Nov 2026 to 24 Nov 2026."


def test_small_shares_carry_no_label_that_would_not_fit() -> None:
    shares = pl.DataFrame(
        [("a", "productive", Decimal(95), 0.95), ("a", "timeout", Decimal(5), 0.05)],
        schema=["row", "cost_category", "cost_usd", "share"],
        orient="row",
    )
    chart = pnl_charts.category_shares(shares, LIGHT)
    assert [list(trace.text) for trace in chart.figure.data] == [["95%"], [""]]
    assert chart.alt == "Share of cost by category. a: Productive 95%; Timeout 5.0%."


def test_the_key_shows_only_the_categories_in_use_in_the_order_of_the_statement() -> None:
    key = pnl_charts.category_key(["timeout", CostCategory.PRODUCTIVE], LIGHT)
    assert key.index("Productive") < key.index("Timeout")
    assert "Retry" not in key
