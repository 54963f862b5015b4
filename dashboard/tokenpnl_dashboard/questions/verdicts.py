"""The verdict of the reader's choice, kept until the data or the rules change."""

from datetime import datetime

import streamlit as st

from tokenpnl_analytics.periods import Period
from tokenpnl_analytics.rules.labels import LABELS, LabelsFile
from tokenpnl_analytics.rules.outcomes import OUTCOMES, OutcomesFile
from tokenpnl_analytics.verdict.report import Report
from tokenpnl_dashboard.parts.filters import Choice
from tokenpnl_dashboard.questions.pnl import RUN_FILTERS
from tokenpnl_dashboard.questions.verdict import verdict_of
from tokenpnl_dashboard.state import book, edition, rules


def the_verdict(choice: Choice) -> Report:
    """Return the verdict on the chosen runs."""
    shown, definitions, labels = edition(), rules(OUTCOMES), rules(LABELS)
    spelled = definitions.model_dump_json() + labels.model_dump_json()
    where = choice.only(*RUN_FILTERS)
    return _kept(shown.data_version, shown.as_of, choice.period, where, spelled, definitions, labels)


@st.cache_resource(max_entries=16, show_spinner=False)
def _kept(
    version: int,  # noqa: ARG001 key
    as_of: datetime,
    period: Period,
    where: dict[str, list[str | None]],
    spelled: str,  # noqa: ARG001 key
    _definitions: OutcomesFile,
    _labels: LabelsFile,
) -> Report:
    return verdict_of(book(), period, as_of, _definitions, _labels, where)
