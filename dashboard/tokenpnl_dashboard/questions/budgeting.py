"""What budgets, forecasts, anomalies and the bridge need of a book: sums by the hour, asked once each.

Pages and verbs ask alike: `query` is `state.ask` or the `query` of a book.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from tokenpnl.model import UsageKind
from tokenpnl_analytics.frames import MONEY, TIME
from tokenpnl_analytics.periods import Period
from tokenpnl_analytics.planning import anomalies, budgets, forecast, variance
from tokenpnl_analytics.planning.budgets import Burn
from tokenpnl_analytics.rules.alerts import Detection
from tokenpnl_analytics.rules.budgets import Budget, BudgetsFile
from tokenpnl_analytics.unit_cost.units import SEED

Query = Callable[..., pl.DataFrame]
Where = Mapping[str, Sequence[str | None]]

_TOKEN_KINDS = [kind.value for kind in UsageKind]
_CELL = ["workflow", "model"]
_LONGEST_PAST = 180  # days; older origins say little about today's workflows


def hourly_usage(
    query: Query,
    by: Sequence[str] = (),
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    where: Where | None = None,
) -> pl.DataFrame:
    """Return usage by the hour, sorted; hours without usage have no row.

    Args:
        query: asks the book.
        by: further columns of line items.
        since: with `until`, [since, until).
        until: see `since`.
        where: column -> accepted values; columns that attempts have too.

    Returns:
        `by, hour, n_calls, tokens, cost_usd` (NULL: nothing priced), `n_lines, n_unpriced_lines`.
    """
    keys = [*by, "hour"]
    asked = {"since": since, "until": until, "where": dict(where or {})}
    sums = query("line_item_sums", by=[*keys, "usage_kind"], **asked)
    is_token = pl.col("usage_kind").is_in(_TOKEN_KINDS)
    cost = pl.col("cost_usd").cast(MONEY)
    paid = sums.group_by(keys).agg(
        pl.col("quantity").filter(is_token).sum().cast(pl.Int64).alias("tokens"),
        pl.when(cost.count() > 0).then(cost.sum()).alias("cost_usd"),
        pl.col("n_lines", "n_unpriced_lines").sum().cast(pl.Int64),
    )
    calls = query("call_sums", by=keys, **asked).select(*keys, pl.col("n_calls").cast(pl.Int64))
    joined = paid.join(calls, on=keys, how="full", nulls_equal=True, coalesce=True)
    counts = [pl.col(name).fill_null(0) for name in ("n_calls", "tokens", "n_lines", "n_unpriced_lines")]
    return joined.select(*by, pl.col("hour").cast(TIME), *counts[:2], "cost_usd", *counts[2:]).sort(
        *by, "hour", nulls_last=True
    )


def burn_of(query: Query, rules: BudgetsFile, budget: Budget, *, as_of: datetime, at: datetime) -> Burn:
    """Return how one budget stands in the month or quarter that holds `at`, read at `as_of`."""
    span = budgets.span_of(budget, at, rules.zone)
    usage = hourly_usage(
        query,
        since=span.since - budgets.HISTORY,
        until=min(span.until, as_of),
        where=rules.selection(budget).columns(),
    )
    chance = np.random.default_rng(SEED)
    return budgets.burn(budget, usage, as_of=as_of, span=span, zone=rules.zone, chance=chance)


def burns(query: Query, rules: BudgetsFile, *, as_of: datetime, at: datetime | None = None) -> list[Burn]:
    """Return how every budget in force stands in the month or quarter that holds `at` (default: `as_of`)."""
    moment = at or as_of
    spans = [(budget, budgets.span_of(budget, moment, rules.zone)) for budget in rules.budgets]
    in_force = [budget for budget, span in spans if budget.within(span.first_day, span.last_day)]
    return [burn_of(query, rules, budget, as_of=as_of, at=moment) for budget in in_force]


def found_anomalies(
    query: Query, detection: Detection, *, as_of: datetime, where: Where | None = None
) -> anomalies.Found:
    """Return the anomalies of the last complete hours before `as_of`, their incidents with `cause`."""
    until = as_of.replace(minute=0, second=0, microsecond=0)
    since = until - timedelta(hours=detection.window_hours)
    asked: dict[str, Any] = {"since": since - anomalies.HISTORY, "until": until, "where": where}
    usage = hourly_usage(query, _CELL, **asked)
    found = anomalies.anomalies(usage, since=since, until=until, q=detection.q, floor_usd=detection.floor_usd)
    if found.incidents.is_empty():
        return anomalies.Found(found.incidents.with_columns(cause=pl.lit("")), found.hours, found.refused)
    seen = pl.concat(
        anomalies.first_uses(_uses(query, column, asked), column).select("workflow", "what", "value", "first_at")
        for column in ("release", "model")
    )
    return anomalies.Found(anomalies.with_causes(found.incidents, usage, seen), found.hours, found.refused)


def anomaly_key(incident: Mapping[str, Any]) -> str:
    """Return the key under which an incident is told, and taken note of."""
    return f"anomaly/{incident['workflow'] or '(none)'}/{incident['model']}/{incident['since']:%Y-%m-%dT%H}"


def bridge_of(query: Query, before: Period, after: Period, *, where: Where | None = None) -> pl.DataFrame:
    """Return why the cost of two periods differs, by workflow: the result of `variance.bridge`."""
    sides = []
    for period in (before, after):
        asked: dict[str, Any] = {"since": period.since, "until": period.until, "where": dict(where or {})}
        lines = query("line_item_sums", by=[*_CELL, "usage_kind", "cost_category"], **asked)
        sides.append(variance.cells(lines, query("call_sums", by=_CELL, **asked)))
    return variance.bridge(*sides)


def backtest_of(query: Query, *, as_of: datetime, zone: str = "UTC", where: Where | None = None) -> pl.DataFrame:
    """Return how good the forecast of the daily cost was on earlier days: the result of `forecast.backtest`."""
    usage = hourly_usage(query, until=as_of, where=where)
    days = forecast.daily(usage, until=as_of.astimezone(ZoneInfo(zone)).date(), zone=zone)
    return forecast.backtest(days.tail(_LONGEST_PAST), chance=np.random.default_rng(SEED))


def _uses(query: Query, column: str, asked: dict[str, Any]) -> pl.DataFrame:
    where = dict(asked["where"] or {})
    uses = query("call_sums", by=["workflow", column, "hour"], since=asked["since"], until=asked["until"], where=where)
    return uses.with_columns(pl.col("hour").cast(TIME))
