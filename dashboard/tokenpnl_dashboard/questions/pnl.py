"""The questions of the pages, put to the book and to analytics; every answer is kept until the data change."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import streamlit as st

from tokenpnl.errors import StoreError
from tokenpnl.semconv import SYNTHETIC
from tokenpnl.tables import CALLS, LINE_ITEMS, RESOURCES
from tokenpnl_analytics.contracts.breaches import Checked
from tokenpnl_analytics.periods import Period
from tokenpnl_analytics.rules.agents import AGENTS, AgentsFile
from tokenpnl_analytics.rules.outcomes import OUTCOMES
from tokenpnl_analytics.statement import GRAINS, in_periods, statement, with_app_cache, with_over_limit
from tokenpnl_analytics.unit_cost.outcome_rules import windows_of
from tokenpnl_analytics.unit_cost.units import PRODUCTION, cohort, unit_costs
from tokenpnl_dashboard.closing.months import Closing
from tokenpnl_dashboard.closing.statement_rows import Shown, with_rows
from tokenpnl_dashboard.parts.filters import Choice, bounds
from tokenpnl_dashboard.questions import contracts
from tokenpnl_dashboard.questions.disclosure import Disclosure, Known, Summed, disclosure_of
from tokenpnl_dashboard.questions.lines import run_capacity
from tokenpnl_dashboard.shapes import figures
from tokenpnl_dashboard.state import ask, book, edition, home, rules
from tokenpnl_ingest.control import ControlStore

# A statement needs to tell these apart to know memo lines and categories.
GRAIN = ["usage_kind", "cost_category", "served_reason"]
RUN_FILTERS = ("workflow", "customer", "environment", "feature", "release", "tenant")
COHORT = [
    "tenant", "run_id", "workflow", "customer_id", "feature", "release", "environment", "service_name", "session_id",
    "started_at", "outcome", "outcome_source", "outcome_at", "outcome_recorded_at", "value_usd", "cost_usd",
    "inline_evaluation_usd", "offline_evaluation_usd", "n_attempts", "n_calls", "n_usage_missing", "n_unpriced",
    "business_id", "adjusted_count", "value_source", "flags",
]  # fmt: skip


def sums(choice: Choice, period: Period, by: str | None = None) -> pl.DataFrame:
    """Return sums of the chosen line items in the period, by a column or a grain of time, fit for a statement."""
    dimensions = [name for name in (by,) if name is not None and name not in GRAIN]
    return ask("line_item_sums", by=[*dimensions, *GRAIN], where=choice.where, **bounds(period))


def the_cohort(choice: Choice, period: Period) -> pl.DataFrame:
    """Return the chosen runs that started in the period, with what is known of them; production unless chosen."""
    return _cohort(edition().data_version, edition().as_of, choice.only(*RUN_FILTERS), bounds(period), _stated_hours())


def unit_cost_by(choice: Choice, period: Period, by: str) -> pl.DataFrame:
    """Return cost per successful outcome by one column of runs."""
    runs = choice.only(*RUN_FILTERS)
    return _units(edition().data_version, edition().as_of, runs, bounds(period), _stated_hours(), by)


def statement_by(choice: Choice, column: str, *, most: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the statement by a column of the books or a grain of time, in reading order, and its total.

    Args:
        choice: what the reader chose; value and successes stand beside where every filter is one of runs.
        column: a column of the line items, or day, week, month.
        most: how many values to tell apart, the dearest; the others are one row.
    """
    lines = sums(choice, choice.period, column)
    runs = the_cohort(choice, choice.period) if _of_runs(choice) else None
    hits = _cache_hits(choice, "started_at" if column in GRAINS else column)
    over = over_limit(choice)
    total = _with_over(_with_hits(statement(lines, runs=runs), hits), over)
    if column in GRAINS:
        timed = lines.with_columns(pl.col(column).cast(pl.Datetime("ns", "UTC")).alias("period"))
        periodic = None if runs is None else in_periods(runs, column)
        found = statement(timed, ["period"], runs=periodic)
        found = _with_hits(found, None if hits is None else in_periods(hits, column), "period")
        found = _with_over(found, None if over is None else in_periods(over, column), "period")
        return found.rename({"period": column}), total
    kept = figures.dearest(lines, column, most=most)
    lines = figures.folded(lines, column, kept)
    if runs is not None and column in runs.columns:
        runs = figures.folded(runs, column, kept)
    hits = None if hits is None else figures.folded(hits, column, kept)
    over = None if over is None else figures.folded(over, column, kept)
    found = _with_over(_with_hits(statement(lines, [column], runs=runs), hits, column), over, column)
    return found.sort("effective_usd", descending=True, nulls_last=True), total


