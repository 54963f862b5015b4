"""The way of the money from what was paid to who pays."""

from decimal import Decimal
from typing import Any

import plotly.graph_objects as go
import polars as pl

from tokenpnl.model import CostCategory
from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import theme
from tokenpnl_dashboard.charts.pnl import Chart, layout
from tokenpnl_dashboard.charts.theme import Ink

WORKFLOW = theme.colour(CostCategory.PRODUCTIVE)
SHARED = theme.colour(CostCategory.EVALUATION)
OWNER = theme.SAVING
NOBODY = theme.colour(CostCategory.TIMEOUT)
_NODE_HEIGHT, _LEAST_HEIGHT = 62, 240
_MOST_LETTERS = 26


def money_flow(links: pl.DataFrame, ink: Ink) -> Chart:
    """Return the diagram from workflows and shared costs over teams to products; what nobody owns has its own colour.

    Args:
        links: result of `allocation.flows`.
        ink: the theme's inks.
    """
    rows = links.to_dicts()
    nodes: dict[tuple[int, str], str] = {}
    for row in rows:
        nodes.setdefault((row["place"], row["source"]), _source_colour(row["kind"]))
        nodes.setdefault((row["place"] + 1, row["target"]), NOBODY if row["unowned"] else OWNER)
    index = {node: place for place, node in enumerate(nodes)}
    paid = {node: _through(rows, node) for node in nodes}
    sankey = go.Sankey(
        arrangement="snap",
        node={
            "label": [f"{_short(name)}<br>{words.usd(paid[place, name])}" for place, name in nodes],
            "color": list(nodes.values()),
            "pad": 30,
            "thickness": 14,
            "line": {"width": 0},
            "hovertemplate": "%{label}<extra></extra>",
        },
        link={
            "source": [index[row["place"], row["source"]] for row in rows],
            "target": [index[row["place"] + 1, row["target"]] for row in rows],
            "value": [float(row["cost_usd"]) for row in rows],
            "color": [_faint(NOBODY if row["unowned"] else _source_colour(row["kind"])) for row in rows],
            "customdata": [words.usd(row["cost_usd"]) for row in rows],
            "hovertemplate": "%{source.label} to %{target.label}: %{customdata}<extra></extra>",
        },
        textfont={"color": ink.text, "size": 13, "shadow": "none"},
    )
    columns = [sum(1 for place, _ in nodes if place == column) for column in range(3)]
    figure = go.Figure(sankey, layout(ink, height=max(_LEAST_HEIGHT, _NODE_HEIGHT * max(columns, default=0))))
    figure.update_layout(margin={"b": 24})
    table = links.select(
        pl.col("source").alias("From"),
        pl.col("target").alias("To"),
        pl.Series("USD", [words.usd(c) for c in links["cost_usd"]]),
    )
    told = [f"{row['source']} to {row['target']} {words.usd(row['cost_usd'])}" for row in rows[:8]]
    return Chart(figure, f"Who pays for what. {'; '.join(told)}.", table)


def _through(rows: list[dict[str, Any]], node: tuple[int, str]) -> Decimal:
    """Return what comes into a node, or leaves it where it is the first."""
    place, name = node
    coming = [row["cost_usd"] for row in rows if (row["place"], row["target"]) == (place - 1, name)]
    leaving = [row["cost_usd"] for row in rows if (row["place"], row["source"]) == node]
    return sum(coming or leaving, Decimal(0))


def _source_colour(kind: str) -> str:
    return {"workflow": WORKFLOW, "shared": SHARED}.get(kind, OWNER)


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.35)"


def _short(name: str) -> str:
    return name if len(name) <= _MOST_LETTERS else f"{name[: _MOST_LETTERS - 1]}…"
