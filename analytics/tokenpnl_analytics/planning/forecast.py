"""What the rest of a period will cost, with the error that the same method made before. Estimates, in float64.

The baseline of a day is calls x tokens per call x price per token: the calls of the last 14 days times the weekday's
usual share of them (over up to eight weeks), at the tokens per call and the price per token of the last 14 days. The
P10-P90 interval draws paths from the errors that this baseline made from earlier origins (residual bootstrap): of each
day by itself, and of the level, which errs for all days together; few weeks of history draw the level wider (Student's
t). No trend is assumed: a level that moves shows in the errors.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from tokenpnl_analytics.statement import in_periods

Floats = npt.NDArray[np.float64]

BASELINE_DAYS, SHAPE_DAYS, LEAST_DAYS = 14, 56, 28
HORIZONS = (1, 7, 14, 28)
METHOD = "14-day weekday baseline, residual bootstrap"
LOW, HIGH = 10, 90
_DRAWS = 1000
_WEEK = 7
_MEASURES = ("n_calls", "tokens", "cost_usd")
_BACKTEST = pl.Schema(
    {
        "origin": pl.Date(),
        "horizon": pl.Int64(),
        **dict.fromkeys(("actual_usd", "forecast_usd", "low", "high"), pl.Float64()),
        "covered": pl.Boolean(),
    }
)


@dataclass(frozen=True)
class Forecast:
    """The cost of the days to come.

    Attributes:
        estimate: USD of all of them; None: refused.
        low: P10 of it.
        high: P90 of it.
        n: days of history.
        method: in words.
        refused_because: why there is none; empty when there is one.
        days: `day, n_calls, tokens_per_call, usd_per_million_tokens` (NULL where the history has no calls or no
            tokens), `cost_usd` of the day, and `cumulative_usd, low, high` up to its end.
    """

    estimate: float | None
    low: float | None
    high: float | None
    n: int
    method: str
    refused_because: str
    days: pl.DataFrame


def daily(hourly: pl.DataFrame, *, until: date, zone: str = "UTC") -> pl.DataFrame:
    """Return the days from the first with usage to the day before `until`, days without usage at 0.

    Args:
        hourly: `hour` (UTC), `n_calls, tokens, cost_usd` (Decimal; NULL: unpriced, counted as nothing).
        until: the first day that is not complete.
        zone: whose days.

    Returns:
        `day, n_calls, tokens, cost_usd` (Decimal), sorted; empty without history.
    """
    days = in_periods(hourly, "day", zone, at="hour").with_columns(pl.col("period").dt.date().alias("day"))
    summed = days.filter(pl.col("day") < until).group_by("day").agg(pl.col(_MEASURES).sum()).sort("day")
    if summed.is_empty():
        return summed
    grid = pl.DataFrame({"day": pl.date_range(summed["day"][0], until - timedelta(days=1), eager=True)})
    return grid.join(summed, on="day", how="left", maintain_order="left").with_columns(pl.col(_MEASURES).fill_null(0))


def forecast(
    days: pl.DataFrame, *, through: date, chance: np.random.Generator, share_of_first_day: float = 1.0
) -> Forecast:
    """Return the cost of the days after the history.

    Args:
        days: result of `daily`.
        through: last day to forecast, included.
        chance: draws the paths.
        share_of_first_day: part of the first of these days that is still to come, 0 to 1.

    Returns:
        The forecast; refused below 28 days of history.
    """
    n = days.height
    if n < LEAST_DAYS:
        reason = f"too little history: {n} days, {LEAST_DAYS} are needed"
        return Forecast(None, None, None, n, METHOD, reason, _path(days, n, np.empty(0), np.empty((0, 0))))
    first = days["day"][-1] + timedelta(days=1)
    length = max((through - first).days + 1, 0)
    past = _Past(days, length)
    expected = past.expected(n, length)
    weights = np.ones(length)
    weights[:1] = share_of_first_day
    paths = past.paths(n, length, chance) * weights
    rows = _path(days, n, expected * weights, paths)
    if length == 0:
        return Forecast(0.0, 0.0, 0.0, n, METHOD, "", rows)
    last = rows.row(-1, named=True)
    return Forecast(last["cumulative_usd"], last["low"], last["high"], n, METHOD, "", rows)


def backtest(days: pl.DataFrame, *, chance: np.random.Generator, horizons: tuple[int, ...] = HORIZONS) -> pl.DataFrame:
    """Return what the method would have said on every earlier day that had enough history, and what came.

    Args:
        days: result of `daily`.
        chance: draws the paths.
        horizons: numbers of days whose sum is forecast.

    Returns:
        One row per origin and horizon, sorted: `origin` (the first day that was not known), `horizon`, `actual_usd,
        forecast_usd, low, high` (float64), `covered`. Empty below 29 days of history.
    """
    longest = max(horizons)
    past = _Past(days, longest)
    rows = []
    for origin in range(LEAST_DAYS, days.height):
        ahead = min(longest, days.height - origin)
        expected, paths = past.expected(origin, ahead), past.paths(origin, ahead, chance)
        for horizon in (h for h in horizons if h <= ahead):
            point = float(expected[:horizon].sum())
            low, high = _bounds(paths[:, :horizon].sum(axis=1), point)
            actual = float(past.cost[origin : origin + horizon].sum())
            rows.append((days["day"][origin], horizon, actual, point, low, high, low <= actual <= high))
    return pl.DataFrame(rows, schema=_BACKTEST, orient="row").sort("origin", "horizon")


def accuracy(tested: pl.DataFrame) -> pl.DataFrame:
    """Return how good the method was: by horizon `n_origins, wape, coverage`.

    WAPE = sum |actual - forecast| / sum actual (NULL where nothing was spent); coverage is the share of origins inside
    P10-P90, which should be 0.8. Origins overlap, so that their number is not that of independent trials.

    Args:
        tested: result of `backtest`.
    """
    error = (pl.col("actual_usd") - pl.col("forecast_usd")).abs().sum()
    return (
        tested.group_by("horizon")
        .agg(
            pl.len().cast(pl.Int64).alias("n_origins"),
            (error / pl.col("actual_usd").sum().replace(0.0, None)).alias("wape"),
            pl.col("covered").mean().alias("coverage"),
        )
        .sort("horizon")
    )


class _Past:
    """A history and what the baseline said from each of its days."""

    def __init__(self, days: pl.DataFrame, longest: int) -> None:
        self.calls, self.tokens, self.cost = (days[name].cast(pl.Float64).to_numpy() for name in _MEASURES)
        self._weekday = np.arange(len(self.cost) + longest) % _WEEK
        self._errors: dict[int, Floats] = {}

    def expected(self, origin: int, length: int) -> Floats:
        """Return the baseline of `length` days from the origin, known only what came before."""
        window = slice(origin - BASELINE_DAYS, origin)
        # Fees and capacity may cost without a call; their baseline is the cost itself.
        counted = self.calls if self.calls[window].sum() > 0 else self.cost
        level = counted[window].mean()
        usd_each = self.cost[window].sum() / counted[window].sum() if level > 0 else 0.0
        shape = self._shape(counted, origin)[self._weekday[origin : origin + length]]
        return np.asarray(level * usd_each * shape, dtype=np.float64)

    def paths(self, origin: int, length: int, chance: np.random.Generator) -> Floats:
        """Return drawn costs of the days from the origin, one row a draw: each day errs, and all of them together."""
        starts = range(BASELINE_DAYS, origin)
        ahead = np.array([self._error(start)[0] for start in starts])
        weeks = np.array([self._error(start).mean() for start in starts if start + _WEEK <= origin])
        noise = float(ahead.var())
        # The week's mean misses by its own noise and by the level's error; of the latter at least what 14 days leave.
        level = np.sqrt(max(noise / BASELINE_DAYS, float(np.mean(weeks**2)) - noise / _WEEK))
        daily_errors = chance.choice(ahead - ahead.mean(), size=(_DRAWS, length))
        common = chance.standard_t(max(len(starts) / _WEEK, 2.0), size=(_DRAWS, 1)) * level
        expected = self.expected(origin, length)
        paths: Floats = np.maximum(expected + (daily_errors + common) * self._scale(origin), 0.0)
        return paths

    def _error(self, start: int) -> Floats:
        """Return by how much each day of the week from the start missed its baseline, in levels of the 14 before."""
        known = self._errors.get(start)
        if known is None:
            actual = self.cost[start : start + _WEEK]
            scale = self._scale(start)
            known = (actual - self.expected(start, len(actual))) / scale if scale > 0 else np.zeros(len(actual))
            self._errors[start] = known
        return known

    def _scale(self, origin: int) -> float:
        return float(self.cost[origin - BASELINE_DAYS : origin].mean())

    def _shape(self, counted: Floats, origin: int) -> Floats:
        """Return each weekday's calls in days of the average: 1 where all days are alike."""
        weeks = min(origin, SHAPE_DAYS) // _WEEK
        begin = origin - weeks * _WEEK
        by_day = counted[begin:origin].reshape(weeks, _WEEK).mean(axis=0)
        shape = np.ones(_WEEK)
        if by_day.mean() > 0:
            shape[self._weekday[begin : begin + _WEEK]] = by_day / by_day.mean()
        return shape


