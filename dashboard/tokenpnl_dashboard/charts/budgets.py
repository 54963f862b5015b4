"""Figures of budgets: what is gone and where it ends, and why the cost moved."""

from datetime import date
from typing import Any

import plotly.graph_objects as go
import polars as pl

from tokenpnl_analytics.planning.budgets import Burn
from tokenpnl_analytics.planning.variance import BARS
from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import theme
from tokenpnl_dashboard.charts.pnl import STEP_HEIGHT, Chart, layout
from tokenpnl_dashboard.charts.theme import Ink

DEARER, CHEAPER = "#C8571B", theme.SAVING
SPENT, AHEAD, FAN = "#0A66B7", "#56A9DE", "rgba(86,169,222,0.28)"
BAR_TITLE = {
    "volume_usd": "Volume",
    "mix_usd": "Mix",
    "rate_usd": "Rate",
    "waste_usd": "Waste",
    "new_usd": "New workflows",
    "ended_usd": "Ended workflows",
}
BAR_MEANING = {
    "volume_usd": "calls, and tokens per call",
    "mix_usd": "share of each model in its workflow's calls",
    "rate_usd": "dollars per token; caches and tiers included",
    "waste_usd": "share without direct result",
    "new_usd": "nothing in the period before",
    "ended_usd": "nothing in this period",
}
_GROUND = {"x": 0.01, "xref": "paper", "xanchor": "left", "showarrow": False}


def burn_up(burn: Burn, ink: Ink) -> Chart:
    """Return what was spent day by day and what is to come with its P10-P90 fan, against the amount."""
    figure = go.Figure(layout=layout(ink, height=320))
    spent = burn.spent_by_day
    before = float(burn.spent_usd)
    figure.add_scatter(
        x=spent["day"].to_list(),
        y=spent["spent_usd"].cast(pl.Float64).to_list(),
        mode="lines",
        line={"color": SPENT, "width": 3},
        hovertemplate="%{x|%-d %b}: $%{y:,.2f} spent<extra></extra>",
    )
    if burn.ahead is not None and burn.ahead.days.height:
        _fan(figure, burn.ahead.days, before, spent["day"][-1] if spent.height else burn.span.first_day)
    amount = float(burn.budget.amount_usd)
    # The amount is labelled on the left: on the right the lines end.
    figure.add_hline(y=amount, line={"color": ink.text, "width": 1.5, "dash": "dash"})
    figure.add_annotation(
        **_GROUND,
        y=amount,
        yanchor="bottom",
        text=f"Budget {words.usd(burn.budget.amount_usd)}",
        font={"color": ink.text},
    )
    figure.update_xaxes(
        range=[burn.span.first_day, burn.span.last_day],
        tickformat="%-d %b",
        nticks=6,
        showgrid=False,
        ticklabelstandoff=8,
    )
    top = max(amount, before, burn.end[2] if burn.end else 0.0)
    figure.update_yaxes(
        range=[0, top * 1.12], tickformat="$,~g", nticks=5, gridcolor=ink.line, zeroline=False, automargin=True
    )
    return Chart(figure, _said(burn), _days(burn))


