"""Prepaid credit at the close of a month: what it came to, and whether the journal has accounts for it."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

import polars as pl

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.capacity.prepaid import BOUGHT, USED, in_month
from tokenpnl_analytics.closing.conditions import Condition, prepaid_posted
from tokenpnl_analytics.finance.settlements import prepaid_entries
from tokenpnl_analytics.rules.accounts import AccountsFile
from tokenpnl_analytics.rules.commitments import Prepaid
from tokenpnl_ingest.control import MonthSpan

_MOMENT = timedelta(microseconds=1)


def first_purchase(stated: Sequence[Prepaid]) -> datetime:
    """Return the begin of the day on which the first of some credit was bought, UTC."""
    return datetime.combine(min(each.bought_on for each in stated), time(), UTC)


def credit_in(
    stated: Sequence[Prepaid], usage: pl.DataFrame, span: MonthSpan, newest_at: datetime | None
) -> pl.DataFrame:
    """Return what credit came to in a month, result of `in_month`; nothing is known beyond the newest fact."""
    last = min(span.until - _MOMENT, max(newest_at or span.until, span.since))
    return in_month(stated, usage, first=span.since.date(), last=last.date())


def conditions_of(found: pl.DataFrame, span: MonthSpan, accounts: AccountsFile) -> list[Condition]:
    """Return whether the journal can hold the month's credit; no condition where there is none.

    Args:
        found: result of `credit_in`.
        span: the month, in UTC.
        accounts: the map.
    """
    if found.is_empty():
        return []
    day = pl.lit(span.since.date())
    moves = [found.select("name", "provider", day=day, move=pl.lit(move), usd=f"{move}_usd") for move in (BOUGHT, USED)]
    try:
        prepaid_entries(pl.concat(moves), accounts)
    except ConfigurationError as error:
        return [prepaid_posted(found, str(error))]
    return [prepaid_posted(found, "")]
