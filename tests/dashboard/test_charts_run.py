"""The span waterfall shows time, cost and category of each span."""

from decimal import Decimal

import polars as pl

from tokenpnl_dashboard.charts import run as run_charts
from tokenpnl_dashboard.charts import theme
from tokenpnl_dashboard.charts.theme import LIGHT
from tokenpnl_dashboard.shapes.run_tree import COLUMNS

SPANS = pl.DataFrame(
    [
        ("a", "t", "support_reply", 0.0, 2000.0, None, None, None, 1),
        ("b", "t", "\u2002chat gpt-5", 100.0, 900.0, Decimal("0.02"), "timeout", "TimeoutError", 1),
        ("c", "t", "\u2002chat gpt-5", 1000.0, None, Decimal("0.03"), "productive", "attempt 2", 1),
    ],
    schema=COLUMNS,
    orient="row",
)


def test_bars_stand_on_the_clock_of_the_run() -> None:
    bar = run_charts.span_waterfall(SPANS, LIGHT).figure.data[0]
    assert list(bar.base) == [0.0, 0.1, 1.0]
    assert list(bar.x)[:2] == [2.0, 0.9]


def test_a_span_that_never_ended_can_still_be_clicked() -> None:
    bar = run_charts.span_waterfall(SPANS, LIGHT).figure.data[0]
    assert bar.x[2] > 0
    assert list(bar.customdata) == ["a", "b", "c"]


def test_colour_and_pattern_say_what_a_span_was_for() -> None:
    marker = run_charts.span_waterfall(SPANS, LIGHT).figure.data[0].marker
    assert list(marker.color) == [theme.NO_COST, theme.COLOUR["timeout"], theme.COLOUR["productive"]]
    assert list(marker.pattern.shape) == ["", "/", ""]


def test_the_selected_span_is_outlined() -> None:
    marker = run_charts.span_waterfall(SPANS, LIGHT, selected="b").figure.data[0].marker
    assert list(marker.line.width) == [0, 2, 0]


def test_the_figure_reads_aloud_what_cost_something() -> None:
    chart = run_charts.span_waterfall(SPANS, LIGHT)
    assert chart.alt.startswith("3 spans over 2.0 s. chat gpt-5, 900 ms, $0.0200 timeout, TimeoutError")
    assert chart.table["Cost"].to_list() == ["–", "$0.0200", "$0.0300"]