def bridge(total: dict[str, Any], ink: Ink) -> Chart:
    """Return the way from the cost before to the cost now, as bars that hang from each other and end in the change.

    Args:
        total: one row of `variance.whole`.
        ink: the theme's inks.
    """
    rows = [(BAR_TITLE[name], total[name], BAR_MEANING[name]) for name in BARS if total[name]]
    titles = [title for title, _, _ in rows] + ["Change"]
    amounts = [float(amount) for _, amount, _ in rows]
    lefts = [sum(amounts[:place]) for place in range(len(amounts))] + [0.0]
    amounts.append(float(total["change_usd"]))
    like = max((abs(amount) for _, amount, _ in rows), default=None)
    labels = [signed(amount, like) for _, amount, _ in rows] + [signed(total["change_usd"], like)]
    meanings = [meaning for _, _, meaning in rows] + ["all of them"]
    figure = go.Figure(layout=layout(ink, height=STEP_HEIGHT * len(titles) + 16))
    colours = [DEARER if amount > 0 else CHEAPER for amount in amounts[:-1]] + [theme.TOTAL]
    shapes = ["/" if amount > 0 else "" for amount in amounts[:-1]] + [""]
    figure.add_bar(
        orientation="h",
        y=titles,
        x=amounts,
        base=lefts,
        text=labels,
        textposition="none",
        hovertext=meanings,
        hovertemplate="<b>%{y}</b> %{text}<br>%{hovertext}<extra></extra>",
        marker={
            "color": colours,
            "line": {"width": 0},
            "pattern": {"shape": shapes, "fillmode": "overlay", "fgcolor": "rgba(255,255,255,0.7)", "size": 6},
        },
    )
    ends = [(min(left, left + amount), max(left, left + amount)) for left, amount in zip(lefts, amounts, strict=True)]
    low, high = min((end[0] for end in ends), default=0.0), max((end[1] for end in ends), default=0.0)
    width = (high - low) or 1.0
    for title, label, (left, right) in zip(titles, labels, ends, strict=True):
        _label(figure, title, label, (left, right), high - width * 0.3, ink)
    figure.add_vline(x=0, line={"color": ink.line, "width": 1})
    figure.update_xaxes(range=[low - width * 0.03, high + width * 0.4], visible=False)
    figure.update_yaxes(autorange="reversed", tickfont={"color": ink.text}, automargin=True, ticklabelstandoff=6)
    said = "; ".join(f"{title} {label}" for title, label in zip(titles, labels, strict=True))
    table = pl.DataFrame({"Reason": titles, "USD": labels, "Meaning": meanings})
    return Chart(figure, f"Why the cost moved: {said}.", table)


def signed(amount: Any, like: Any = None) -> str:
    """Return a change of money: `+$5.58`, `($2.84)`, `$0`."""
    return ("+" if amount > 0 else "") + words.usd(amount, like=like)


def _label(figure: go.Figure, title: str, label: str, ends: tuple[float, float], far: float, ink: Ink) -> None:
    """Write the amount beside its bar, on the side that has room."""
    before = ends[1] > far and ends[0] > 0
    figure.add_annotation(
        x=ends[0] if before else ends[1],
        y=title,
        text=label,
        xanchor="right" if before else "left",
        xshift=-8 if before else 8,
        showarrow=False,
        font={"color": ink.text},
    )


def _fan(figure: go.Figure, days: pl.DataFrame, spent: float, joined_at: date) -> None:
    at = [joined_at, *days["day"]]
    for column, more in (("high", {}), ("low", {"fill": "tonexty", "fillcolor": FAN})):
        figure.add_scatter(
            x=at, y=[spent, *(days[column] + spent)], mode="lines", line={"width": 0}, hoverinfo="skip", **more
        )
    figure.add_scatter(
        x=at,
        y=[spent, *(days["cumulative_usd"] + spent)],
        mode="lines",
        line={"color": AHEAD, "width": 2.5, "dash": "dot"},
        hovertemplate="%{x|%-d %b}: $%{y:,.2f} forecast<extra></extra>",
    )


def _said(burn: Burn) -> str:
    parts = [f"{words.usd(burn.spent_usd)} of {words.usd(burn.budget.amount_usd)} spent in {burn.span.label}"]
    if burn.end is not None and burn.ahead is not None:
        estimate, low, high = burn.end
        parts.append(f"{words.usd(estimate)} forecast at its end, P10-P90 {words.between(low, high)}")
    elif burn.ahead is not None:
        parts.append(burn.ahead.refused_because)
    return f"Budget {burn.budget.name}: {'; '.join(parts)}."


def _days(burn: Burn) -> pl.DataFrame:
    spent = float(burn.spent_usd)
    ahead = burn.ahead.days if burn.ahead else None
    rows = [(day, words.usd(usd), "", "") for day, usd in burn.spent_by_day.iter_rows()]
    if ahead is not None:
        rows += [
            (day, "", words.usd(usd + spent), words.between(low + spent, high + spent))
            for day, usd, low, high in ahead.select("day", "cumulative_usd", "low", "high").iter_rows()
        ]
    schema = {"Day": pl.Date, "Spent": pl.String, "Forecast": pl.String, "P10 to P90": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")
