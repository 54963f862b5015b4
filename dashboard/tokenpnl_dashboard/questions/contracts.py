"""Agents against their contracts, asked of a book: breaches, and what ran past a limit."""

from collections.abc import Mapping, Sequence
from functools import reduce

import polars as pl

from tokenpnl.tables import ATTEMPTS, CALLS, LINE_ITEMS, RUNS, SPANS
from tokenpnl_analytics.contracts.breaches import Checked, Facts, check, standing
from tokenpnl_analytics.frames import conform, empty
from tokenpnl_analytics.periods import Period
from tokenpnl_analytics.rules.agents import AgentsFile
from tokenpnl_dashboard.book import Book
from tokenpnl_dashboard.questions.lines import line_items

Where = Mapping[str, Sequence[str | None]]


def checked(book: Book, file: AgentsFile, period: Period) -> Checked | None:
    """Return how agents kept their contracts in runs that were at work in the period; None: there is no contract.

    Runs are judged whole, also where they began before the period; `over_limit` cuts the cost to it.
    """
    names = [one.agent for one in file.agents]
    if not names:
        return None
    return check(_facts(book, _traces(book, names, period)), file.agents)


def over_limit(found: Checked, period: Period, where: Where) -> pl.DataFrame:
    """Return the line items past a limit that started in the period and fit: column -> accepted values."""
    started = pl.col("started_at")
    begun = pl.lit(value=True) if period.since is None else started >= period.since
    ended = pl.lit(value=True) if period.until is None else started < period.until
    fitting = [pl.col(name).is_in(list(values), nulls_equal=True) for name, values in where.items()]
    return found.lines.filter(reduce(lambda left, right: left & right, fitting, begun & ended))


def agents_frame(found: Checked | None) -> pl.DataFrame:
    """Return how each agent keeps its contract, as `breaches.standing`; without rows where there is no contract."""
    if found is None:
        return standing(check(_facts_of_nothing(), ()))
    return standing(found)


def breaches_frame(found: Checked | None) -> pl.DataFrame:
    """Return the breaches, the dearest first; without rows where there is no contract."""
    broken = check(_facts_of_nothing(), ()).breaches if found is None else found.breaches
    return broken.sort("over_limit_usd", "run_id", "clause", descending=[True, False, False], nulls_last=True)


def _traces(book: Book, names: list[str], period: Period) -> list[str]:
    window = {"since": period.since, "until": period.until}
    named = book.query("distinct", name=SPANS.name, column="trace_id", where={"agent_name": names}, **window)
    by_workflow = book.query("distinct", name=RUNS.name, column="trace_id", where={"workflow": names}, **window)
    return pl.concat([named, by_workflow])["trace_id"].unique().sort().to_list()


def _facts(book: Book, traces: list[str]) -> Facts:
    if not traces:
        return _facts_of_nothing()
    in_traces = {"trace_id": traces}
    ids = book.query("distinct", name=ATTEMPTS.name, column="run_id", where=in_traces)["run_id"].to_list()
    of_runs = {"run_id": ids}
    calls = conform(book.query("table", name=CALLS.name, where=of_runs), CALLS)
    # A run may go on in other traces than the one in which its agent was named.
    every = sorted({*traces, *calls["trace_id"]})
    return Facts(
        spans=conform(book.query("spans_of_traces", trace_ids=every), SPANS),
        calls=calls,
        attempts=conform(book.query("table", name=ATTEMPTS.name, where=of_runs), ATTEMPTS),
        runs=conform(book.query("table", name=RUNS.name, where=of_runs), RUNS),
        line_items=line_items(book, where=of_runs),
    )


def _facts_of_nothing() -> Facts:
    return Facts(empty(SPANS), empty(CALLS), empty(ATTEMPTS), empty(RUNS), empty(LINE_ITEMS))
