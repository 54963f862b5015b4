"""Figures of budgets carry their numbers: as marks, as a sentence, and as a table."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from tests.analytics.test_budgets import NOON, budget, hourly

from tokenpnl_analytics.planning.budgets import Burn, burn, span_of
from tokenpnl_dashboard.charts import budgets as budget_charts
from tokenpnl_dashboard.charts import theme

TOTAL = {
    "before_usd": Decimal(10), "after_usd": Decimal(13), "change_usd": Decimal(3), "volume_usd": Decimal(5),
    "mix_usd": Decimal(-4), "rate_usd": Decimal(0), "waste_usd": Decimal("1.5"), "new_usd": Decimal("0.5"),
    "ended_usd": Decimal(0),
}  # fmt: skip


def read(lines: pl.DataFrame, *, as_of: datetime = NOON) -> Burn:
    asked = budget("100")
    span = span_of(asked, NOON, "UTC")
    return burn(asked, lines, as_of=as_of, span=span, zone="UTC", chance=np.random.default_rng(1))


def test_the_bridge_s_bars_hang_from_each_other_and_end_in_the_change():
    bar = budget_charts.bridge(TOTAL, theme.LIGHT).figure.data[0]
    assert list(bar.y) == ["Volume", "Mix", "Waste", "New workflows", "Change"]
    assert list(bar.base) == [0, 5, 1, 2.5, 0]
    assert list(bar.x) == [5, -4, 1.5, 0.5, 3]


def test_dearer_and_cheaper_differ_in_colour_and_pattern_and_sign():
    chart = budget_charts.bridge(TOTAL, theme.LIGHT)
    marker = chart.figure.data[0].marker
    assert list(marker.color[:2]) == [budget_charts.DEARER, budget_charts.CHEAPER]
    assert list(marker.pattern.shape[:2]) == ["/", ""]
    assert chart.table["USD"].to_list() == ["+$5.00", "($4.00)", "+$1.50", "+$0.50", "+$3.00"]
    assert "Volume +$5.00; Mix ($4.00)" in chart.alt


def test_a_burn_up_goes_on_where_the_money_spent_ends():
    chart = budget_charts.burn_up(read(hourly(NOON)), theme.DARK)
    spent, high, low, ahead = chart.figure.data
    assert spent.y[-1] == high.y[0] == low.y[0] == ahead.y[0] == 63
    assert ahead.y[-1] == pytest.approx(180)
    assert chart.alt.startswith("Budget all: $63.00 of $100.00 spent in 2026-11; $180.00 forecast at its end")
    assert chart.table.height == 11 + 20


def test_a_burn_up_without_forecast_says_why():
    young = hourly(NOON).filter(pl.col("hour") >= NOON - timedelta(days=3))
    chart = budget_charts.burn_up(read(young), theme.LIGHT)
    assert len(chart.figure.data) == 1
    assert "too little history: 3 days, 28 are needed" in chart.alt


def test_a_month_that_is_over_has_no_fan():
    chart = budget_charts.burn_up(read(hourly(NOON), as_of=datetime(2026, 12, 5, tzinfo=UTC)), theme.LIGHT)
    assert len(chart.figure.data) == 1
