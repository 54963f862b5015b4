"""Figures of the close."""

from datetime import date
from decimal import Decimal

import polars as pl

from tokenpnl_dashboard.charts import theme
from tokenpnl_dashboard.charts.close import LESS, MORE, bridge, is_cut, residual_heatmap

MONEY = pl.Decimal(38, 12)


def waterfall(**steps: tuple[str, str]) -> pl.DataFrame:
    rows = [(step, Decimal(net), Decimal(gross)) for step, (net, gross) in steps.items()]
    return pl.DataFrame(rows, schema={"step": pl.String, "net_usd": MONEY, "gross_usd": MONEY}, orient="row")


STEPS = waterfall(
    traced=("100", "100"),
    coverage=("8", "8"),
    fx_residual=("0", "0"),
    credits=("-3", "3"),
    timing=("0", "4"),
    billed=("105", "105"),
)


def test_each_step_hangs_where_the_one_before_it_ended() -> None:
    (bar, *_) = bridge(STEPS, theme.LIGHT).figure.data
    assert list(bar.y) == ["Traced cost", "Coverage", "Credits and free tier", "Timing", "Billed"]
    ends = [base + width for base, width in zip(bar.base, bar.x, strict=True)]
    assert [round(end, 6) for end in ends] == [100, 108, 105, 105, 105]
    assert list(bar.base)[1:4] == [100, 108, 105]


def test_more_and_less_have_their_own_colours() -> None:
    (bar, *_) = bridge(STEPS, theme.LIGHT).figure.data
    assert list(bar.marker.color) == [theme.TOTAL, MORE, LESS, MORE, theme.TOTAL]


def test_what_nets_to_nothing_tells_its_gross() -> None:
    assert "Timing $0 net, $4.00 gross" in bridge(STEPS, theme.LIGHT).alt


def test_totals_are_cut_only_where_the_steps_would_vanish() -> None:
    assert is_cut(STEPS)
    assert not is_cut(waterfall(traced=("10", "10"), coverage=("90", "90"), billed=("100", "100")))
    (bar, *_) = bridge(
        waterfall(traced=("10", "10"), coverage=("90", "90"), billed=("100", "100")), theme.DARK
    ).figure.data
    assert bar.base[0] == 0


def test_the_table_holds_the_steps_that_the_figure_leaves_out() -> None:
    assert bridge(STEPS, theme.LIGHT).table["Step"].to_list()[2] == "Exchange rates (fx residual)"


def test_the_heatmap_is_symmetric_around_nothing() -> None:
    days = pl.DataFrame(
        [("openai", "(all)", date(2026, 10, 7), Decimal(-2)), ("openai", "(all)", date(2026, 10, 9), Decimal(1))],
        schema={"provider": pl.String, "account": pl.String, "day": pl.Date, "residual_usd": MONEY},
        orient="row",
    )
    chart = residual_heatmap(days, theme.LIGHT)
    (heat,) = chart.figure.data
    assert (heat.zmin, heat.zmax) == (-2, 2)
    assert [list(row) for row in heat.z] == [[-2, 1]]
    assert chart.alt == "Residual by day and provider; the largest: openai 7 Oct ($2.00); openai 9 Oct $1.00."


def test_a_month_without_residual_has_a_figure_all_the_same() -> None:
    empty = pl.DataFrame(schema={"provider": pl.String, "account": pl.String, "day": pl.Date, "residual_usd": MONEY})
    assert residual_heatmap(empty, theme.LIGHT).alt.endswith("none.")
