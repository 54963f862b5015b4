"""Figures of how cost is spread: over customers, and over runs."""

from typing import Any

import plotly.graph_objects as go
import polars as pl

from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import theme
from tokenpnl_dashboard.charts.pnl import Chart, layout
from tokenpnl_dashboard.charts.theme import Ink

Row = dict[str, Any]
NOBODY = "(none)"
_MOST, _FEW_MARKS = 12, 40
_COST, _SUCCESS = theme.COLOUR["timeout"], theme.COLOUR["productive"]


def pareto(owners: pl.DataFrame, name: str, ink: Ink) -> Chart:
    """Return the running share of cost and of successes over owners, the dearest first.

    Args:
        owners: result of `concentration`.
        name: its column of owners.
        ink: the theme's inks.
    """
    rows = owners.to_dicts()
    figure = go.Figure(layout=layout(ink, height=300))
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": ink.line, "dash": "dot"}, hoverinfo="skip")
    for column, colour, dash in (("success_share", _SUCCESS, "dash"), ("cost_share", _COST, "solid")):
        figure.add_scatter(
            x=[0, *(row["owner_share"] for row in rows)],
            y=[0, *(row[column] for row in rows)],
            customdata=[None, *(row[name] or NOBODY for row in rows)],
            hovertext=["", *(_owner(row, name) for row in rows)],
            hovertemplate="%{hovertext}<extra></extra>",
            mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 2},
            marker={"size": 6 if len(rows) <= _FEW_MARKS else 3},
        )
    figure.update_xaxes(
        range=[0, 1.02], tickformat=".0%", title_text="share of customers, dearest first", gridcolor=ink.line
    )
    figure.update_yaxes(range=[0, 1.05], tickformat=".0%", gridcolor=ink.line, automargin=True)
    figure.update_layout(margin={"b": 44})
    table = pl.DataFrame(
        {
            "Customer": [row[name] or NOBODY for row in rows],
            "Cost": [words.usd(row["cost_usd"]) for row in rows],
            "Runs": [words.count(row["n_runs"]) for row in rows],
            "Successes": [words.count(row["successes"]) for row in rows],
            "Running share of cost": [words.percent(row["cost_share"]) for row in rows],
            "Running share of successes": [words.percent(row["success_share"]) for row in rows],
        }
    )
    return Chart(figure, _pareto_alt(rows, name), table)


def pareto_key() -> str:
    """Return the key of the two curves, as HTML."""
    line = "display:inline-block;width:1.4em;margin-right:.4em;vertical-align:middle;border-top:2px"
    parts = (("cost", f"solid {_COST}"), ("successes", f"dashed {_SUCCESS}"))
    return " ".join(
        f"<span style='margin-right:1em'><span style='{line} {style}'></span>{name}</span>" for name, style in parts
    )


def run_costs(bins: pl.DataFrame, ink: Ink) -> Chart:
    """Return how many runs cost how much, on a logarithmic axis, successes apart from the rest.

    Args:
        bins: result of `cost_histogram`.
        ink: the theme's inks.
    """
    figure = go.Figure(layout=layout(ink, height=300))
    for succeeded, colour, pattern in ((True, _SUCCESS, ""), (False, theme.NO_COST, "/")):
        rows = bins.filter(pl.col("succeeded") == succeeded).to_dicts()
        figure.add_bar(
            x=[_label(row) for row in rows],
            y=[row["n_runs"] for row in rows],
            marker={"color": colour, "pattern": {"shape": pattern, "fgcolor": ink.muted, "size": 5}},
            hovertext=[f"{words.counted(row['n_runs'], 'run')}, {_between(row)}, {_ended(row)}" for row in rows],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    labels = [_label(row) for row in bins.unique("low_usd", keep="first").sort("low_usd").iter_rows(named=True)]
    figure.update_layout(barmode="stack", bargap=0.06, margin={"b": 44})
    figure.update_xaxes(
        type="category", categoryorder="array", categoryarray=labels, title_text="cost of the run, from", nticks=8
    )
    figure.update_yaxes(gridcolor=ink.line, title_text="runs", automargin=True)
    rows = bins.to_dicts()
    table = pl.DataFrame(
        {
            "Cost": [_between(row) for row in rows],
            "Outcome": [_ended(row) for row in rows],
            "Runs": [words.count(row["n_runs"]) for row in rows],
        }
    )
    largest = max(rows, key=lambda row: int(row["n_runs"]), default=None)
    most = f" Most often {_between(largest)}." if largest else ""
    return Chart(figure, f"Runs by their cost, on a logarithmic axis.{most}", table)


def run_costs_key(ink: Ink) -> str:
    """Return the key of the two kinds of bars, as HTML."""
    box = "display:inline-block;width:.75em;height:.75em;border-radius:2px;margin-right:.4em"
    stripes = f"repeating-linear-gradient(45deg,{theme.NO_COST} 0 3px,{ink.muted} 3px 4px)"
    parts = (("success", _SUCCESS), ("no success", stripes))
    return " ".join(
        f"<span style='margin-right:1em'><span style='{box};background:{style}'></span>{name}</span>"
        for name, style in parts
    )


def _owner(row: Row, name: str) -> str:
    owner = str(row[name] or NOBODY).replace("<", "&lt;")
    return f"{owner}: {words.usd(row['cost_usd'])}, {words.counted(row['successes'], 'success', 'successes')}"


def _pareto_alt(rows: list[Row], name: str) -> str:
    if not rows:
        return "Customers by cost: none."
    first = "; ".join(_owner(row, name) for row in rows[:_MOST])
    return f"Running share of cost and successes over {words.counted(len(rows), 'customer')}. Dearest first: {first}."


def _label(row: Row) -> str:
    return words.usd(row["low_usd"])


def _between(row: Row) -> str:
    return words.between(row["low_usd"], row["high_usd"])


def _ended(row: Row) -> str:
    return "success" if row["succeeded"] else "no success"
