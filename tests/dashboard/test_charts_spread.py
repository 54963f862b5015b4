"""Cost over customers and over runs: every mark has words, and names are data, never markup."""

from decimal import Decimal

import polars as pl

from tokenpnl_dashboard.charts import spread as spread_charts
from tokenpnl_dashboard.charts.theme import LIGHT

OWNERS = pl.DataFrame(
    {
        "customer_id": ["<b>acme</b>", None],
        "n_runs": [3, 1],
        "cost_usd": [Decimal(6), Decimal(2)],
        "successes": [1, 1],
        "owner_share": [0.5, 1.0],
        "cost_share": [0.75, 1.0],
        "success_share": [0.5, 1.0],
    }
)
BINS = pl.DataFrame(
    {
        "low_usd": [0.1, 0.1, 1.0],
        "high_usd": [0.178, 0.178, 1.78],
        "succeeded": [False, True, True],
        "n_runs": [1, 5, 2],
    }
)


def test_the_curves_lead_to_their_customers() -> None:
    chart = spread_charts.pareto(OWNERS, "customer_id", LIGHT)
    cost = chart.figure.data[2]
    assert list(cost.y) == [0, 0.75, 1.0]
    assert list(cost.customdata) == [None, "<b>acme</b>", "(none)"]
    assert cost.hovertext[1] == "&lt;b>acme&lt;/b>: $6.00, 1 success"
    assert "2 customers" in chart.alt
    assert chart.table["Running share of cost"].to_list() == ["75%", "100%"]


def test_without_customers_the_curve_says_so() -> None:
    assert spread_charts.pareto(OWNERS.clear(), "customer_id", LIGHT).alt == "Customers by cost: none."


def test_runs_with_and_without_success_are_told_apart_without_colour() -> None:
    chart = spread_charts.run_costs(BINS, LIGHT)
    won, lost = chart.figure.data
    assert (list(won.y), won.marker.pattern.shape) == ([5, 2], "")
    assert (list(lost.y), lost.marker.pattern.shape) == ([1], "/")
    assert "Most often $0.1000 to $0.1780" in chart.alt
    assert chart.table["Outcome"].to_list() == ["no success", "success", "success"]


def test_the_keys_name_what_is_drawn() -> None:
    assert "successes" in spread_charts.pareto_key()
    assert "no success" in spread_charts.run_costs_key(LIGHT)
