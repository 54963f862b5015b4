"""The span waterfall of one run: what happened when, what it cost and what for."""

from typing import Any

import plotly.graph_objects as go
import polars as pl

from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts import Chart, fill, layout
from tokenpnl_dashboard.theme import Ink

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
    marker = fill([row["cost_category"] for row in rows])
    marker["line"] = {
        "color": ink.text,
        "width": [2 if row["span_id"] == selected else 0 for row in rows],
    }
    figure = go.Figure(layout=layout(ink, height=ROW_HEIGHT * len(rows) + 44))
    figure.update_layout(margin={"l": LABEL_WIDTH, "t": 30})
    figure.add_bar(
        orientation="h",
        y=list(range(len(rows))),
        base=[row["offset_ms"] / unit_ms for row in rows],
        # A span that took no time, or never ended, still needs a mark that can be clicked.
        x=[max(row["duration_ms"] or 0.0, longest / 250) / unit_ms for row in rows],
        customdata=[row["span_id"] for row in rows],
        hovertext=[_hover(row) for row in rows],
        hovertemplate="%{hovertext}<extra></extra>",
        marker=marker,
    )
    for number, row in enumerate(rows):
        # Tick labels are right aligned; a tree is read by its left edge.
        figure.add_annotation(
            x=0,
            xref="paper",
            xshift=-LABEL_WIDTH,
            y=number,
            text=_short(row["label"]),
            hovertext=row["label"].strip(),
            xanchor="left",
            showarrow=False,
            font={"color": ink.text, "size": 12},
        )
        text = _bar_text(row)
        right = (row["offset_ms"] + (row["duration_ms"] or 0.0)) / longest > 0.72
        if text:
            figure.add_annotation(
                y=number,
                x=(row["offset_ms"] if right else row["offset_ms"] + max(row["duration_ms"] or 0.0, longest / 250))
                / unit_ms,
                text=text,
                xanchor="right" if right else "left",
                xshift=-5 if right else 5,
                showarrow=False,
                font={"color": ink.text, "size": 12},
            )
    figure.update_xaxes(
        range=[0, longest * 1.02 / unit_ms],
        ticksuffix=f" {unit}",
        side="top",
        nticks=6,
        gridcolor=ink.line,
        zeroline=False,
    )
    figure.update_yaxes(range=[len(rows) - 0.5, -0.5], showticklabels=False, showgrid=False, zeroline=False)
    figure.update_layout(bargap=0.3)
    alt = f"{words.counted(len(rows), 'span')} over {words.duration(longest)}. " + "; ".join(
        _hover(row) for row in rows if row["cost_usd"]
    )
    table = pl.DataFrame(
        {
            "Span": [row["label"].strip() for row in rows],
            "Start": [words.duration(row["offset_ms"]) for row in rows],
            "Duration": [words.duration(row["duration_ms"]) for row in rows],
            "Cost": [words.usd(row["cost_usd"]) for row in rows],
            "Category": [words.category(row["cost_category"]) for row in rows],
            "Note": [row["note"] or "" for row in rows],
        }
    )
    return Chart(figure, alt, table)


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
