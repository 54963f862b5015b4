"""Figures of the close: the bridge from the traces to the bill, and where the residual lies."""

from decimal import Decimal
from itertools import accumulate, pairwise
from typing import Any

import plotly.graph_objects as go
import polars as pl

from tokenpnl.model import CostCategory
from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import theme
from tokenpnl_dashboard.charts.pnl import STEP_HEIGHT, Chart, layout
from tokenpnl_dashboard.charts.theme import Ink
from tokenpnl_dashboard.closing import reconcile_words

MORE = theme.colour(CostCategory.TIMEOUT)
LESS = theme.SAVING
_TOTALS = ("traced", "billed")
_CELL_HEIGHT, _LEAST_HEIGHT = 44, 120
_ROOM = 0.7  # of the axis; beyond it a label on the right would leave a phone's screen
_CUT_FROM = 0.7  # share of the largest bar below which nothing happens: the axis then begins there


def bridge(waterfall: pl.DataFrame, ink: Ink) -> Chart:
    """Return the way from traced cost to the bill, one horizontal bar a step; totals stand on the axis.

    Args:
        waterfall: `step` in order, `net_usd`, `gross_usd` (Decimal); steps of nothing are left out.
        ink: the theme's inks.
    """
    rows = [row for row in waterfall.to_dicts() if row["step"] in _TOTALS or row["gross_usd"]]
    like = max((abs(row["net_usd"]) for row in rows if row["step"] not in _TOTALS), default=None)
    ends = list(accumulate(float(row["net_usd"]) for row in rows[:-1])) or [0.0]
    starts = [0.0, *ends[:-1], 0.0]
    stops = [*ends, float(rows[-1]["net_usd"]) if rows else 0.0]
    least, most = min(0.0, *stops), max(0.0, *stops)
    low = min(stops)
    begins = low - (most - low) * 0.6 if low > most * _CUT_FROM else least
    titles = [reconcile_words.STEP[row["step"]] for row in rows]
    labels = [_label(row, like) for row in rows]
    lefts = [begins if row["step"] in _TOTALS else start for row, start in zip(rows, starts, strict=False)]
    bars = list(zip(titles, labels, lefts, stops, strict=False))
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=titles,
            x=[stop - left for _, _, left, stop in bars],
            base=lefts,
            marker={"color": [_colour(row["step"], float(row["net_usd"])) for row in rows], "line": {"width": 0}},
            hovertext=[reconcile_words.STEP_MEANING[row["step"]] for row in rows],
            text=labels,
            textposition="none",
            hovertemplate="<b>%{y}</b> %{text}<br>%{hovertext}<extra></extra>",
        ),
        layout(ink, height=STEP_HEIGHT * len(rows) + 12),
    )
    for title, label, left, stop in bars:
        _place(figure, title, label, (left, stop), (begins, most), ink)
    for at, (upper, lower) in zip(ends, pairwise(titles), strict=False):
        figure.add_scatter(
            x=[at, at], y=[upper, lower], mode="lines", line={"color": ink.line, "width": 1}, hoverinfo="skip"
        )
    figure.update_layout(margin={"b": 4})
    figure.update_xaxes(range=[begins, most + (most - begins) * 0.02 or 1], visible=False)
    figure.update_yaxes(autorange="reversed", tickfont={"color": ink.text}, automargin=True, ticklabelstandoff=6)
    told = "; ".join(f"{title} {label}" for title, label in zip(titles, labels, strict=True))
    return Chart(figure, f"Bridge from traces to invoices. {told}.", _table(waterfall))


def is_cut(waterfall: pl.DataFrame) -> bool:
    """Return whether the bars of totals are drawn from above zero, which a caption has to say."""
    ends = list(accumulate(float(net) for net in waterfall["net_usd"][:-1]))
    return bool(ends) and min(ends) > max(ends) * _CUT_FROM


