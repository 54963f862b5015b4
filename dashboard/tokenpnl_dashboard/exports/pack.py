"""What a spreadsheet and a one-pager show: the statement, its lines, unit costs, and what the figures rest on."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from tokenpnl.model import CostSource
from tokenpnl.tables import RUNS
from tokenpnl_analytics.frames import empty
from tokenpnl_analytics.statement import statement, with_over_limit
from tokenpnl_analytics.unit_cost.units import cohort, unit_costs
from tokenpnl_dashboard import words
from tokenpnl_dashboard.questions.disclosure import Disclosure


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


def pack_of(  # noqa: PLR0913 - the contents of a report
    lines: pl.DataFrame,
    runs: pl.DataFrame | None,
    rests_on: Disclosure,
    *,
    period: str,
    as_of: datetime,
    closed: str = "",
    over_limit: pl.DataFrame | None = None,
) -> Pack:
    """Return the report of line items and of the cohort of runs that started in the same period.

    Args:
        lines: table `line_items`.
        runs: result of `cohort`; None: the lines were chosen by what is no dimension of a run.
        rests_on: what its sums and unit costs rest on.
        period: its name in words.
        as_of: the moment of reading, aware.
        closed: what is to be said of closed months, such as the hash under which they are.
        over_limit: the line items past a limit of an agent's contract, a memo line; None: there is no contract.
    """
    total = statement(lines, runs=runs)
    total = total if over_limit is None else with_over_limit(total, over_limit, [])
    units = unit_costs(cohort(empty(RUNS), as_of=as_of) if runs is None else runs)
    told = _disclosure(lines, total, rests_on, period=period, as_of=as_of)
    said = (told[0], ("Closed months", closed or "none in this period"), *told[1:])
    return Pack(period, as_of, lines, total, units, said)


def _disclosure(
    lines: pl.DataFrame, total: pl.DataFrame, rests_on: Disclosure, *, period: str, as_of: datetime
) -> tuple[tuple[str, str], ...]:
    row = total.row(0, named=True)
    unpriced = lines.filter(pl.col("cost_source") == CostSource.UNPRICED.value)
    floor = "; every sum of dollars is a floor" if unpriced.height else ""
    return (
        ("Period", f"{period}, usage by its start, months in UTC"),
        ("Read at", words.moment(as_of)),
        ("Data to", words.moment(rests_on.newest_fact_at)),
        *([("Unfinished", words.unfinished(rests_on.batches_behind))] if rests_on.batches_behind else []),
        ("Basis", f"{rests_on.basis}, exact to twelve decimals; list and contracted cost stand beside it"),
        ("Prices", words.listed(rests_on.prices) if rests_on.prices else words.UNKNOWN),
        ("Lines", f"{words.counted(rests_on.n, rests_on.counted)}, {words.percent(rests_on.priced_share)} priced"),
        ("Without a price", f"{words.counted(int(unpriced['quantity'].sum()), 'unit')} of usage{floor}"),
        ("Runs", f"{words.counted(row.get('n_runs') or 0, 'production run')} started in the period"),
        ("Outcome coverage", f"{words.percent(rests_on.outcome_coverage)} of runs older than the outcome window"),
        ("Interval", rests_on.interval_method or "none: nothing has settled yet"),
        ("Not checked", rests_on.not_checked),
    )
