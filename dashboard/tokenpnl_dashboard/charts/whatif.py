"""Figures of the what-if lab: savings with their intervals, the way to the combined saving, what it hangs on."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import polars as pl

from tokenpnl_analytics.whatif.compose import COMBINED
from tokenpnl_analytics.whatif.result import Evidence, Result
from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import theme
from tokenpnl_dashboard.charts.budgets import CHEAPER, DEARER
from tokenpnl_dashboard.charts.pnl import STEP_HEIGHT, Chart, layout
from tokenpnl_dashboard.charts.theme import Ink
from tokenpnl_dashboard.shapes.whatif_words import EVIDENCE, signed_usd

Row = dict[str, Any]

_SYMBOL: dict[Evidence, str] = {
    Evidence.RECOMPUTED: "circle",
    Evidence.VERIFIED: "star",
    Evidence.ASSUMED: "circle-open",
    Evidence.ESTIMATED: "diamond",
    Evidence.BOUNDED: "line-ns-open",
    Evidence.NOT_IDENTIFIABLE: "x-thin-open",
}
_ROW_HEIGHT = 78
_MOST_LABELS = 8
_DOT, _WHISKER = theme.COLOUR["productive"], theme.COLOUR["fallback"]


def title(evidence: Evidence) -> str:
    """Return the word of a kind of evidence as people read it: `not identifiable`."""
    return evidence.value.replace("_", " ")


def named(result: Result) -> str:
    """Return what a result is called where people read it."""
    return "All of them together" if result.family == COMBINED else result.name


def savings(results: Sequence[Result], ink: Ink, *, per_month: float) -> Chart:
    """Return a dot with its interval for each scenario, in dollars a month; left of zero it loses.

    Args:
        results: in reading order.
        ink: the theme's inks.
        per_month: months per window that the results are about; amounts are multiplied by it.
    """
    rows = [_saving_row(result, per_month) for result in results]
    figure = go.Figure(layout=layout(ink, height=_ROW_HEIGHT * max(len(rows), 1) + 44))
    for row in rows:
        if row["low"] is not None and row["high"] is not None:
            figure.add_scatter(
                x=[row["low"], row["high"]],
                y=[row["name"]] * 2,
                mode="lines",
                line={"color": _WHISKER, "width": 6},
                hoverinfo="skip",
            )
        if row["saving"] is not None:
            figure.add_scatter(
                x=[row["saving"]],
                y=[row["name"]],
                mode="markers",
                marker={"size": 13, "symbol": _SYMBOL[row["evidence"]], "color": ink.text, "line": {"width": 2}},
                hovertext=f"{row['label']}<br>{EVIDENCE[row['evidence']]}",
                hovertemplate="<b>%{y}</b><br>%{hovertext}<extra></extra>",
            )
        _captions(figure, row, ink)
    figure.add_vline(x=0, line={"color": ink.muted, "width": 1})
    ends = [0.0, *(row[end] for row in rows for end in ("saving", "low", "high") if row[end] is not None)]
    figure.update_xaxes(range=_padded(ends, 0.04), tickformat="$,~g", nticks=5, gridcolor=ink.line, zeroline=False)
    _by_name(figure, [row["name"] for row in rows])
    said = "; ".join(f"{row['name']}: {row['label']}, {title(row['evidence'])}" for row in rows)
    table = pl.DataFrame(
        {
            "Scenario": [row["name"] for row in rows],
            "Saving a month": [words.usd(row["saving"]) for row in rows],
            "Interval": [words.interval(row["low"], row["high"]) for row in rows],
            "Evidence": [title(row["evidence"]) for row in rows],
            "Runs": [words.count(result.saving.n) for result in results],
            "Method": [result.saving.method for result in results],
        }
    )
    return Chart(figure, f"Saving of each scenario a month. {said}.", table)


def combined(steps: pl.DataFrame, ink: Ink) -> Chart:
    """Return the way from the present cost to the cost with all changes, one hanging bar a change.

    Args:
        steps: in reading order: `title`, `total` (stands on zero), `amount_usd` (Decimal; of a change its saving,
            negative where it costs).
        ink: the theme's inks.
    """
    rows = steps.to_dicts()
    figure = go.Figure(layout=layout(ink, height=STEP_HEIGHT * len(rows) + 16))
    level = 0.0
    like = max((abs(row["amount_usd"]) for row in rows), default=None)
    bars = []
    for row in rows:
        amount = float(row["amount_usd"])
        left, width = (0.0, amount) if row["total"] else (level - max(amount, 0.0), abs(amount))
        level = amount if row["total"] else level - amount
        bars.append((left, width))
    colours = [theme.TOTAL if row["total"] else CHEAPER if row["amount_usd"] >= 0 else DEARER for row in rows]
    labels = [
        words.usd(row["amount_usd"], like=like) if row["total"] else words.usd(-row["amount_usd"], like=like)
        for row in rows
    ]
    widest = max((left + width for left, width in bars), default=0.0) or 1.0
    figure.add_bar(
        orientation="h",
        y=[row["title"] for row in rows],
        x=[width for _, width in bars],
        base=[left for left, _ in bars],
        hovertext=labels,
        hovertemplate="<b>%{y}</b> %{hovertext}<extra></extra>",
        marker={"color": colours, "line": {"width": 0}},
    )
    for row, label, (left, width) in zip(rows, labels, bars, strict=True):
        inside = left + width > widest * 0.72
        figure.add_annotation(
            x=left if inside else left + width,
            y=row["title"],
            text=label,
            xanchor="right" if inside and left > widest * 0.2 else "left",
            xshift=-6 if inside and left > widest * 0.2 else 6,
            showarrow=False,
            font={"color": "#FFFFFF" if inside and left <= widest * 0.2 else ink.text},
        )
    figure.update_xaxes(range=[0, widest * 1.02], visible=False)
    figure.update_yaxes(autorange="reversed", tickfont={"color": ink.text}, automargin=True, ticklabelstandoff=6)
    said = "; ".join(f"{row['title']} {label}" for row, label in zip(rows, labels, strict=True))
    table = pl.DataFrame({"Step": [row["title"] for row in rows], "USD": labels})
    return Chart(figure, f"From the present cost to the cost with every change. {said}.", table)


def tornado(rows: Sequence[Row], ink: Ink) -> Chart:
    """Return how far each assumption moves the saving while the others stay, the widest first.

    Args:
        rows: `assumption`, `low`, `base`, `high`: saving in USD at the ends of its range and as assumed.
        ink: the theme's inks.
    """
    ordered = sorted(rows, key=lambda row: -abs(row["high"] - row["low"]))
    figure = go.Figure(layout=layout(ink, height=_ROW_HEIGHT * max(len(ordered), 1) + 44))
    names = [row["assumption"] for row in ordered]
    for row in ordered:
        low, high = sorted((row["low"], row["high"]))
        figure.add_bar(
            orientation="h",
            y=[row["assumption"]],
            x=[high - low],
            base=[low],
            width=0.32,
            marker={"color": _WHISKER, "line": {"width": 0}},
            hovertext=f"{signed_usd(low)} to {signed_usd(high)}",
            hovertemplate="<b>%{y}</b> %{hovertext}<extra></extra>",
        )
        _captions(figure, {"name": row["assumption"], "label": f"{signed_usd(low)} to {signed_usd(high)}"}, ink)
    figure.add_scatter(
        x=[row["base"] for row in ordered],
        y=names,
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 22, "color": ink.text, "line": {"width": 2}},
        hoverinfo="skip",
    )
    figure.update_xaxes(tickformat="$,~g", nticks=5, gridcolor=ink.line, zeroline=False)
    _by_name(figure, names)
    said = "; ".join(f"{row['assumption']}: {signed_usd(row['low'])} to {signed_usd(row['high'])}" for row in ordered)
    table = pl.DataFrame(
        {
            "Assumption": names,
            "Saving at its low end": [words.usd(row["low"]) for row in ordered],
            "As assumed": [words.usd(row["base"]) for row in ordered],
            "At its high end": [words.usd(row["high"]) for row in ordered],
        }
    )
    return Chart(figure, f"How far each assumption moves the saving. {said}.", table)


def frontier(points: Sequence[Row], ink: Ink) -> Chart:
    """Return cost against success for each choice; what is both dearer and worse than another lies off the line.

    Args:
        points: `name`, `usd` (cost of a run, float), `success` (share, 0 to 1; None: not known), `on_frontier`, `note`.
        ink: the theme's inks.
    """
    known = [point for point in points if point["success"] is not None and point["usd"] is not None]
    line = sorted((point for point in known if point["on_frontier"]), key=lambda point: point["usd"])
    figure = go.Figure(layout=layout(ink, height=340))
    figure.add_scatter(
        x=[point["usd"] for point in line],
        y=[point["success"] for point in line],
        mode="lines",
        line={"color": _WHISKER, "width": 2, "shape": "hv"},
        hoverinfo="skip",
    )
    for place, point in enumerate(sorted(known, key=lambda point: point["usd"])):
        figure.add_scatter(
            x=[point["usd"]],
            y=[point["success"]],
            mode="markers+text" if len(known) <= _MOST_LABELS else "markers",
            text=[point["name"].replace("<", "&lt;")],
            # Neighbours are often close: their names stand on either side.
            textposition="top center" if place % 2 else "bottom center",
            textfont={"color": ink.text},
            marker={
                "size": 11,
                "symbol": "circle" if point["on_frontier"] else "circle-open",
                "color": _DOT,
                "line": {"width": 2},
            },
            hovertext=[point["note"]],
            hovertemplate=f"<b>{point['name']}</b><br>$%{{x:,.4~g}}, %{{y:.1%}}<br>%{{hovertext}}<extra></extra>",
        )
    across = _padded([point["usd"] for point in known], 0.25)
    up = _padded([point["success"] for point in known], 0.2, most=1.0)
    figure.update_xaxes(
        range=across, tickformat="$,~g", nticks=6, gridcolor=ink.line, zeroline=False, title="Cost of a run"
    )
    figure.update_yaxes(range=up, tickformat=".0%", nticks=5, gridcolor=ink.line, zeroline=False, automargin=True)
    figure.update_layout(margin={"b": 48})
    said = "; ".join(
        f"{point['name']}: {words.usd(point['usd'])}, {words.percent(point['success'])}" for point in known
    )
    table = pl.DataFrame(
        {
            "Choice": [point["name"] for point in points],
            "Cost of a run": [words.usd(point["usd"]) for point in points],
            "Success": [words.percent(point["success"]) for point in points],
            "On the frontier": ["yes" if point["on_frontier"] else "no" for point in points],
            "Note": [point["note"] for point in points],
        }
    )
    return Chart(figure, f"Cost against success. {said}.", table)


def miss_ratio(curve: pl.DataFrame, ink: Ink, *, unit: str) -> Chart:
    """Return the share of tokens that a cache of each size would still miss.

    Args:
        curve: `capacity` (above 0), `miss_ratio` (0 to 1); at most a few hundred rows.
        ink: the theme's inks.
        unit: what the capacity counts, in the plural.
    """
    figure = go.Figure(layout=layout(ink, height=320))
    figure.add_scatter(
        x=curve["capacity"].to_list(),
        y=curve["miss_ratio"].to_list(),
        mode="lines",
        line={"color": _DOT, "width": 3, "shape": "hv"},
        hovertemplate=f"%{{x:,.3~s}} {unit}: %{{y:.1%}} missed<extra></extra>",
    )
    figure.update_xaxes(type="log", tickformat="~s", gridcolor=ink.line, zeroline=False, title=f"Capacity, {unit}")
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%", nticks=6, gridcolor=ink.line, zeroline=False)
    figure.update_layout(xaxis_automargin=True, yaxis_automargin=True)
    ends = curve.select("capacity", "miss_ratio").rows()
    said = (
        f"from {ends[0][1]:.0%} at {ends[0][0]:,} {unit} to {ends[-1][1]:.0%} at {ends[-1][0]:,}" if ends else "empty"
    )
    table = curve.select(
        pl.col("capacity").alias(f"Capacity, {unit}"),
        pl.Series("Missed", [words.percent(value) for value in curve["miss_ratio"]]),
    )
    return Chart(figure, f"Miss ratio by capacity: {said}.", table)


def _padded(values: Sequence[float], share: float, most: float = float("inf")) -> list[float]:
    """Return a range with room for names around the marks, up to `most`."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = ((high - low) or abs(high) or 1.0) * share
    return [low - room, min(high + room, max(most, high))]


