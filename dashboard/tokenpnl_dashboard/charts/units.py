"""Figures of unit cost: what one success costs, and how sure that is."""

import re
from typing import Any

import plotly.graph_objects as go
import polars as pl

from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import theme
from tokenpnl_dashboard.charts.pnl import Chart, layout
from tokenpnl_dashboard.charts.theme import Ink

Row = dict[str, Any]

ROW_HEIGHT = 52
LOG_FROM_RATIO = 15


def cost_per_success(units: pl.DataFrame, ink: Ink, *, named: str = "Workflow") -> Chart:
    """Return a dot with its interval a row, on one dollar axis.

    Args:
        units: in reading order: `workflow`, `estimate`, `low`, `high` (USD, float; null where withheld), `n`
            (successes), `at_least` (whether the estimate is only a floor), `note` (what else a reader must know),
            `to_date_usd` (all runs, not only settled ones), `method` (of the interval).
        ink: the theme's inks.
        named: what the rows are, for the table.
    """
    rows = units.to_dicts()
    known = [row for row in rows if row["estimate"] is not None]
    exact, floors = [[row for row in known if row["at_least"] is floor] for floor in (False, True)]
    figure = go.Figure(layout=layout(ink, height=ROW_HEIGHT * max(len(rows), 1) + 48))
    _whiskers(figure, exact)
    figure.add_scatter(**_dots(exact, "circle"))
    figure.add_scatter(**_dots(floors, "triangle-right"))
    values = [row[bound] for row in known for bound in ("estimate", "low", "high") if row[bound]]
    logarithmic = bool(values) and max(values) > LOG_FROM_RATIO * min(values)
    for row in rows:
        _caption(figure, row, ink)
    figure.update_xaxes(
        type="log" if logarithmic else "linear",
        rangemode="normal" if logarithmic else "tozero",
        tickformat="$~g",
        nticks=5,
        gridcolor=ink.line,
        zeroline=False,
    )
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=[row["workflow"] for row in reversed(rows)],
        range=[-0.5, len(rows) - 0.3],
        showticklabels=False,
        showgrid=False,
    )
    alt = "Cost per successful outcome. " + "; ".join(f"{row['workflow']}: {_plain(row)}" for row in rows) + "."
    table = pl.DataFrame(
        {
            named: [row["workflow"] for row in rows],
            "Cost per success": [_estimate(row) for row in rows],
            "Interval": [words.interval(row["low"], row["high"]) for row in rows],
            "Successes": [words.count(row["n"]) for row in rows],
            "To date": [words.usd(row["to_date_usd"]) for row in rows],
            "Method": [row["method"] or "" for row in rows],
            "Note": [row["note"] or "" for row in rows],
        }
    )
    return Chart(figure, alt, table)


def _caption(figure: go.Figure, row: Row, ink: Ink) -> None:
    """Write the name on the left and the figures on the right, above the dot: a phone has no room beside it."""
    known = row["estimate"] is not None
    for x, anchor, text, colour in (
        (0, "left", _name(row), ink.text),
        (1, "right", _label(row), ink.text if known else ink.muted),
    ):
        figure.add_annotation(
            x=x,
            xref="paper",
            xanchor=anchor,
            y=row["workflow"],
            yshift=16,
            text=text,
            showarrow=False,
            font={"color": colour, "size": 12},
        )


def _whiskers(figure: go.Figure, rows: list[Row]) -> None:
    for row in rows:
        if row["low"] is not None and row["high"] is not None:
            figure.add_scatter(
                x=[row["low"], row["high"]],
                y=[row["workflow"], row["workflow"]],
                mode="lines",
                line={"color": theme.COLOUR["fallback"], "width": 6},
                hoverinfo="skip",
            )


def _dots(rows: list[Row], symbol: str) -> Row:
    return {
        "x": [row["estimate"] for row in rows],
        "y": [row["workflow"] for row in rows],
        "customdata": [row["workflow"] for row in rows],
        "mode": "markers",
        "marker": {"size": 12, "symbol": symbol, "color": theme.COLOUR["productive"]},
        "hovertext": [_plain(row) for row in rows],
        "hovertemplate": "%{y}: %{hovertext}<extra></extra>",
    }


def _estimate(row: Row) -> str:
    if row["estimate"] is None:
        return words.UNKNOWN
    estimate = words.usd(row["estimate"])
    return f"at least {estimate}" if row["at_least"] else estimate


def _label(row: Row) -> str:
    if row["estimate"] is None:
        return str(row["note"] or "no success yet")
    parts = [f"<b>{_estimate(row)}</b>"]
    if row["low"] is not None and row["high"] is not None and not row["at_least"]:
        parts.append(f"({words.between(row['low'], row['high'])})".replace("$", ""))
    return "  ".join(parts)


def _plain(row: Row) -> str:
    label = re.sub("<[^>]+>", "", _label(row))
    return f"{label}, {words.counted(row['n'], 'settled success', 'settled successes')}"


def _name(row: Row) -> str:
    # Plotly reads tags in text; a workflow's name is data.
    name = str(row["workflow"]).replace("<", "&lt;")
    return f"{name}  <span style='opacity:.75'>n {row['n']:,}</span>"
