"""Whole line items for the pages that need them: allocation, and the files that a page hands out."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import polars as pl
import streamlit as st

from tokenpnl_analytics.units import PRODUCTION, cohort
from tokenpnl_dashboard import words
from tokenpnl_dashboard.exports.pack import Pack, pack_of
from tokenpnl_dashboard.filters import Choice, bounds
from tokenpnl_dashboard.lines import line_items
from tokenpnl_dashboard.reading import COHORT, RUN_FILTERS
from tokenpnl_dashboard.state import book, edition


def lines_of(choice: Choice) -> pl.DataFrame:
    """Return the chosen line items of the period; kept until the data change."""
    return _lines(edition().data_version, bounds(choice.period), choice.where)


def packer(choice: Choice, write: Callable[[Pack], bytes]) -> Callable[[], bytes]:
    """Return what makes a file of the chosen statement, once somebody wants it.

    It runs beside the page, where nothing of Streamlit answers; so it holds the book and the moment of this page.

    Args:
        choice: what the reader chose; successes stand in the file where every filter is one of runs.
        write: makes the file.
    """
    source, as_of, window = book(), edition().as_of, bounds(choice.period)
    picked = "; ".join(f"{name}: {', '.join(values)}" for name, values in choice.picked.items())
    named = " ".join(part for part in (words.days_of(choice.period), f"({picked})" if picked else "") if part)

    def made() -> bytes:
        runs = None
        if set(choice.picked) <= set(RUN_FILTERS):
            where = choice.only(*RUN_FILTERS)
            started = source.query("table", name="runs", where=where, columns=COHORT, **window)
            environments = None if "environment" in where else PRODUCTION
            runs = cohort(started, as_of=as_of, environments=environments)
        lines = line_items(source, where=choice.where, **window)
        return write(pack_of(lines, runs, period=named, as_of=as_of))

    return made


@st.cache_resource(max_entries=4, show_spinner=False)
def _lines(version: int, window: dict[str, datetime | None], where: dict[str, Any]) -> pl.DataFrame:  # noqa: ARG001 key
    return line_items(book(), where=where, **window)
