"""What one success costs is a dot with its interval, and a floor looks like a floor."""

import polars as pl

from tokenpnl_dashboard.charts import units as unit_charts
from tokenpnl_dashboard.charts.theme import LIGHT

SCHEMA = {"workflow": pl.String, "estimate": pl.Float64, "low": pl.Float64, "high": pl.Float64, "n": pl.Int64,
          "at_least": pl.Boolean, "note": pl.String,
          "to_date_usd": pl.Float64, "method": pl.String}  # fmt: skip


def units(*rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


KNOWN = ("a", 0.05, 0.04, 0.06, 812, False, None, 0.055, "t")
FLOOR = ("b", 0.02, 0.01, 0.03, 4, True, "fewer than 10 successes", 0.03, "t")
NONE = ("c", None, None, None, 0, False, "no success yet", None, None)


def test_a_floor_says_at_least_and_has_another_mark() -> None:
    chart = unit_charts.cost_per_success(units(KNOWN, FLOOR), LIGHT)
    symbols = {trace.marker.symbol: list(trace.x) for trace in chart.figure.data if trace.mode == "markers"}
    assert symbols == {"circle": [0.05], "triangle-right": [0.02]}
    assert "b: at least $0.0200" in chart.alt


def test_a_workflow_without_success_is_named_and_has_no_dot() -> None:
    chart = unit_charts.cost_per_success(units(NONE), LIGHT)
    assert "c: no success yet" in chart.alt
    assert chart.table["Cost per success"].to_list() == ["–"]


def test_the_interval_is_drawn_and_told() -> None:
    chart = unit_charts.cost_per_success(units(KNOWN), LIGHT)
    assert [list(trace.x) for trace in chart.figure.data if trace.mode == "lines"] == [[0.04, 0.06]]
    assert chart.table["Interval"].to_list() == ["95% interval $0.0400 to $0.0600"]


def test_costs_far_apart_stand_on_a_logarithmic_axis() -> None:
    near = unit_charts.cost_per_success(units(KNOWN), LIGHT)
    far = unit_charts.cost_per_success(units(KNOWN, ("d", 2.0, 1.8, 2.2, 40, False, None, 2.1, "t")), LIGHT)
    assert (near.figure.layout.xaxis.type, far.figure.layout.xaxis.type) == ("linear", "log")


def test_a_name_is_text_and_never_markup() -> None:
    chart = unit_charts.cost_per_success(units(("<b>x</b>", *KNOWN[1:])), LIGHT)
    assert any("&lt;b>x" in note.text for note in chart.figure.layout.annotations)