def beside(choice: Choice, column: str, found: pl.DataFrame, total: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return a statement and its total with bill, budget and volume terms; as they are where no home tells of any.

    Args:
        choice: what the reader chose.
        column: what the statement is by.
        found: with `total`, result of `statement_by`.
        total: see `found`.
    """
    place = home()
    if place is None:
        return found, total
    whole = Shown(choice.period, edition().as_of, where=choice.where)
    try:
        with ControlStore.of(place) as control:
            closing = Closing(place, book(), control)
            return with_rows(found, closing, replace(whole, by=column)), with_rows(total, closing, whole)
    except StoreError:
        # A control store that does not answer is told elsewhere; the ladder down to effective cost stands all the same.
        return found, total


def _cache_hits(choice: Choice, column: str) -> pl.DataFrame | None:
    """Return the calls that the application's cache answered; None where calls do not know what is asked by."""
    if not {column, *choice.where} <= set(CALLS.names):
        return None
    where = {**choice.where, "cached": [True]}
    return ask("table", name=CALLS.name, columns=[column, "cache_avoided_usd"], where=where, **bounds(choice.period))


def _with_hits(found: pl.DataFrame, hits: pl.DataFrame | None, *by: str) -> pl.DataFrame:
    return found if hits is None else with_app_cache(found, hits, by)


def _with_over(found: pl.DataFrame, over: pl.DataFrame | None, *by: str) -> pl.DataFrame:
    return found if over is None else with_over_limit(found, over, by)


def kept_contracts(choice: Choice) -> Checked | None:
    """Return how agents kept their contracts in the period; None: there is no contract."""
    file, known = rules(AGENTS), edition().data_version
    return _checked(known, file.model_dump_json(), choice.period, file)


def over_limit(choice: Choice) -> pl.DataFrame | None:
    """Return the chosen line items past a limit of an agent's contract; None: there is no contract."""
    found = kept_contracts(choice)
    return None if found is None else contracts.over_limit(found, choice.period, choice.where)


def _of_runs(choice: Choice) -> bool:
    return set(choice.picked) <= set(RUN_FILTERS)


def price_versions() -> list[str]:
    """Return the rate cards that the books were priced with."""
    found: list[str] = ask("distinct", name=LINE_ITEMS.name, column="price_version")["price_version"].to_list()
    return found


def rests_on(choice: Choice, unit: str | None = None, *, counts_runs: bool = False) -> Disclosure:
    """Return what the chosen figures rest on.

    Args:
        choice: what the reader chose.
        unit: the column by which a cost per success stands beside them, and whose interval is told.
        counts_runs: whether runs are counted, and not line items.
    """
    where = choice.only(*RUN_FILTERS) if counts_runs else choice.where
    runs = the_cohort(choice, choice.period) if counts_runs or _of_runs(choice) else None
    known = Known(ask, edition().newest_at, home(), edition().batches_behind)
    return disclosure_of(known, Summed(choice.period, where, runs=runs, unit=unit, counts_runs=counts_runs))


def synthetic() -> bool:
    """Return whether any emitter says that its telemetry is synthetic: samples and demos."""
    known = ask("distinct", name=RESOURCES.name, column="attributes_json")["attributes_json"]
    return bool(known.str.contains(f'"{SYNTHETIC}": ?true').any())


@st.cache_resource(max_entries=64, show_spinner=False)
def _cohort(
    version: int,  # noqa: ARG001 key
    as_of: datetime,
    where: dict[str, Any],
    window: dict[str, Any],
    stated: dict[str, float],
) -> pl.DataFrame:
    runs = ask("table", name="runs", where=where, columns=COHORT, **window)
    chosen = "environment" in where
    windows = {pattern: timedelta(hours=hours) for pattern, hours in stated.items()}
    capacity = run_capacity(book(), **window)
    return cohort(runs, as_of=as_of, windows=windows, environments=None if chosen else PRODUCTION, capacity=capacity)


@st.cache_resource(max_entries=64, show_spinner=False)
def _units(
    version: int, as_of: datetime, where: dict[str, Any], window: dict[str, Any], stated: dict[str, float], by: str
) -> pl.DataFrame:
    return unit_costs(_cohort(version, as_of, where, window, stated), [by])


@st.cache_resource(max_entries=16, show_spinner=False)
def _checked(
    version: int,  # noqa: ARG001 key
    spelled: str,  # noqa: ARG001 key
    period: Period,
    _file: AgentsFile,
) -> Checked | None:
    return contracts.checked(book(), _file, period)


def _stated_hours() -> dict[str, float]:
    # Hours, because the key of the cache must be plain.
    return {pattern: window / timedelta(hours=1) for pattern, window in windows_of(rules(OUTCOMES)).items()}
