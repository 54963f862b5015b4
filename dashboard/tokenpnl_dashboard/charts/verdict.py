"""The five shares of the verdict as one bar."""

from collections.abc import Mapping

import plotly.graph_objects as go
import polars as pl

from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts.pnl import Chart, layout
from tokenpnl_dashboard.charts.theme import Ink
from tokenpnl_dashboard.shapes.verdict_tables import SHARE

COLOUR: Mapping[str, str] = {
    "reasoning": "#0A66B7",
    "glue": "#E69F00",
    "unclassified": "#9AA3AF",
    "waste": "#C4460A",
    "other": "#5A6472",
}
_DARK_TEXT = ("glue", "unclassified")
_PATTERN = {"waste": "/"}
_LEAST_LABELLED = 0.08


def five_shares(shares: pl.DataFrame, ink: Ink) -> Chart:
    """Return one bar of the five shares, which sum to 100%.

    Args:
        shares: `share, usd` (Decimal), `counted` (0 to 1), in reading order.
        ink: the theme's inks.
    """
    figure = go.Figure(layout=layout(ink, height=110))
    for row in shares.to_dicts():
        name, part = row["share"], row["counted"]
        figure.add_bar(
            orientation="h",
            y=[""],
            x=[part],
            name=SHARE[name],
            text=[words.percent(part) if part >= _LEAST_LABELLED else ""],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            textfont={"color": "#1B2330" if name in _DARK_TEXT else "#FFFFFF", "size": 13},
            constraintext="none",
            hovertext=[f"{SHARE[name]}: {words.usd(row['usd'])} ({words.percent(part)})"],
            hovertemplate="%{hovertext}<extra></extra>",
            marker={
                "color": COLOUR[name],
                "line": {"width": 1, "color": ink.ground},
                "pattern": {
                    "shape": _PATTERN.get(name, ""),
                    "fillmode": "overlay",
                    "fgcolor": "rgba(255,255,255,.35)",
                    "size": 6,
                },
            },
        )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(range=[0, 1], tickformat=".0%", showgrid=False, tickvals=[0, 0.25, 0.5, 0.75, 1])
    figure.update_yaxes(showticklabels=False, ticks="")
    said = [f"{SHARE[row['share']]} {words.percent(row['counted'])}" for row in shares.to_dicts()]
    table = pl.DataFrame(
        {
            "Share": [SHARE[name] for name in shares["share"]],
            "Cost": [words.usd(usd) for usd in shares["usd"]],
            "Of the cost": [words.percent(part) for part in shares["counted"]],
        }
    )
    return Chart(figure, f"Five shares of the cost of settled runs: {'; '.join(said)}.", table)


def share_key(shares: pl.DataFrame, ink: Ink) -> str:
    """Return the legend with every share's number, as HTML that wraps on a phone."""
    box = "display:inline-block;width:.75em;height:.75em;border-radius:2px;margin-right:.4em"
    items = [
        "<span style='white-space:nowrap;margin-right:1.1em'>"
        f"<span style='{box};background-color:{COLOUR[row['share']]}'></span>"
        f"{SHARE[row['share']]} {words.percent(row['counted'])}</span>"
        for row in shares.to_dicts()
    ]
    return f"<div style='color:{ink.muted};font-size:.8125rem;line-height:1.6'>{''.join(items)}</div>"
