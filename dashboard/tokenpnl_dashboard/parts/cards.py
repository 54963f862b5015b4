"""The pieces that pages share: a titled figure with its table and its way to the runs, and the states of a page."""

import math
from collections.abc import Callable
from typing import Any, Literal, cast

import polars as pl
import streamlit as st

from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts.pnl import Chart
from tokenpnl_dashboard.parts.filters import widen
from tokenpnl_dashboard.questions.pnl import synthetic
from tokenpnl_dashboard.state import edition

Address = dict[str, str | list[str]]
_RANGE, _LONG, _LINE, _WIDE = 18, 62, 40, 250
"""Characters of a range of figures, of text too long for a line, of one line of it; its column's width in pixels."""
_ROW, _TEXT, _LETTER, _MOST_LINES = 72, 18, 7, 5
"""Pixels of the lowest row in which a table cuts text over lines, of a line, of a letter; the most lines of a row."""
_FIGURE = (
    r"^(?:≥ |at least )?[(<×+-]?\$?\d[\d,.]*[kM%)]*(?: (?:to|ms|s|min|h|days|hours|minutes|of cost)\b.*| \([\d<].*)?$"
)


def card(
    title: str,
    chart: Chart,
    *,
    key: str,
    caption: str = "",
    legend: str = "",
    leads_to: Callable[[Any], Address] | None = None,
) -> None:
    """Draw a titled figure whose marks lead to the runs behind them, or its numbers as a table.

    Args:
        title: heading of level two.
        chart: what to draw.
        key: unique on the page.
        caption: how to read it, in one line.
        legend: HTML of the key, where colours need one.
        leads_to: from a mark's `customdata` to the address of the runs behind it.
    """
    picked = pick(title, chart, key=key, caption=caption, legend=legend, clickable=leads_to is not None)
    if picked is not None and leads_to is not None:
        st.switch_page("views/runs.py", query_params=leads_to(picked))


def pick(
    title: str, chart: Chart, *, key: str, caption: str = "", legend: str = "", clickable: bool = True
) -> Any | None:
    """Draw a titled figure, or its numbers as a table, and return the `customdata` of the mark that was clicked."""
    with st.container(border=True, key=f"card_{key}"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.header(title, anchor=False, width="content")
            as_table = st.toggle("View as table", key=f"{key}_as_table", width="content")
        if caption:
            st.caption(caption)
        if as_table:
            table(chart.table, alt=chart.alt)
            return None
        if legend:
            st.html(legend)
        event = st.plotly_chart(
            chart.figure,
            theme=None,
            key=key,
            config={"displayModeBar": False},
            on_select="rerun" if clickable else "ignore",
            selection_mode="points",
            alt=chart.alt,
        )
        points = cast(Any, event)["selection"]["points"] if clickable else []
        return points[0].get("customdata") if points else None


def tile(label: str, value: str, *, leads_to: tuple[str, str, Address], caption: str = "", **metric: Any) -> None:
    """Draw one figure of the page's top row with what it rests on and the way to what is behind it.

    Args:
        label: what it is.
        value: the figure in words.
        leads_to: text, page and address of the link.
        caption: what it rests on.
        metric: options of `st.metric`.
    """
    with st.container(border=True, height="stretch", vertical_alignment="distribute"):
        with st.container(gap="xsmall"):
            st.metric(label, value, **metric)
            if caption:
                st.caption(words.markdown(caption))
        name, page, address = leads_to
        st.page_link(page, label=name, query_params=address, icon=":material/arrow_forward:", icon_position="right")


def heading(title: str) -> None:
    """Draw the title of a card without the room that a heading takes in running text."""
    with st.container(horizontal=True):
        st.header(title, anchor=False, width="content")


def chip(*parts: str, priced_share: float | None = None) -> None:
    """Draw the line that says how fresh and how complete the figures are.

    Args:
        parts: what else to say: basis, coverage.
        priced_share: of the usage lines; below 1 every sum of dollars is a floor, and the line says so.
    """
    shown = edition()
    badge, icon = "Live", ":material/sensors:"
    colour: Literal["green", "orange", "red"] = "green"
    if shown.stale:
        badge, colour, icon = "Newest data older than 48 h: periods count from them", "orange", ":material/history:"
    if shown.unreachable:
        badge, colour, icon = "Collector not reachable: last good figures", "red", ":material/cloud_off:"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(badge, color=colour, icon=icon)
        if shown.batches_behind:
            st.badge(words.unfinished(shown.batches_behind), color="orange", icon=":material/hourglass_top:")
        if synthetic():
            st.badge("Synthetic sample data", color="violet", icon=":material/science:")
        if priced_share is not None and priced_share < 1:
            missing = words.percent(1 - priced_share)
            st.badge(
                f"{missing} of usage lines unpriced: dollars are a floor", color="orange", icon=":material/warning:"
            )
        text = " · ".join((f"Data to {words.moment(shown.newest_at)}", *parts))
        st.caption(words.markdown(text), width="content")


def table(frame: pl.DataFrame, *, alt: str) -> None:
    """Draw a short table of words and numbers; where a sentence is too long for its column, rows are as high as it."""
    longest = _longest(frame)
    lines = min(math.ceil(max(longest.values(), default=1) / _LINE), _MOST_LINES)
    wide = {name: st.column_config.Column(name, width=_WIDE) for name, length in longest.items() if length > _LONG}
    height: Literal["content"] | int = (
        "content" if frame.height * (lines if wide else 5) <= 75 else 640 if wide else 420
    )
    st.dataframe(
        frame,
        hide_index=True,
        alt=alt,
        height=height,
        row_height=max(_ROW, _TEXT * (lines + 1)) if wide else None,
        column_config=right_of(frame) | wide,
    )


def _longest(frame: pl.DataFrame) -> dict[str, int]:
    """Return the length of the longest text of each column of text."""
    texts = frame.select(pl.col(pl.String).str.len_chars().max().fill_null(0))
    return {name: int(texts[name][0]) for name in texts.columns} if frame.height else {}


def right_of(frame: pl.DataFrame) -> dict[str, Any]:
    """Return the column settings that set figures to the right, also those that are text: `$1.21`, `8.0 days`."""
    figures = [name for name in frame.columns if frame[name].dtype.is_numeric() or _tells_figures(frame[name])]
    # A table measures its first rows only, so a longer range further down would be cut at its beginning.
    ranges = {name: _LETTER * length for name, length in _longest(frame).items() if length >= _RANGE}
    return {name: st.column_config.Column(name, alignment="right", width=ranges.get(name)) for name in figures}


def _tells_figures(column: pl.Series) -> bool:
    if column.dtype != pl.String:
        return False
    told = column.drop_nulls()
    known = told.filter((told != words.UNKNOWN) & (told != ""))
    return len(known) > 0 and bool(known.str.contains(_FIGURE).all())


def nothing_yet() -> None:
    """Draw the page of a store without data: why, and the one thing to do."""
    with st.container(border=True):
        st.header("No spans yet", anchor=False)
        st.markdown(
            "Point any OpenTelemetry exporter at this machine and the first run appears here within seconds:\n\n"
            "```text\nexport OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318\n```\n\n"
            "Or run `tokenpnl demo` to look around with synthetic data."
        )


def nothing_here(title: str, reason: str) -> None:
    """Draw the state of a window without data, with one action: all time, no filters."""
    with st.container(border=True):
        st.header(title, anchor=False)
        st.markdown(reason)
        st.button("Show all time without filters", icon=":material/zoom_out_map:", on_click=widen)
