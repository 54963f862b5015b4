"""Budgets against what was spent: how far along, how fast, where it ends, and when a threshold is crossed.

Spent is effective cost, exact; what is still to come is a forecast in float64 and stands beside, never in it.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from tokenpnl_analytics.frames import MONEY, TIME
from tokenpnl_analytics.periods import month_after
from tokenpnl_analytics.planning.forecast import SHAPE_DAYS, Forecast, daily, forecast
from tokenpnl_analytics.rules.budgets import Budget

HISTORY = timedelta(days=SHAPE_DAYS + 14)
_DAY = timedelta(days=1)
_THRESHOLDS = pl.Schema(
    {
        "basis": pl.String(),
        "percent": pl.Int64(),
        "threshold_usd": MONEY,
        "crossed": pl.Boolean(),
        "crossed_at": TIME,
    }
)


class Standing(StrEnum):
    """How a budget stands, the worst first."""

    OVER = "over"
    WILL_OVERRUN = "will_overrun"
    MAY_OVERRUN = "may_overrun"
    UNKNOWN = "unknown"
    WITHIN = "within"


@dataclass(frozen=True)
class Span:
    """The month or quarter of a budget, [since, until) in UTC, as its zone counts it."""

    label: str
    since: datetime
    until: datetime
    first_day: date
    last_day: date


@dataclass(frozen=True)
class Burn:
    """One budget in one month or quarter.

    Attributes:
        budget: the rule.
        span: the month or quarter.
        as_of: the moment it is read at; after the end nothing is to come.
        spent_usd: effective cost up to then, of the lines that have a price.
        run_rate_usd_per_day: spent over the days gone; None before the first hour is over.
        elapsed_share: of the span, 0 to 1.
        days_left: of the span.
        ahead: forecast of what is still to come; None when the span is over.
        thresholds: `basis` (actual, forecast), `percent, threshold_usd, crossed, crossed_at`: the end of the hour in
            which it was crossed, or of the day in which the forecast crosses it.
        spent_by_day: `day` (of the zone), `spent_usd` up to its end or to `as_of`.
        n_lines: lines behind it.
        unpriced_share: of these lines; above 0 what was spent is a floor. None without lines.
    """

    budget: Budget
    span: Span
    as_of: datetime
    spent_usd: Decimal
    run_rate_usd_per_day: Decimal | None
    elapsed_share: float
    days_left: float
    ahead: Forecast | None
    thresholds: pl.DataFrame
    spent_by_day: pl.DataFrame
    n_lines: int
    unpriced_share: float | None

    @property
    def node(self) -> str:
        """What the budget stands on: its group, else its selection in words."""
        return self.budget.group or self.budget.spelled()

    @property
    def spent_share(self) -> float:
        """What was spent as a share of the amount."""
        return float(self.spent_usd) / float(self.budget.amount_usd)

    @property
    def end(self) -> tuple[float, float, float] | None:
        """Spent and forecast at the end of the span with P10 and P90, USD; None where the forecast is refused."""
        spent = float(self.spent_usd)
        if self.ahead is None:
            return spent, spent, spent
        if self.ahead.estimate is None or self.ahead.low is None or self.ahead.high is None:
            return None
        return spent + self.ahead.estimate, spent + self.ahead.low, spent + self.ahead.high

    @property
    def standing(self) -> Standing:
        """How it stands: over, will or may overrun by estimate or P90, within; unknown without a forecast."""
        amount = float(self.budget.amount_usd)
        if self.spent_usd >= self.budget.amount_usd:
            return Standing.OVER
        if self.end is None:
            return Standing.UNKNOWN
        estimate, _, high = self.end
        if estimate >= amount:
            return Standing.WILL_OVERRUN
        return Standing.MAY_OVERRUN if high >= amount else Standing.WITHIN


def span_of(budget: Budget, at: datetime, zone: str) -> Span:
    """Return the month or quarter of the budget that holds the moment (aware), as the zone counts it."""
    local = at.astimezone(ZoneInfo(zone))
    quarterly = budget.every == "quarter"
    month = (local.month - 1) // 3 * 3 + 1 if quarterly else local.month
    first = date(local.year, month, 1)
    after = month_after(first, months=3 if quarterly else 1)
    label = f"{first.year}-Q{(month + 2) // 3}" if quarterly else f"{first:%Y-%m}"
    begin, end = (datetime(day.year, day.month, 1, tzinfo=ZoneInfo(zone)) for day in (first, after))
    utc = ZoneInfo("UTC")
    return Span(label, begin.astimezone(utc), end.astimezone(utc), first, after - _DAY)


def burn(
    budget: Budget, hourly: pl.DataFrame, *, as_of: datetime, span: Span, zone: str, chance: np.random.Generator
) -> Burn:
    """Return how the budget stands.

    Args:
        budget: the rule.
        hourly: its usage, one row per hour: `hour` (UTC), `n_calls, tokens, cost_usd` (NULL: nothing priced),
            `n_lines, n_unpriced_lines`; from `HISTORY` before the span on, for the forecast.
        as_of: aware; later hours are not known yet.
        span: result of `span_of`.
        zone: whose days.
        chance: draws the forecast.
    """
    known = hourly.filter(pl.col("hour") < pl.lit(as_of)).sort("hour")
    inside = known.filter(pl.col("hour").is_between(span.since, span.until, closed="left"))
    spent = Decimal(inside["cost_usd"].sum())
    n_lines, n_unpriced = int(inside["n_lines"].sum()), int(inside["n_unpriced_lines"].sum())
    gone = max(min(as_of, span.until) - span.since, timedelta(0))
    ahead = _ahead(known, as_of, span, zone, chance)
    return Burn(
        budget=budget,
        span=span,
        as_of=as_of,
        spent_usd=spent,
        run_rate_usd_per_day=_per_day(spent, gone),
        elapsed_share=gone / (span.until - span.since),
        days_left=max((span.until - as_of) / _DAY, 0.0),
        ahead=ahead,
        thresholds=_thresholds(budget, inside, spent, ahead, zone),
        spent_by_day=_spent_by_day(inside, zone),
        n_lines=n_lines,
        unpriced_share=n_unpriced / n_lines if n_lines else None,
    )


def budget_table(burns: list[Burn]) -> pl.DataFrame:
    """Return one row per budget, in the given order.

    Returns:
        `budget, node, owner, period, standing, amount_usd, spent_usd` (Decimal), `spent_share, elapsed_share,
        run_rate_usd_per_day` (Decimal), `days_left, forecast_usd, low, high` (float64, of the end of the period;
        P10-P90; NULL: refused), `next_percent, next_at` (the first threshold of the amount not spent yet, and when the
        forecast spends it), `n_days` (of history), `n_lines, unpriced_share, refused_because`.
    """
    rows = []
    for one in burns:
        estimate, low, high = one.end or (None, None, None)
        following = one.thresholds.filter((pl.col("basis") == "forecast") & pl.col("crossed_at").is_not_null())
        percent, at = following.select("percent", "crossed_at").row(0) if following.height else (None, None)
        rows.append(
            {
                "budget": one.budget.name,
                "node": one.node,
                "owner": one.budget.owner or None,
                "period": one.span.label,
                "standing": one.standing.value,
                "amount_usd": one.budget.amount_usd,
                "spent_usd": one.spent_usd,
                "spent_share": one.spent_share,
                "elapsed_share": one.elapsed_share,
                "run_rate_usd_per_day": one.run_rate_usd_per_day,
                "days_left": one.days_left,
                "forecast_usd": estimate,
                "low": low,
                "high": high,
                "next_percent": percent,
                "next_at": at,
                "n_days": one.ahead.n if one.ahead else None,
                "n_lines": one.n_lines,
                "unpriced_share": one.unpriced_share,
                "refused_because": (one.ahead.refused_because or None) if one.ahead else None,
            }
        )
    return pl.DataFrame(rows, schema=_TABLE, orient="row")


_TABLE = pl.Schema(
    {
        **dict.fromkeys(("budget", "node", "owner", "period", "standing"), pl.String()),
        **dict.fromkeys(("amount_usd", "spent_usd"), MONEY),
        **dict.fromkeys(("spent_share", "elapsed_share"), pl.Float64()),
        "run_rate_usd_per_day": MONEY,
        **dict.fromkeys(("days_left", "forecast_usd", "low", "high"), pl.Float64()),
        "next_percent": pl.Int64(),
        "next_at": TIME,
        **dict.fromkeys(("n_days", "n_lines"), pl.Int64()),
        "unpriced_share": pl.Float64(),
        "refused_because": pl.String(),
    }
)


def _ahead(known: pl.DataFrame, as_of: datetime, span: Span, zone: str, chance: np.random.Generator) -> Forecast | None:
    if as_of >= span.until:
        return None
    local = as_of.astimezone(ZoneInfo(zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    days = daily(known, until=local.date(), zone=zone)
    rest = 1 - (local - midnight) / _DAY
    return forecast(days, through=span.last_day, chance=chance, share_of_first_day=rest)


def _per_day(spent: Decimal, gone: timedelta) -> Decimal | None:
    hours = int(gone / timedelta(hours=1))
    if not hours:
        return None
    money = pl.DataFrame({"spent": [spent]}, schema={"spent": MONEY})
    rate: Decimal = money.select((pl.col("spent") * 24 / hours).cast(MONEY)).item()
    return rate


def _thresholds(
    budget: Budget, inside: pl.DataFrame, spent: Decimal, ahead: Forecast | None, zone: str
) -> pl.DataFrame:
    asked = pl.DataFrame(
        [
            *(("actual", percent, budget.amount_usd) for percent in sorted(budget.thresholds.actual)),
            *(("forecast", percent, budget.amount_usd) for percent in sorted(budget.thresholds.forecast)),
        ],
        schema={"basis": pl.String, "percent": pl.Int64, "amount_usd": MONEY},
        orient="row",
    )
    limits = asked.with_columns((pl.col("amount_usd") * pl.col("percent") / 100).cast(MONEY).alias("threshold_usd"))
    running = inside.select("hour", pl.col("cost_usd").fill_null(0).cum_sum().alias("spent_usd"))
    rows = []
    for basis, percent, _, limit in limits.iter_rows():
        if basis == "actual" or spent >= limit:
            at = _first_hour(running, limit) if basis == "actual" else None
            rows.append((basis, percent, limit, spent >= limit, at))
        else:
            at = _first_day(ahead, float(limit) - float(spent), zone)
            rows.append((basis, percent, limit, at is not None, at))
    return pl.DataFrame(rows, schema=_THRESHOLDS, orient="row")


def _first_hour(running: pl.DataFrame, limit: Decimal) -> datetime | None:
    reached = running.filter(pl.col("spent_usd") >= limit)["hour"]
    return reached[0] + timedelta(hours=1) if len(reached) else None


def _first_day(ahead: Forecast | None, left_usd: float, zone: str) -> datetime | None:
    if ahead is None or ahead.estimate is None:
        return None
    reached = ahead.days.filter(pl.col("cumulative_usd") >= left_usd)["day"]
    if not len(reached):
        return None
    day = reached[0] + _DAY
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(ZoneInfo("UTC"))


def _spent_by_day(inside: pl.DataFrame, zone: str) -> pl.DataFrame:
    by_day = inside.group_by(pl.col("hour").dt.convert_time_zone(zone).dt.date().alias("day"))
    return (
        by_day.agg(pl.col("cost_usd").sum()).sort("day").select("day", pl.col("cost_usd").cum_sum().alias("spent_usd"))
    )
