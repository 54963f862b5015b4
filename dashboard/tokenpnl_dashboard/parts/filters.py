"""The filters above every page: each is bound to the address, so that a link shows what its sender saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from tokenpnl.errors import ConfigurationError
from tokenpnl.model import CostCategory, OutcomeStatus
from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.periods import FORMS, Period, parse_period
from tokenpnl_dashboard import words
from tokenpnl_dashboard.state import ask, edition

PERIODS = {
    "last-7d": "Last 7 days",
    "last-30d": "Last 30 days",
    "last-90d": "Last 90 days",
    "mtd": "Month to date",
    "last-month": "Last month",
    "all": "All time",
}
DEFAULT_PERIOD = "last-30d"
FILTER_WIDTH = 164  # seven fill the row of a laptop, two that of a phone
NO_OUTCOME = "none"
NOBODY = "(none)"

COLUMN = {
    "workflow": "workflow",
    "customer": "customer_id",
    "environment": "environment",
    "model": "model",
    "category": "cost_category",
    "step": "step",
    "provider": "provider",
    "feature": "feature",
    "release": "release",
    "tenant": "tenant",
    "deployment": "deployment",
}
"""Name in the address -> column of the books. `outcome` is a column of runs only and stands apart."""

OF_PAGE = {
    "": (),
    "units": (),
    "pnl": ("model",),
    "allocation": (),
    "capacity": (),
    "budgets": (),
    "waste": ("model",),
    "verdict": (),
    "runs": ("outcome", "category", "model"),
}
"""Page -> its filters beside the shared ones; a page that is not named has no filters."""

SHARED = ("workflow", "customer", "environment")


@dataclass(frozen=True)
class Choice:
    """What the reader chose.

    Args:
        period: the days to show.
        picked: name in the address -> values; only names with values.
    """

    period: Period
    picked: dict[str, list[str]]

    @property
    def where(self) -> dict[str, list[str | None]]:
        """The picked values by column of the line items; None stands for rows that name nothing."""
        return self.only(*COLUMN)

    def only(self, *names: str) -> dict[str, list[str | None]]:
        """Return the picked values by column, of these names alone."""
        return {
            COLUMN[name]: [None if value == NOBODY else value for value in values]
            for name, values in self.picked.items()
            if name in names
        }

    def address(self, **more: str | None) -> dict[str, str | list[str]]:
        """Return the query parameters of a link that keeps the choice and adds to it; None adds nothing."""
        kept: dict[str, str | list[str]] = {**self.picked}
        if self.period.label != DEFAULT_PERIOD:
            kept["period"] = self.period.label
        return kept | {name: value for name, value in more.items() if value is not None}


def choose(*more: str) -> Choice:
    """Draw the filter row and return the choice; `more` names filters beside the shared ones."""
    rare = [name for name in COLUMN if name not in (*SHARED, *more) and name in st.query_params] if more else []
    names = (*SHARED, *more, *rare)
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        period = _period()
        picked = {name: _values(name) for name in names}
    return Choice(period, {name: values for name, values in picked.items() if values})


def chosen() -> Choice:
    """Return the choice that the frame of this page drew."""
    choice = st.session_state["choice"]
    assert isinstance(choice, Choice)
    return choice


def follow_link(page: str) -> None:
    """Let the address of a link win over what the same filters said on the page before.

    Streamlit does so on a cold load only; between pages it would keep the old values and rewrite the address.
    """
    arrived_from = st.session_state.get("came_from")
    st.session_state["came_from"] = page
    if arrived_from in (None, page):
        return
    periods = {title: label for label, title in PERIODS.items()}
    if "period" in st.query_params:
        said = st.query_params["period"]
        st.session_state["period"] = periods.get(said, said)
    categories = {title: label for label, title in words.CATEGORY.items()}
    for name in (*COLUMN, "outcome"):
        said_values = [categories.get(value, value) for value in st.query_params.get_all(name)]
        known = [value for value in said_values if value in _options(name)] if said_values else []
        if known:
            st.session_state[name] = known


def widen() -> None:
    """Choose all time and no filter."""
    st.session_state["period"] = "all"
    for name in (*COLUMN, "outcome"):
        if name in st.session_state:
            st.session_state[name] = []


def bounds(period: Period) -> dict[str, datetime | None]:
    """Return the period as the parameters of a query."""
    return {"since": period.since, "until": period.until}


def _period() -> Period:
    text = st.selectbox(
        "Period",
        list(PERIODS),
        index=list(PERIODS).index(DEFAULT_PERIOD),
        key="period",
        bind="query-params",
        accept_new_options=True,
        format_func=lambda text: PERIODS.get(text, text),
        width=FILTER_WIDTH,
        help=f"Days in UTC. Type another one: {FORMS}.",
    )
    now = edition().as_of
    try:
        return parse_period(text or DEFAULT_PERIOD, now=now)
    except ConfigurationError as error:
        st.warning(f"{error}. Showing {DEFAULT_PERIOD}.")
        return parse_period(DEFAULT_PERIOD, now=now)


def _values(name: str) -> list[str]:
    return st.multiselect(
        name.capitalize() if name != "category" else "Cost category",
        _options(name),
        key=name,
        bind="query-params",
        placeholder="All",
        format_func=words.category if name == "category" else str,
        # An address may name a category in the words of the books, not only by its title.
        accept_new_options=name == "category",
        width=FILTER_WIDTH,
    )


def _options(name: str) -> Sequence[str]:
    if name == "outcome":
        return (*OutcomeStatus, NO_OUTCOME)
    if name == "category":
        return tuple(str(category) for category in CostCategory)
    column = COLUMN[name]
    known: list[str] = ask("distinct", name=LINE_ITEMS.name, column=column)[column].to_list()
    return (*known, NOBODY)