def _bounds(totals: Floats, point: float) -> tuple[float, float]:
    low, high = np.percentile(totals, [LOW, HIGH])
    return min(float(low), point), max(float(high), point)


def _path(days: pl.DataFrame, n: int, expected: Floats, paths: Floats) -> pl.DataFrame:
    calls, tokens, cost = (float(days[name].tail(BASELINE_DAYS).sum()) for name in _MEASURES)
    first = days["day"][-1] if n else date.min
    cumulative = np.cumsum(expected)
    bounds = [_bounds(paths[:, : k + 1].sum(axis=1), point) for k, point in enumerate(cumulative)]
    return pl.DataFrame(
        {
            "day": [first + timedelta(days=k + 1) for k in range(len(expected))],
            "n_calls": [usd * calls / cost if cost and calls else None for usd in expected],
            "tokens_per_call": [tokens / calls if calls else None] * len(expected),
            "usd_per_million_tokens": [cost / tokens * 1e6 if tokens else None] * len(expected),
            "cost_usd": expected,
            "cumulative_usd": cumulative,
            "low": [low for low, _ in bounds],
            "high": [high for _, high in bounds],
        },
        schema_overrides={"day": pl.Date, **dict.fromkeys(("n_calls", "low", "high"), pl.Float64)},
    )
