"""The line under a figure of money: which prices, how many line items, what was checked and what was not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from tokenpnl.errors import ConfigurationError, StoreError
from tokenpnl.model import CostSource, Flag
from tokenpnl.tables import LINE_ITEMS, RUNS
from tokenpnl_analytics.periods import Period
from tokenpnl_analytics.unit_cost.units import unit_costs
from tokenpnl_dashboard import words
from tokenpnl_dashboard.book import Book
from tokenpnl_ingest.control import ControlStore
from tokenpnl_ingest.home import Home

_WELL_PRICED, _WELL_MATCHED = 0.98, 0.02
_MOMENT = timedelta(microseconds=1)
_SAMPLED = "; traces are sampled and this is of those kept (`tokenpnl report estimate` weights them)"
_POSTED = "; closed months as closed, their corrections in the open month"


@dataclass(frozen=True)
class Disclosure:
    """What travels with every aggregate: on a page, on the command line, in a file.

    Args:
        prices: rate cards with source, hash and the day since when they are known.
        n: how many `counted` there are.
        counted: what is counted: line items, or runs.
        priced_share: share of the usage lines that have a price, 0 to 1; None: there are none.
        outcome_coverage: share of the settled runs that have an outcome, 0 to 1; None: nothing has settled.
        newest_fact_at: how fresh the data are; None: there are none.
        basis: what the money is.
        interval_method: how an interval was made; None: the figures are exact sums.
        not_checked: what nobody has looked at.
        batches_behind: how many batches arrived and are not in the books; above 0 the figures are unfinished.
    """

    prices: Sequence[str]
    n: int
    counted: str
    priced_share: float | None
    outcome_coverage: float | None
    newest_fact_at: datetime | None
    basis: str
    interval_method: str | None
    not_checked: str
    batches_behind: int = 0

    def document(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)

    def sentence(self) -> str:
        """Return it in words."""
        prices = f"Prices: {words.listed(self.prices)}. " if self.prices else "No price list was used. "
        of = words.counted(self.n, self.counted)
        outcomes = f", {words.percent(self.outcome_coverage)} of settled runs with an outcome"
        unfinished = f"{words.unfinished(self.batches_behind)}. " if self.batches_behind else ""
        return (
            f"{unfinished}{prices}Basis: {self.basis}. "
            f"Of {of}, {words.percent(self.priced_share)} of usage lines priced"
            f"{'' if self.outcome_coverage is None else outcomes}. Data to {words.moment(self.newest_fact_at)}. "
            f"Interval: {self.interval_method or 'none, the sums are exact'}. Not checked: {self.not_checked}."
        )


def unchecked(invoices: Sequence[str] | None) -> str:
    """Return what was not set against an invoice.

    Args:
        invoices: what was, as `invoices_of` words it; None: nobody can tell.
    """
    if invoices is None:
        return "invoices, as the control store does not answer"
    if invoices:
        return f"invoices of anything but {words.listed(invoices)}"
    return "invoices, as none of this period is reconciled"


@dataclass(frozen=True)
class Known:
    """Who tells what figures rest on.

    Args:
        query: answers a named question, as a book or a page does.
        newest_at: time of the newest fact.
        home: where invoices and rate cards are known; None: a book without a home.
        batches_behind: how many batches arrived and are not in the books.
    """

    query: Callable[..., pl.DataFrame]
    newest_at: datetime | None
    home: Home | None = None
    batches_behind: int = 0

    @classmethod
    def of(cls, book: Book, home: Home | None = None) -> "Known":
        """Return a book and its home."""
        version = book.version()
        return cls(book.query, version.newest_at, home, version.batches_behind)


@dataclass(frozen=True)
class Summed:
    """What was added up.

    Args:
        period: when it started.
        where: accepted values of columns of line items.
        lines: the line items as posted or as closed; None: those of the books.
        runs: result of `cohort`, for the coverage of outcomes; None: nothing is said of runs.
        unit: the column by which a cost per success stands beside it, and whose interval is told; None: none does.
        counts_runs: whether runs are counted, and not line items.
    """

    period: Period
    where: Mapping[str, Any] = field(default_factory=dict)
    lines: pl.DataFrame | None = None
    runs: pl.DataFrame | None = None
    unit: str | None = None
    counts_runs: bool = False


def disclosure_of(known: Known, summed: Summed) -> Disclosure:
    """Return what a sum of effective cost, or a cost per success, rests on: the one place that finds it out."""
    versions, n, n_unpriced = _lines(known, summed)
    runs, counts_runs = summed.runs, summed.counts_runs
    settled = None if runs is None else runs.filter("settled")["outcome"]
    partial = not counts_runs and sampled(known.query, summed.period)
    return Disclosure(
        prices=dated(versions, known.home),
        n=runs.height if counts_runs and runs is not None else n,
        counted="run" if counts_runs else "line item",
        priced_share=1 - n_unpriced / n if n else None,
        outcome_coverage=settled.count() / len(settled) if settled is not None and len(settled) else None,
        newest_fact_at=known.newest_at,
        basis=f"effective cost in USD{'' if summed.lines is None else _POSTED}{_SAMPLED if partial else ''}",
        interval_method=None if runs is None or summed.unit is None else _method(runs, summed.unit),
        not_checked=unchecked(invoices_of(summed.period, known.home)),
        batches_behind=known.batches_behind,
    )


def sampled(query: Callable[..., pl.DataFrame], period: Period) -> bool:
    """Return whether any run of the period stands for others too, or may."""
    window: dict[str, Any] = {"name": RUNS.name, "since": period.since, "until": period.until}
    counts = query("distinct", column="adjusted_count", **window)["adjusted_count"].cast(pl.Float64)
    flags = query("distinct", column="flags", **window)["flags"].cast(pl.String)
    return bool((counts > 1).any()) or bool(flags.str.contains(Flag.SAMPLING_UNKNOWN.value).any())


def _lines(known: Known, summed: Summed) -> tuple[list[str], int, int]:
    """Return the rate cards of the line items, how many lines there are, and how many have no price."""
    if summed.lines is not None:
        versions = summed.lines["price_version"].drop_nulls().unique().sort().to_list()
        return versions, summed.lines.height, summed.lines.filter(cost_source=CostSource.UNPRICED.value).height
    period = summed.period
    narrowed = {"where": dict(summed.where), "since": period.since, "until": period.until}
    row = known.query("line_item_sums", **narrowed).row(0, named=True)
    cards = known.query("distinct", name=LINE_ITEMS.name, column="price_version", **narrowed)["price_version"]
    return cards.to_list(), row["n_lines"], row["n_unpriced_lines"]


def _method(runs: pl.DataFrame, unit: str) -> str:
    made = unit_costs(runs, [unit])["method"].drop_nulls().unique().sort()
    return f"95%, {'; '.join(made)}" if len(made) else "none: nothing has settled yet"


def confidence(priced_share: float | None, untraced_share: float | None) -> str:
    """Return how far figures can be trusted, and why: high needs 98% priced and invoices that differ by 2% at most.

    Args:
        priced_share: of the usage lines, 0 to 1.
        untraced_share: of the invoices of these months; None: none is reconciled.
    """
    if priced_share is None or priced_share < _WELL_PRICED:
        return f"low confidence: {words.percent(priced_share)} of usage lines priced"
    if untraced_share is None:
        return "medium confidence: no invoice reconciled"
    differ = words.percent(abs(untraced_share))
    if abs(untraced_share) > _WELL_MATCHED:
        return f"medium confidence: traces and invoices differ by {differ}"
    return f"high confidence: traces and invoices differ by {differ}"


def dated(versions: Sequence[str], home: Home | None) -> list[str]:
    """Return rate cards with the day since when they are known, where the control store of the home tells."""
    try:
        known = {} if home is None else _known_since(home)
    except (ConfigurationError, StoreError):
        known = {}
    return [f"{name} (since {known[name]})" if name in known else name for name in versions]


def invoices_of(period: Period, home: Home | None) -> list[str] | None:
    """Return what every reconciliation that touches the period came to: traced and billed; None: nobody can tell."""
    if home is None:
        return []
    try:
        with ControlStore.of(home) as control:
            months = [month for month in control.reconciled_months() if _touches(month, period)]
            found = [one.result for month in months for one in control.reconciliations(month)]
    except (ConfigurationError, StoreError):
        return None
    return [
        f"{one.month} {one.provider} (traced {words.usd(one.traced_usd)}, billed {words.usd(one.billed_usd)})"
        for one in sorted(found, key=lambda one: (one.month, one.provider, one.account))
    ]


def _known_since(home: Home) -> dict[str, str]:
    with ControlStore.of(home) as control:
        return {one.version: words.day(one.recorded_at) for one in control.versions()}


def _touches(month: str, period: Period) -> bool:
    first = None if period.since is None else f"{period.since.astimezone(UTC):%Y-%m}"
    last = None if period.until is None else f"{(period.until - _MOMENT).astimezone(UTC):%Y-%m}"
    return (first is None or first <= month) and (last is None or month <= last)
