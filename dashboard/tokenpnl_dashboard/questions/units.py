"""The questions of the page of unit economics beside those of `reading`."""

from datetime import UTC
from decimal import Decimal
from typing import Any

import polars as pl
import streamlit as st

from tokenpnl.errors import ConfigurationError, StoreError
from tokenpnl.tables import OUTCOMES as STATED
from tokenpnl_analytics.frames import MONEY, TIME
from tokenpnl_analytics.periods import Period
from tokenpnl_analytics.rules.outcomes import OUTCOMES, OutcomesFile
from tokenpnl_analytics.statement import in_periods
from tokenpnl_analytics.unit_cost.cash import cash_view
from tokenpnl_analytics.unit_cost.comparisons import compared_cohorts
from tokenpnl_analytics.unit_cost.controls import outcomes_without_run, untraced_share
from tokenpnl_analytics.unit_cost.outcome_rules import definition_changes, definitions_in
from tokenpnl_analytics.unit_cost.units import contributions
from tokenpnl_dashboard.parts.filters import Choice, bounds
from tokenpnl_dashboard.questions.pnl import RUN_FILTERS, the_cohort
from tokenpnl_dashboard.state import ask, edition, home, rules
from tokenpnl_ingest.control import ControlStore
from tokenpnl_ingest.home import Home

_OF_A_LINE = ("tenant", "run_id", "workflow", "cost_category", "evaluation")


def contribution_by(choice: Choice, period: Period, column: str) -> pl.DataFrame:
    """Return what each value of a column of line items contributes to its workflow's cost per success to date."""
    lines = ask("line_item_sums", by=[*_OF_A_LINE, column], since=period.since)
    if column == "hour":
        lines = lines.with_columns(pl.col("hour").cast(pl.Datetime("ns", "UTC")).alias("started_at"))
    return contributions(lines, the_cohort(choice, period), column)


def units_against_before(choice: Choice, column: str) -> pl.DataFrame | None:
    """Return each settled unit cost of the period against that of the one before; None: the period has none before."""
    before = choice.period.previous()
    if before is None or choice.period.until is None:
        return None
    within = before.since, choice.period.until
    ours, theirs = the_cohort(choice, choice.period), the_cohort(choice, before)
    return compared_cohorts(ours, theirs, column, rules=rules(OUTCOMES), within=within)


def last_change(choice: Choice, grain: str) -> dict[str, Any] | None:
    """Return the settled unit cost of the newest day, week or month with runs against the one before; None: one only.

    Args:
        choice: what the reader chose.
        grain: day, week or month.
    """
    if not set(choice.picked) <= set(RUN_FILTERS):
        return None
    runs = in_periods(the_cohort(choice, choice.period), grain)
    begins = runs["period"].unique().sort().to_list()
    if len(begins) < 2:
        return None
    before, now = (runs.filter(period=begin) for begin in begins[-2:])
    within = begins[-2], choice.period.until or edition().as_of
    return compared_cohorts(now, before, rules=rules(OUTCOMES), within=within).row(0, named=True)


def definitions_by_workflow(workflows: list[str | None], period: Period) -> dict[str | None, dict[str, Any]]:
    """Return the definition that holds now for each workflow, with the day of its change in the period, if any."""
    found = definitions_in(workflows, rules(OUTCOMES), edition().as_of, **bounds(period))
    return {row["workflow"]: row for row in found.to_dicts()}


def changed_definitions(period: Period) -> list[str]:
    """Return the changes of definition in the period in words, oldest first."""
    changes = definition_changes(rules(OUTCOMES), period.since, period.until)
    return [
        f"{row['workflow']}: version {row['version']} from {row['changed_on']:%-d %b %Y}" for row in changes.to_dicts()
    ]


def audits(workflows: list[str | None]) -> dict[str | None, tuple[int, int, float]]:
    """Return audit sample and clean-up cost by workflow, where outcomes.yaml states both: n, false ones, USD."""
    told: OutcomesFile = rules(OUTCOMES)
    held = {name: told.definition_of(name, edition().as_of) for name in workflows}
    return {
        name: (one.audit.n, one.audit.n_false, float(one.clean_up_usd))
        for name, one in held.items()
        if one is not None and one.audit is not None and one.clean_up_usd is not None
    }


def lost_outcomes(period: Period) -> dict[str, int]:
    """Return how many outcomes of the period speak of no run that we know, by status."""
    columns = ["tenant", "run_id", "trace_id", "business_id", "status", "effective_at", "outcome_id", "content_hash"]
    stated = ask("table", name=STATED.name, columns=columns, **bounds(period))
    if stated.is_empty():
        return {}
    runs = ask("table", name="runs", columns=["tenant", "run_id", "trace_id", "business_id"])
    return dict(outcomes_without_run(stated, runs).iter_rows())


def cash(choice: Choice) -> dict[str, Any] | None:
    """Return cost incurred and outcomes effective in the period; None under a filter that runs do not have."""
    if not set(choice.picked) <= set(RUN_FILTERS):
        return None
    hours = ask("line_item_sums", by=["hour"], where=choice.where, **bounds(choice.period))
    lines = hours.with_columns(pl.col("hour").cast(TIME).alias("started_at"))
    runs = ask("table", name="runs", where=choice.only(*RUN_FILTERS), columns=["outcome", "outcome_at", "value_usd"])
    return cash_view(lines, runs, since=choice.period.since, until=choice.period.until).row(0, named=True)


def untraced(runs: pl.DataFrame) -> float | None:
    """Return the untraced share of the invoices of the months in which the runs started; NULL: none is reconciled.

    Args:
        runs: the cohort.
    """
    place = home()
    if place is None:
        return None
    months = runs["started_at"].dt.convert_time_zone(str(UTC)).dt.strftime("%Y-%m").unique().sort().to_list()
    try:
        told = _reconciled(str(place.path), tuple(months), place)
    except (ConfigurationError, StoreError):
        # A control store that does not answer leaves this control unknown; the health of it is shown elsewhere.
        return None
    return untraced_share(pl.DataFrame(told, schema=dict.fromkeys(("billed_usd", "traced_usd"), MONEY), orient="row"))


@st.cache_data(ttl=60, show_spinner=False)
def _reconciled(
    path: str,  # noqa: ARG001 key
    months: tuple[str, ...],
    _home: Home,
) -> list[tuple[Decimal | None, Decimal | None]]:
    with ControlStore.of(_home) as control:
        found = [one.result for month in months for one in control.reconciliations(month)]
    return [(one.billed_usd, one.traced_usd) for one in found]
