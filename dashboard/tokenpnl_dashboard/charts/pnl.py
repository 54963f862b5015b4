"""Figures of the P&L: frames in, a figure with its words and its table out. Nothing here asks for data."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go
import polars as pl

from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import theme
from tokenpnl_dashboard.charts.theme import Ink

ROW_HEIGHT = 30
STEP_HEIGHT = 34
FONT = '"Source Sans", "Source Sans Pro", Helvetica, Arial, sans-serif'


@dataclass(frozen=True)
class Chart:
    """A figure, the sentence that replaces it for who cannot see it, and the same numbers as a table."""

    figure: go.Figure
    alt: str
    table: pl.DataFrame


def waterfall(ladder: pl.DataFrame, ink: Ink) -> Chart:
    """Return the way from list cost down to productive cost, one horizontal bar a step.

    Args:
        ladder: in reading order: `line` (a cost category or a step above them), `title`,
            `total` (whether the bar stands on zero), `amount_usd` (Decimal, reductions positive, additions negative),
            `share` (of effective cost, 0 to 1, null above it).
        ink: the theme's inks.
    """
    amount = pl.col("amount_usd").cast(pl.Float64)
    steps = ladder.with_columns(section=pl.col("total").cum_sum()).with_columns(
        # A step hangs from the total above it, below every reduction before it.
        left=pl.when("total")
        .then(0.0)
        .otherwise(
            amount.first().over("section") - pl.when("total").then(0.0).otherwise(amount).cum_sum().over("section")
        )
    )
    rows = steps.to_dicts()
    largest = max((abs(row["amount_usd"]) for row in rows), default=None)
    labels = [_ladder_label(row, largest) for row in rows]
    plain = [re.sub("<[^>]+>", "", label) for label in labels]
    bar = go.Bar(
        orientation="h",
        y=[row["title"] for row in rows],
        x=[float(row["amount_usd"]) for row in rows],
        base=[row["left"] for row in rows],
        text=plain,
        textposition="none",
        customdata=[row["line"] for row in rows],
        hovertext=[words.CATEGORY_MEANING.get(row["line"], "") for row in rows],
        hovertemplate="<b>%{y}</b> %{text}<br>%{hovertext}<extra></extra>",
        marker=fill([row["line"] for row in rows]),
    )
    figure = go.Figure(bar, layout(ink, height=STEP_HEIGHT * len(rows) + 12))
    figure.update_layout(margin={"b": 4})
    widest = max((float(row["amount_usd"]) for row in rows), default=0.0)
    for row, label in zip(rows, labels, strict=True):
        _place(figure, row, label, widest, ink)
    for upper, lower in pairwise(rows):
        edge = upper["left"] + (float(upper["amount_usd"]) if upper["total"] else 0.0)
        _connector(figure, edge, upper["title"], lower["title"], ink)
    figure.update_xaxes(range=[0, widest * 1.02 or 1], visible=False)
    figure.update_yaxes(autorange="reversed", tickfont={"color": ink.text}, automargin=True, ticklabelstandoff=6)
    alt = "Waterfall. " + "; ".join(f"{row['title']} {label}" for row, label in zip(rows, plain, strict=True)) + "."
    table = pl.DataFrame(
        {
            "Line": [row["title"] for row in rows],
            "USD": [_amount(row, largest) for row in rows],
            "Share of effective cost": [words.percent(row["share"]) for row in rows],
            "Meaning": [words.CATEGORY_MEANING.get(row["line"], "") for row in rows],
        }
    )
    return Chart(figure, alt, table)


def category_shares(shares: pl.DataFrame, ink: Ink) -> Chart:
    """Return one 100% bar a row, split by cost category.

    Args:
        shares: `row` (text, in reading order), `cost_category`, `cost_usd` (Decimal), `share` (of its row, 0 to 1).
        ink: the theme's inks.
    """
    rows = shares["row"].unique(maintain_order=True).to_list()
    figure = go.Figure(layout=layout(ink, height=ROW_HEIGHT * len(rows) + 40))
    for category in in_order(shares["cost_category"].unique().to_list()):
        part = shares.filter(pl.col("cost_category") == category)
        figure.add_bar(
            orientation="h",
            name=words.category(category),
            y=part["row"].to_list(),
            x=part["share"].to_list(),
            text=[words.percent(share) if share >= 0.08 else "" for share in part["share"]],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            textfont={"color": theme.text_on(category), "size": 12},
            constraintext="none",
            customdata=[[category, row] for row in part["row"]],
            hovertext=[
                f"{row}, {words.category(category)}: {words.usd(cost)} ({words.percent(share)})"
                for row, cost, share in part.select("row", "cost_usd", "share").iter_rows()
            ],
            hovertemplate="%{hovertext}<extra></extra>",
            marker=fill(category),
        )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(range=[0, 1], tickformat=".0%", showgrid=False, tickvals=[0, 0.5, 1])
    figure.update_yaxes(autorange="reversed", automargin=True, tickfont={"color": ink.text}, ticklabelstandoff=6)
    table = shares.select(
        pl.col("row").alias("Workflow"),
        pl.col("cost_category").replace(words.CATEGORY).alias("Category"),
        pl.Series("USD", [words.usd(cost) for cost in shares["cost_usd"]]),
        pl.Series("Share", [words.percent(share) for share in shares["share"]]),
    )
    first = shares.filter(pl.col("row") == rows[0]) if rows else shares
    parts = [f"{words.category(c)} {words.percent(s)}" for c, s in first.select("cost_category", "share").iter_rows()]
    return Chart(figure, f"Share of cost by category. {rows[0] if rows else ''}: {'; '.join(parts)}.", table)


def daily_cost(days: pl.DataFrame, ink: Ink) -> Chart:
    """Return the cost per day as stacked bars by cost category.

    Args:
        days: `day` (date), `cost_category`, `cost_usd` (Decimal), sorted by day.
        ink: the theme's inks.
    """
    figure = go.Figure(layout=layout(ink, height=300))
    for category in in_order(days["cost_category"].unique().to_list()):
        part = days.filter(pl.col("cost_category") == category)
        figure.add_bar(
            name=words.category(category),
            x=part["day"].to_list(),
            y=part["cost_usd"].cast(pl.Float64).to_list(),
            customdata=[[category, f"{day}"] for day in part["day"]],
            hovertext=[
                f"{day:%-d %b}, {words.category(category)}: {words.usd(cost)}"
                for day, cost in part.select("day", "cost_usd").iter_rows()
            ],
            hovertemplate="%{hovertext}<extra></extra>",
            marker=fill(category),
        )
    figure.update_layout(barmode="stack", bargap=0.15)
    figure.update_yaxes(tickformat="$,~g", nticks=5, gridcolor=ink.line, zeroline=False, automargin=True)
    figure.update_xaxes(tickformat="%-d %b", nticks=7, showgrid=False)
    wide = days.pivot("cost_category", index="day", values="cost_usd", maintain_order=True)
    table = wide.select(
        pl.col("day").alias("Day (UTC)"),
        *(
            pl.Series(words.category(name), [words.usd(cost) for cost in wide[name]])
            for name in in_order([column for column in wide.columns if column != "day"])
        ),
    )
    ends = [f"{day:%-d %b %Y}" for day in sorted({days["day"][0], days["day"][-1]})] if days.height else []
    return Chart(figure, f"Cost per day by category, {' to '.join(ends) or 'no days'}.", table)


def layout(ink: Ink, *, height: int) -> dict[str, Any]:
    """Return the layout that every figure shares: no frame, no motion, the theme's inks."""
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 28},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": ink.muted, "size": 13, "family": FONT},
        "hoverlabel": {"bgcolor": ink.ground, "font": {"color": ink.text}, "bordercolor": ink.line},
        "showlegend": False,
        "dragmode": False,
        # A finger that scrolls the page must not move the axes.
        "xaxis": {"fixedrange": True},
        "yaxis": {"fixedrange": True},
        "bargap": 0.28,
    }