def residual_heatmap(days: pl.DataFrame, ink: Ink) -> Chart:
    """Return what was billed beyond the traces, by day and provider; orange is more billed, green more traced.

    Args:
        days: `provider, account, day, residual_usd` (Decimal), sorted.
        ink: the theme's inks.
    """
    rows = [
        row | {"seller": reconcile_words.seller(row), "usd": float(row["residual_usd"])}
        for row in days.iter_rows(named=True)
    ]
    sellers = list(dict.fromkeys(row["seller"] for row in rows))
    dates = sorted({row["day"] for row in rows})
    known = {(row["seller"], row["day"]): row for row in rows}
    largest = max((abs(row["usd"]) for row in rows), default=0.0) or 1.0
    figure = go.Figure(
        go.Heatmap(
            x=dates,
            y=sellers,
            z=[[known[each, day]["usd"] if (each, day) in known else None for day in dates] for each in sellers],
            zmin=-largest,
            zmax=largest,
            colorscale=[[0.0, LESS], [0.5, ink.ground], [1.0, MORE]],
            showscale=False,
            xgap=2,
            ygap=4,
            hoverongaps=False,
            text=[
                [words.usd(known[each, day]["residual_usd"]) if (each, day) in known else "" for day in dates]
                for each in sellers
            ],
            hovertemplate="%{y}, %{x|%-d %b}: %{text}<extra></extra>",
        ),
        layout(ink, height=max(_LEAST_HEIGHT, _CELL_HEIGHT * len(sellers) + 50)),
    )
    figure.update_xaxes(tickformat="%-d %b", nticks=7, showgrid=False)
    figure.update_yaxes(automargin=True, tickfont={"color": ink.text}, showgrid=False, ticks="", ticklabelstandoff=6)
    figure.update_layout(plot_bgcolor=ink.line)
    worst = sorted(rows, key=lambda row: -abs(row["usd"]))[:3]
    told = "; ".join(f"{row['seller']} {row['day']:%-d %b} {words.usd(row['residual_usd'])}" for row in worst)
    table = pl.DataFrame(
        {
            "Day (UTC)": [row["day"] for row in rows],
            "Provider": [row["seller"] for row in rows],
            "Residual": [words.usd(row["residual_usd"]) for row in rows],
        }
    )
    return Chart(figure, f"Residual by day and provider; the largest: {told or 'none'}.", table)


def _place(
    figure: go.Figure, title: str, label: str, bar: tuple[float, float], axis: tuple[float, float], ink: Ink
) -> None:
    """Write the label where there is room at any width: right of the bar, else left of it, else in it."""
    width = (axis[1] - axis[0]) or 1
    first, last = ((end - axis[0]) / width for end in (min(bar), max(bar)))
    if last < _ROOM:
        at, anchor, shift, colour = max(bar), "left", 8, ink.text
    elif first > 1 - _ROOM:
        at, anchor, shift, colour = min(bar), "right", -8, ink.text
    else:
        at, anchor, shift, colour = max(bar), "right", -8, "#FFFFFF"
    figure.add_annotation(
        x=at, y=title, text=label, xanchor=anchor, xshift=shift, showarrow=False, font={"color": colour}
    )


def _label(row: dict[str, Any], like: Decimal | None) -> str:
    net = words.usd(row["net_usd"], like=None if row["step"] in _TOTALS else like)
    # Days that offset add nothing, and would look as if nothing had been found.
    return net if row["net_usd"] else f"{net} net, {words.usd(row['gross_usd'])} gross"


def _colour(step: str, net: float) -> str:
    if step in _TOTALS:
        return theme.TOTAL
    return MORE if net >= 0 else LESS


def _table(waterfall: pl.DataFrame) -> pl.DataFrame:
    return waterfall.select(
        pl.Series("Step", [reconcile_words.STEP[step] for step in waterfall["step"]]),
        pl.Series("Net", [words.usd(net) for net in waterfall["net_usd"]]),
        pl.Series("Gross", [words.usd(gross) for gross in waterfall["gross_usd"]]),
        pl.Series("Meaning", [reconcile_words.STEP_MEANING[step] for step in waterfall["step"]]),
    )
