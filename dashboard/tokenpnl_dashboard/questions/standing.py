"""How the worst budget stands, for a page that shows one of them: made once per state of data and rules."""

from datetime import datetime

import streamlit as st

from tokenpnl_analytics.planning.budgets import Burn, Standing
from tokenpnl_analytics.rules.budgets import BUDGETS, BudgetsFile
from tokenpnl_dashboard.questions import budgeting
from tokenpnl_dashboard.state import ask, edition, rules

STANDING = {
    Standing.OVER: "▲ over",
    Standing.WILL_OVERRUN: "▲ forecast over",
    Standing.MAY_OVERRUN: "△ may overrun",
    Standing.UNKNOWN: "… no forecast yet",
    Standing.WITHIN: "✓ within",
}


def worst_first() -> list[Burn]:
    """Return how every budget in force stands, the worst first.

    Raises:
        ConfigurationError: budgets.yaml does not hold.
    """
    file = rules(BUDGETS)
    return _burns(edition().data_version, edition().as_of, file.model_dump_json(), file)


@st.cache_resource(max_entries=8, show_spinner=False)
def _burns(
    version: int,  # noqa: ARG001 key
    as_of: datetime,
    spelled: str,  # noqa: ARG001 key
    _file: BudgetsFile,
) -> list[Burn]:
    order = list(Standing)
    return sorted(budgeting.burns(ask, _file, as_of=as_of), key=lambda burn: order.index(burn.standing))
