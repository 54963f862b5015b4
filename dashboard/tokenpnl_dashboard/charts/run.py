"""The span waterfall of one run: what happened when, what it cost and what for."""

from typing import Any

import plotly.graph_objects as go
import polars as pl

from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts.pnl import Chart, fill, layout
from tokenpnl_dashboard.charts.theme import Ink

ROW_HEIGHT = 26
MINUTES_FROM_MS = 180_000
LABEL_WIDTH = 168
LABEL_LENGTH = 26


def span_waterfall(spans: pl.DataFrame, ink: Ink, *, selected: str | None = None) -> Chart:
    """Return one bar a span on the run's clock, coloured by cost category.

    Args:
        spans: in reading order: `span_id`, `label` (indented), `offset_ms`, `duration_ms` (null: never ended),
            `cost_usd` (null: nothing to pay or unpriced), `cost_category` (null: no cost of its own), `note`.
        ink: the theme's inks.
        selected: span to outline.
    """
    rows = spans.to_dicts()
    longest = max((row["offset_ms"] + (row["duration_ms"] or 0.0) for row in rows), default=0.0) or 1.0
    unit, unit_ms = ("min", 60_000) if longest > MINUTES_FROM_MS else ("s", 1000)
    # A span that took no time, or never ended, still needs a mark that can be clicked.
    lengths = [max(row["duration_ms"] or 0.0, longest / 250) for row in rows]
    marker = fill([row["cost_category"] for row in rows])
    marker["line"] = {"color": ink.text, "width": [2 if row["span_id"] == selected else 0 for row in rows]}
    figure = go.Figure(layout=layout(ink, height=ROW_HEIGHT * len(rows) + 44))
    figure.update_layout(margin={"l": LABEL_WIDTH, "t": 30}, bargap=0.3)
    figure.add_bar(
        orientation="h",
        y=list(range(len(rows))),
        base=[row["offset_ms"] / unit_ms for row in rows],
        x=[length / unit_ms for length in lengths],
        customdata=[row["span_id"] for row in rows],
        hovertext=[_hover(row) for row in rows],
        hovertemplate="%{hovertext}<extra></extra>",
        marker=marker,
    )
    font = {"color": ink.text, "size": 12}
    for number, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        figure.add_annotation(y=number, font=font, showarrow=False, **_label(row))
        if _bar_text(row):
            figure.add_annotation(y=number, font=font, showarrow=False, **_beside(row, length, longest, unit_ms))
    figure.update_xaxes(
        range=[0, longest * 1.02 / unit_ms],
        ticksuffix=f" {unit}",
        side="top",
        nticks=6,
        gridcolor=ink.line,
        zeroline=False,
    )
    figure.update_yaxes(range=[len(rows) - 0.5, -0.5], showticklabels=False, showgrid=False, zeroline=False)
    dear = "; ".join(_hover(row) for row in rows if row["cost_usd"])
    return Chart(figure, f"{words.counted(len(rows), 'span')} over {words.duration(longest)}. {dear}", _table(rows))


def _label(row: dict[str, Any]) -> dict[str, Any]:
    # Tick labels are right aligned; a tree is read by its left edge.
    place = {"x": 0, "xref": "paper", "xshift": -LABEL_WIDTH, "xanchor": "left"}
    return {**place, "text": _short(row["label"]), "hovertext": row["label"].strip()}


def _beside(row: dict[str, Any], length_ms: float, longest_ms: float, unit_ms: int) -> dict[str, Any]:
    """Return where a bar's text stands: right of the bar, or left of it where the right has no room."""
    end_ms = row["offset_ms"] + (row["duration_ms"] or 0.0)
    if end_ms / longest_ms > 0.72:
        return {"x": row["offset_ms"] / unit_ms, "xanchor": "right", "xshift": -5, "text": _bar_text(row)}
    return {"x": (row["offset_ms"] + length_ms) / unit_ms, "xanchor": "left", "xshift": 5, "text": _bar_text(row)}


def _table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "Span": [row["label"].strip() for row in rows],
            "Start": [words.duration(row["offset_ms"]) for row in rows],
            "Duration": [words.duration(row["duration_ms"]) for row in rows],
            "Cost": [words.usd(row["cost_usd"]) for row in rows],
            "Category": [words.category(row["cost_category"]) for row in rows],
            "Note": [row["note"] or "" for row in rows],
        }
    )


def _bar_text(row: dict[str, Any]) -> str:
    parts = [words.usd(row["cost_usd"])] if row["cost_usd"] is not None else []
    return " · ".join([*parts, *([row["note"]] if row["note"] else [])])


def _hover(row: dict[str, Any]) -> str:
    parts = [row["label"].strip(), words.duration(row["duration_ms"])]
    if row["cost_usd"] is not None:
        parts.append(f"{words.usd(row['cost_usd'])} {words.category(row['cost_category']).lower()}")
    return ", ".join([*parts, *([row["note"]] if row["note"] else [])])


def _short(label: str) -> str:
    text = label if len(label) <= LABEL_LENGTH else label[: LABEL_LENGTH - 1] + "…"
    # Plotly reads tags in text; a span's name is data.
    return text.replace("<", "&lt;")
