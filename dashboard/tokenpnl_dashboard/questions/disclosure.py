"""The line under a figure of money: which prices, how many line items, what was checked and what was not."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tokenpnl.errors import ConfigurationError, StoreError
from tokenpnl_analytics.periods import Period
from tokenpnl_dashboard import words
from tokenpnl_ingest.control import ControlStore
from tokenpnl_ingest.home import Home

_WELL_PRICED, _WELL_MATCHED = 0.98, 0.02
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Disclosure:
    """What travels with every aggregate that leaves the command line.

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

    def document(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)

    def sentence(self) -> str:
        """Return it in words."""
        prices = f"Prices: {words.listed(self.prices)}. " if self.prices else "No price list was used. "
        of = words.counted(self.n, self.counted)
        outcomes = f", {words.percent(self.outcome_coverage)} of settled runs with an outcome"
        return (
            f"{prices}Basis: {self.basis}. Of {of}, {words.percent(self.priced_share)} of usage lines priced"
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


def cost_disclosure(
    versions: Sequence[str], n_lines: int, priced_share: float | None, invoices: Sequence[str] | None
) -> str:
    """Return what a sum of effective cost rests on, in a few sentences.

    Args:
        versions: the rate cards with date and hash, as `dated` words them.
        n_lines: line items that were added up.
        priced_share: share of them that have a price, 0 to 1.
        invoices: what was set against invoices, as `invoices_of` words it; None: nobody can tell.
    """
    prices = f"Prices: {words.listed(versions)}." if versions else "No price list was used."
    basis = f"Basis: effective cost, the exact sum of {words.counted(n_lines, 'line item')}; no estimate."
    coverage = f"Coverage: {words.percent(priced_share)} of them priced."
    if invoices is None:
        checked = "Not checked: invoices, as the control store does not answer."
    elif invoices:
        checked = f"Set against invoices: {words.listed(invoices)}. Not checked: invoices of anything else."
    else:
        checked = "Not checked: invoices, as none of this period is reconciled."
    return f"{prices} {basis} {coverage} {checked}"


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
