"""Figures of cost without direct result: which category, in which workflow."""

import plotly.graph_objects as go
import polars as pl

from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import theme
from tokenpnl_dashboard.charts.pnl import Chart, layout
from tokenpnl_dashboard.charts.theme import Ink

_HEIGHT = 340


def waste_map(costs: pl.DataFrame, ink: Ink) -> Chart:
    """Return a treemap: categories without direct result, and in each the workflows that paid for it.

    Args:
        costs: `cost_category`, `workflow` (text), `cost_usd` (Decimal, positive), the dearest first.
        ink: the theme's inks.
    """
    by_category = costs.group_by("cost_category").agg(pl.col("cost_usd").sum()).sort("cost_usd", descending=True)
    whole = costs["cost_usd"].sum()
    categories, pairs = by_category.rows(), costs.select("cost_category", "workflow", "cost_usd").rows()
    names = [(category, words.category(category), "", usd) for category, usd in categories]
    names += [(f"{category}/{workflow}", workflow, category, usd) for category, workflow, usd in pairs]
    colours = [theme.colour(category or identity) for identity, _, category, _ in names]
    inks = [theme.text_on(category or identity) for identity, _, category, _ in names]
    shapes = [theme.pattern(category or identity) for identity, _, category, _ in names]
    figure = go.Figure(
        go.Treemap(
            ids=[identity for identity, _, _, _ in names],
            labels=[title for _, title, _, _ in names],
            parents=[parent for _, _, parent, _ in names],
            values=[float(usd) for _, _, _, usd in names],
            branchvalues="total",
            text=[words.usd(usd) for _, _, _, usd in names],
            textinfo="label+text",
            textfont={"color": inks, "size": 13},
            customdata=[[parent or identity, title if parent else None] for identity, title, parent, _ in names],
            hovertemplate="<b>%{label}</b> %{text}<extra></extra>",
            marker={
                "colors": colours,
                "line": {"width": 2, "color": ink.ground},
                "pattern": {
                    "shape": shapes,
                    "fillmode": "overlay",
                    "fgcolor": "rgba(255,255,255,0.28)",
                    "size": 7,
                    "solidity": 0.2,
                },
                "pad": {"t": 24, "l": 2, "r": 2, "b": 2},
            },
            pathbar={"visible": False},
            tiling={"packing": "squarify", "pad": 2},
            maxdepth=2,
        ),
        layout(ink, height=_HEIGHT),
    )
    # A label that does not fit is left out; the table has it.
    figure.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0}, uniformtext={"minsize": 11, "mode": "hide"})
    parts = [f"{words.category(category)} {words.usd(usd)}" for category, usd in categories]
    table = costs.select(
        pl.col("cost_category").replace(words.CATEGORY).alias("Category"),
        pl.col("workflow").alias("Workflow"),
        pl.Series("USD", [words.usd(usd) for usd in costs["cost_usd"]]),
        pl.Series("Share", [words.percent(float(usd) / float(whole)) for usd in costs["cost_usd"]]),
    )
    return Chart(figure, f"Cost without direct result: {'; '.join(parts)}.", table)
