"""The journal's entries beside cost: prepaid credit and exchange differences of the months of a period."""

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl

from tokenpnl_analytics.capacity.prepaid import moves
from tokenpnl_analytics.finance.settlements import FX, fx_entries, prepaid_entries
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.periods import Period
from tokenpnl_analytics.rules.accounts import AccountsFile
from tokenpnl_analytics.rules.commitments import COMMITMENTS
from tokenpnl_dashboard.closing.months import Closing
from tokenpnl_dashboard.questions.capacities import contracted_usage

_RESIDUALS = {"period": pl.Date(), "provider": pl.String(), "usd": MONEY}


def entries(closing: Closing, period: Period, accounts: AccountsFile) -> list[pl.DataFrame]:
    """Return the entries of the period, columns of the journal; days and months in UTC, as providers bill.

    A period that is one closed month reads the commitments.yaml that was frozen with it.

    Raises:
        ConfigurationError: the map has no account for one of them.
    """
    stated = closing.rules_of(period.since, period.until).read(COMMITMENTS).prepaid
    found = []
    if stated:
        newest = closing.book.version().newest_at
        as_of = min(moment for moment in (period.until, newest, datetime.now(UTC)) if moment is not None).date()
        made = moves(stated, contracted_usage(closing.book, stated), as_of=as_of)
        days = [_inside(period, day) for day in made["day"]]
        found.append(prepaid_entries(made.filter(pl.Series(days, dtype=pl.Boolean)), accounts))
    residuals = fx_residuals(closing, period)
    return [*found, fx_entries(residuals, accounts)] if residuals.height else found


def fx_residuals(closing: Closing, period: Period) -> pl.DataFrame:
    """Return the exchange difference of each reconciled invoice whose month lies in the period.

    Returns:
        `period` (first day of the month), `provider`, `usd`, as `fx_entries` takes it; differences of 0 have no row.
    """
    rows = []
    for month in closing.control.reconciled_months():
        first = date.fromisoformat(f"{month}-01")
        if not _inside(period, first.replace(day=15)):
            continue
        for one in closing.control.reconciliations(month):
            steps = {row["step"]: Decimal(row["net_usd"]) for row in one.result.detail.get("waterfall", ())}
            rows.append((first, one.result.provider, steps.get(FX, Decimal(0))))
    return pl.DataFrame(rows, schema=_RESIDUALS, orient="row").filter(pl.col("usd") != 0)


def _inside(period: Period, day: date) -> bool:
    # The noon of a day lies in the day of every zone.
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return (period.since is None or period.since <= noon) and (period.until is None or noon < period.until)
