"""The pieces that pages share: a titled figure with its table and its way to the runs, and the states of a page."""

from collections.abc import Callable
from typing import Any

import polars as pl
import streamlit as st

from tokenpnl_dashboard.charts import Chart

Address = dict[str, str | list[str]]


def card(
    title: str, chart: Chart, *, key: str, caption: str = "", leads_to: Callable[[Any], Address] | None = None
) -> None:
    """Draw a titled figure whose marks lead to the runs behind them, or its numbers as a table.

    Args:
        title: heading of level two.
        chart: what to draw.
        key: unique on the page.
        caption: how to read it, in one line.
        leads_to: from a mark's `customdata` to the address of the runs behind it.
    """
    picked = pick(title, chart, key=key, caption=caption, clickable=leads_to is not None)
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
        points = event["selection"]["points"] if clickable else []
        return points[0].get("customdata") if points else None


def table(frame: pl.DataFrame, *, alt: str) -> None:
    """Draw a short table of words and numbers."""
    st.dataframe(frame, hide_index=True, alt=alt, height="content" if frame.height <= 15 else 420)


def nothing_yet() -> None:
    """Draw the page of a store without data: why, and the one thing to do."""
    with st.container(border=True):
        st.header("No spans yet", anchor=False)
        st.markdown(
            "Point any OpenTelemetry exporter at this machine and the first run appears here within seconds:\n\n"
            "```sh\nexport OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318\n```\n\n"
            "Or run `tokenpnl demo` to look around with synthetic data."
        )


def nothing_here(title: str, reason: str) -> None:
    """Draw the state of a window without data, with one action: all time, no filters."""
    with st.container(border=True):
        st.header(title, anchor=False)
        st.markdown(reason)
        st.page_link(st.session_state["here"], label="Show all time without filters", icon=":material/zoom_out_map:", query_params={"period": "all"})
