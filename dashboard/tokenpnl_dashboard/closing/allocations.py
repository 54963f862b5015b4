"""Who pays for a closed month: its lines and rules as they were frozen, for the page and the verb."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.finance.allocation import allocate, allocated_by
from tokenpnl_analytics.rules.allocation import ALLOCATION, AllocationFile
from tokenpnl_dashboard.closing.snapshots import verified
from tokenpnl_dashboard.rules.configuration import Configuration
from tokenpnl_ingest.control import Close, CloseState, ControlStore
from tokenpnl_ingest.home import Home

CHARGED_BY = ("org", "team", "product", "owner", "workflow", "customer_id", "method", "rule", "shared_from", "reason")


@dataclass(frozen=True)
class Chargeback:
    """The allocation of a closed month: its lines as closed, by the rules that were frozen with it, and its hash."""

    month: str
    rules: AllocationFile
    allocated: pl.DataFrame
    snapshot_sha256: str

    def table(self) -> pl.DataFrame:
        """Return what each owner is charged: `month`, who and by which rule, `cost_usd`, `rules_version`; sorted."""
        summed = allocated_by(self.allocated, CHARGED_BY).select(*CHARGED_BY, "cost_usd")
        return summed.sort(*CHARGED_BY, nulls_last=True).select(
            pl.lit(self.month).alias("month"), pl.all(), pl.lit(self.rules.version).alias("rules_version")
        )


def closed_months(home: Home) -> list[str]:
    """Return the closed months of a home, oldest first."""
    return [step.month for step in _closes(home)]


def chargeback(home: Home, month: str) -> Chargeback:
    """Return who is charged for a closed month, after its hash was computed again.

    Raises:
        ConfigurationError: the month is not closed: its figures may still move, so nobody can be charged for it.
        StoreError: its snapshot is not what was signed.
    """
    closed = {step.month: step for step in _closes(home)}
    if month not in closed:
        known = ", ".join(closed) or "none"
        raise ConfigurationError(
            f"{month} is not closed, and an open month still moves: chargeback needs a closed one (closed: {known}); "
            f"close it with `tokenpnl close`, or see who would pay with `tokenpnl allocation show --period {month}`"
        )
    snapshot = verified(home.closed, closed[month])
    rules = _rules(snapshot.rules, Configuration.of(home))
    return Chargeback(month, rules, allocate(snapshot.line_items(), rules), closed[month].snapshot_sha256 or "")


def _closes(home: Home) -> list[Close]:
    with ControlStore.of(home) as control:
        return [step for step in control.closes() if step.state is CloseState.CLOSED]


def _rules(frozen: Configuration, current: Configuration) -> AllocationFile:
    """Return the rules frozen at the close; a month closed without any is allocated by those of today."""
    return (frozen if frozen.text(ALLOCATION.name) is not None else current).read(ALLOCATION)


def template_hint(folder: Path) -> str:
    """Return what to do where no rule exists yet."""
    return f"no rules yet; begin with `tokenpnl allocation template > {folder / ALLOCATION.name}`"
