"""What a spreadsheet and a one-pager show: the statement, its lines, unit costs, and what the figures rest on."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from tokenpnl.model import CostSource
from tokenpnl.tables import RUNS
from tokenpnl_analytics.frames import empty
from tokenpnl_analytics.statement import statement
from tokenpnl_analytics.unit_cost.units import cohort, unit_costs
from tokenpnl_dashboard import words


@dataclass(frozen=True)
class Pack:
    """The contents of one report.

    Args:
        period: its name in words.
        as_of: the moment at which it was read, UTC.
        lines: table `line_items`.
        total: the one row of the statement, with value and successes.
        units: cost per successful outcome by workflow.
        disclosure: what the figures rest on, as (what, words).
    """

    period: str
    as_of: datetime
    lines: pl.DataFrame
    total: pl.DataFrame
    units: pl.DataFrame
    disclosure: tuple[tuple[str, str], ...]


def pack_of(lines: pl.DataFrame, runs: pl.DataFrame | None, *, period: str, as_of: datetime, closed: str = "") -> Pack:
    """Return the report of line items and of the cohort of runs that started in the same period.

    Args:
        lines: table `line_items`.
        runs: result of `cohort`; None: the lines were chosen by what is no dimension of a run.
        period: its name in words.
        as_of: the moment of reading, aware.
        closed: what is to be said of closed months, such as the hash under which they are.
    """
    total = statement(lines, runs=runs)
    units = unit_costs(cohort(empty(RUNS), as_of=as_of) if runs is None else runs)
    told = _disclosure(lines, total, units, period=period, as_of=as_of)
    said = (told[0], ("Closed months", closed or "none in this period"), *told[1:])
    return Pack(period, as_of, lines, total, units, said)


def _disclosure(
    lines: pl.DataFrame, total: pl.DataFrame, units: pl.DataFrame, *, period: str, as_of: datetime
) -> tuple[tuple[str, str], ...]:
    row = total.row(0, named=True)
    unpriced = lines.filter(pl.col("cost_source") == CostSource.UNPRICED.value)
    versions = lines["price_version"].drop_nulls().unique().sort().to_list()
    methods = units["method"].drop_nulls().unique().sort().to_list()
    floor = "; every sum of dollars is a floor" if unpriced.height else ""
    return (
        ("Period", f"{period}, usage by its start, months in UTC"),
        ("Read at", words.moment(as_of)),
        ("Basis", "effective cost in USD, exact to twelve decimals; list and contracted cost stand beside it"),
        ("Prices", words.listed(versions) or words.UNKNOWN),
        ("Lines", f"{words.counted(row['n_lines'], 'line item')}, {words.percent(row['priced_share'])} priced"),
        ("Without a price", f"{words.counted(int(unpriced['quantity'].sum()), 'unit')} of usage{floor}"),
        ("Runs", f"{words.counted(row.get('n_runs') or 0, 'production run')} started in the period"),
        ("Outcome coverage", f"{words.percent(row.get('outcome_coverage'))} of runs older than the outcome window"),
        ("Interval", f"95%, {'; '.join(methods)}" if methods else "none: nothing has settled yet"),
        ("Not checked", "the cost is computed from traces; this file does not say whether an invoice agrees"),
    )