def _saving_row(result: Result, per_month: float) -> Row:
    saving = result.saving
    monthly = [None if value is None else value * per_month for value in (saving.value, saving.low, saving.high)]
    if monthly[0] is None:
        label = "no figure" if monthly[1] is None else f"between {signed_usd(monthly[1])} and {_end(monthly[2])}"
    else:
        label = f"<b>{signed_usd(monthly[0])}</b> a month"
        if monthly[1] is not None and monthly[2] is not None:
            label += f"  ({signed_usd(monthly[1])} to {signed_usd(monthly[2])})"
    return {
        "name": named(result),
        "evidence": result.evidence,
        **dict(zip(("saving", "low", "high"), monthly, strict=True)),
        "label": label,
    }


def _end(value: float | None) -> str:
    return "no upper bound" if value is None else signed_usd(value)


def _captions(figure: go.Figure, row: Row, ink: Ink) -> None:
    """Write the name and the figure above the mark, one below the other: a phone has no room for both in a line."""
    evidence = f"  <span style='opacity:.75'>{title(row['evidence'])}</span>" if "evidence" in row else ""
    for up, text in ((36, row["name"].replace("<", "&lt;") + evidence), (19, row["label"])):
        figure.add_annotation(
            x=0,
            xref="paper",
            xanchor="left",
            y=row["name"],
            yshift=up,
            text=text,
            showarrow=False,
            font={"color": ink.text, "size": 12},
            bgcolor=ink.ground,
        )


def _by_name(figure: go.Figure, names: Sequence[str]) -> None:
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=list(reversed(names)),
        range=[-0.35, len(names) - 0.3],
        showticklabels=False,
        showgrid=False,
    )
