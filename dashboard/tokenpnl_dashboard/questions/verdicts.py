"""The verdict of the reader's choice, kept until the data or the rules change."""

from datetime import datetime

import polars as pl
import streamlit as st

from tokenpnl_analytics.periods import Period
from tokenpnl_analytics.pricing.ratecard import RateCard, default_rate_card
from tokenpnl_analytics.rules.labels import LABELS, LabelsFile
from tokenpnl_analytics.rules.outcomes import OUTCOMES, OutcomesFile
from tokenpnl_analytics.verdict.report import Report
from tokenpnl_dashboard.parts.filters import Choice
from tokenpnl_dashboard.questions.pnl import RUN_FILTERS
from tokenpnl_dashboard.questions.verdict import cures_of, verdict_of
from tokenpnl_dashboard.rules.pricing import card_of_home
from tokenpnl_dashboard.state import book, edition, home, rules


def the_verdict(choice: Choice) -> Report:
    """Return the verdict on the chosen runs."""
    shown, definitions, labels = edition(), rules(OUTCOMES), rules(LABELS)
    spelled = definitions.model_dump_json() + labels.model_dump_json()
    where = choice.only(*RUN_FILTERS)
    return _kept(shown.data_version, shown.as_of, choice.period, where, spelled, definitions, labels)


def the_cures(choice: Choice) -> pl.DataFrame:
    """Return what the cures of the verdict's causes would have saved, at the prices in force."""
    place = home()
    shown, definitions, labels = edition(), rules(OUTCOMES), rules(LABELS)
    card, _ = card_of_home(place) if place else (default_rate_card(), "")
    spelled = definitions.model_dump_json() + labels.model_dump_json() + card.version
    where = choice.only(*RUN_FILTERS)
    return _replayed(shown.data_version, shown.as_of, choice.period, where, spelled, the_verdict(choice), card)


@st.cache_resource(max_entries=16, show_spinner=False)
def _replayed(
    version: int,  # noqa: ARG001 key
    as_of: datetime,  # noqa: ARG001 key
    period: Period,  # noqa: ARG001 key
    where: dict[str, list[str | None]],  # noqa: ARG001 key
    spelled: str,  # noqa: ARG001 key
    _report: Report,
    _card: RateCard,
) -> pl.DataFrame:
    return cures_of(_report, _card)


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