def fill(category: str | Sequence[str | None]) -> dict[str, Any]:
    """Return a Plotly marker with the colour and pattern of a category, or of each bar's category in turn."""
    colours: Any
    shapes: Any
    if isinstance(category, str):
        colours, shapes = _bar_colour(category), theme.pattern(category)
    else:
        colours, shapes = [_bar_colour(each) for each in category], [theme.pattern(each) for each in category]
    pattern = {"shape": shapes, "fillmode": "overlay", "fgcolor": "rgba(255,255,255,0.7)", "size": 6, "solidity": 0.25}
    return {"color": colours, "line": {"width": 0}, "pattern": pattern}


def category_key(categories: Iterable[str], ink: Ink) -> str:
    """Return the legend of the colours and patterns in use, as HTML that wraps on a phone."""
    box = "display:inline-block;width:.75em;height:.75em;border-radius:2px;margin-right:.4em"
    stripes = ";background-image:repeating-linear-gradient(45deg,rgba(255,255,255,.7) 0 1.5px,transparent 1.5px 4px)"
    items = [
        "<span style='white-space:nowrap;margin-right:1.1em'>"
        f"<span style='{box};background-color:{theme.colour(category)}"
        f"{stripes if theme.pattern(category) else ''}'></span>{words.category(category)}</span>"
        for category in in_order(categories)
    ]
    return f"<div style='color:{ink.muted};font-size:.8125rem;line-height:1.6'>{''.join(items)}</div>"


def _ladder_label(row: dict[str, Any], largest: Decimal | None) -> str:
    amount = _amount(row, largest)
    if row["share"] is None:
        return amount
    return f"{amount}  <span style='opacity:.75'>{words.percent(row['share'])}</span>"


def _amount(row: dict[str, Any], largest: Decimal | None) -> str:
    if not row["total"] and row["amount_usd"] < 0:
        return f"+{words.usd(-row['amount_usd'], like=largest)}"
    show = words.usd if row["total"] else words.deduction
    return show(row["amount_usd"], like=largest)


def _place(figure: go.Figure, row: dict[str, Any], label: str, widest: float, ink: Ink) -> None:
    """Write the label where there is room at any width: in a long bar, left of a hanging one, else to the right."""
    left, right = row["left"], row["left"] + float(row["amount_usd"])
    inside = row["total"] and right > widest * 0.45
    before = not row["total"] and left > widest * 0.45
    figure.add_annotation(
        x=left if before else right,
        y=row["title"],
        text=label,
        xanchor="right" if inside or before else "left",
        xshift=-8 if inside or before else 8,
        showarrow=False,
        font={"color": "#FFFFFF" if inside else ink.text},
    )


def _connector(figure: go.Figure, at: float, upper: str, lower: str, ink: Ink) -> None:
    figure.add_scatter(
        x=[at, at], y=[upper, lower], mode="lines", line={"color": ink.line, "width": 1}, hoverinfo="skip"
    )


def in_order(categories: Iterable[str]) -> list[str]:
    """Return the categories as the statement lists them: what gave a result first, then the rest by rule."""
    order = list(theme.COLOUR)
    return sorted(categories, key=lambda category: order.index(category) if category in order else len(order))


def _bar_colour(line: str | None) -> str:
    if line in ("list", "contracted", "effective"):
        return theme.TOTAL
    return theme.SAVING if line in ("discount", "covered") else theme.colour(line)
