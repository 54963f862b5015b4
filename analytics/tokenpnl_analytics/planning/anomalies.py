"""Hours that cost more than chance explains, per workflow and model, with few false alarms and a money floor.

Only the upper tail is looked at: spend that stops is no overspend. A robust z on the same series gave 110 alarms a day
where nothing happened; here the false-discovery rate of an evaluation window is what is controlled.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl

from tokenpnl_analytics.frames import MONEY, TIME
from tokenpnl_analytics.planning.tails import (
    LEAST_WEEKS,
    MOST_WEEKS,
    SPARSE_CALLS_AN_HOUR,
    WEEK,
    Floats,
    Judged,
    adjusted,
    judge_calls,
    judge_cost,
)

SERIES = ("workflow", "model")
HISTORY = timedelta(hours=(MOST_WEEKS + 1) * WEEK)
DEFAULT_Q = 0.05
_HOUR = timedelta(hours=1)
_MEASURES = ("n_calls", "tokens", "cost_usd")
_RECENT = timedelta(hours=24)
_NOTABLE = 1.3
_KEY = pl.Schema(dict.fromkeys(SERIES, pl.String()))
_REFUSED = pl.Schema({**_KEY, "cost_usd": MONEY, "n": pl.Int64(), "refused_because": pl.String()})
_HOURS = pl.Schema(
    {
        **_KEY,
        "hour": TIME,
        "observed_usd": MONEY,
        "expected_usd": pl.Float64(),
        "p": pl.Float64(),
        "n": pl.Int64(),
        "method": pl.String(),
    }
)


@dataclass(frozen=True)
class Found:
    """What one evaluation window holds.

    Attributes:
        incidents: one row per series and run of consecutive alarms, the most dollars above expected first: `workflow,
            model, since, until, n_hours, observed_usd` (Decimal), `expected_usd, excess_usd` (float64, estimated), `p,
            q` (of its least likely hour), `n` (hours of history), `method`.
        hours: every judged hour: `workflow, model, hour, observed_usd, expected_usd, p, q, n, method`.
        refused: series without a judgement: `workflow, model, cost_usd` (in the window), `n` (hours of history),
            `refused_because`.
    """

    incidents: pl.DataFrame
    hours: pl.DataFrame
    refused: pl.DataFrame


def anomalies(
    hourly: pl.DataFrame,
    *,
    since: datetime,
    until: datetime,
    q: float = DEFAULT_Q,
    floor_usd: Decimal = Decimal(1),
) -> Found:
    """Return the hours of [since, until) that cost more than chance explains.

    Every series is judged against its own hours of the week (`tails`): by cost, or by the number of calls where these
    are fewer than two an hour. Benjamini-Hochberg over all hours of all series keeps the expected share of false alarms
    among alarms at `q`; where nothing happened that is the chance of any alarm in the window. Consecutive alarms are
    one incident, told when its dollars above expected reach the floor.

    Args:
        hourly: one row per series and hour with usage: `workflow, model, hour` (UTC), `n_calls, tokens, cost_usd`
            (NULL: unpriced, counted as nothing). Up to `HISTORY` before `since` is used; a series needs five weeks.
        since: full hour, aware.
        until: full hour, aware, at most a week later: incomplete hours would look cheap.
        q: accepted share of false alarms.
        floor_usd: least dollars above expected of an incident.

    Raises:
        ValueError: when the window is empty or longer than a week.
    """
    n_hours = int((until - since) / _HOUR)
    if not 0 < n_hours <= WEEK:
        raise ValueError(f"a window is 1 to {WEEK} full hours, not {n_hours}")
    judged: list[pl.DataFrame] = []
    refused: list[dict[str, object]] = []
    window = hourly.filter(pl.col("hour").is_between(since - HISTORY, until, closed="left"))
    for key, rows in _series(window):
        weeks = _weeks_of(rows, since)
        if weeks < LEAST_WEEKS:
            refused.append({**key, **_refusal(rows, since)})
        else:
            judged.append(_judged(key, rows, since, n_hours, weeks))
    hours = pl.concat(judged) if judged else pl.DataFrame(schema=_HOURS)
    hours = hours.with_columns(pl.Series("q", adjusted(hours["p"].to_numpy()), pl.Float64))
    return Found(_incidents(hours, q, floor_usd), hours, pl.DataFrame(refused, schema=_REFUSED, orient="row"))


def with_causes(incidents: pl.DataFrame, hourly: pl.DataFrame, first_seen: pl.DataFrame) -> pl.DataFrame:
    """Return the incidents with `cause`: what was new just before, and which factor of the cost moved. Hints, no proof.

    Args:
        incidents: of `anomalies`.
        hourly: as in `anomalies`.
        first_seen: `workflow, what` (release, model, prompt), `value, first_at`: when the workflow first used it. What
            is as old as the data is no news and must be left out.
    """
    told = [_cause(row, hourly, first_seen) for row in incidents.iter_rows(named=True)]
    return incidents.with_columns(pl.Series("cause", told, pl.String))


def first_uses(sums: pl.DataFrame, what: str) -> pl.DataFrame:
    """Return when each workflow first used a value, as `first_seen` of `with_causes`; values as old as it are left out.

    Args:
        sums: `workflow`, the column `what`, `hour`: hours with usage.
        what: release, model, prompt.
    """
    began = pl.col("first_at").min().over("workflow")
    return (
        sums.filter(pl.col(what).is_not_null())
        .group_by("workflow", what)
        .agg(pl.col("hour").min().alias("first_at"))
        .filter(pl.col("first_at") > began)
        .select("workflow", pl.lit(what).alias("what"), pl.col(what).alias("value"), "first_at")
        .sort("first_at", "workflow", "value", nulls_last=True)
    )


def _series(window: pl.DataFrame) -> Iterator[tuple[dict[str, object], pl.DataFrame]]:
    parts = window.sort(*SERIES, "hour", nulls_last=True).partition_by(SERIES, maintain_order=True, as_dict=True)
    for key, rows in parts.items():
        yield dict(zip(SERIES, key, strict=True)), rows


def _age(rows: pl.DataFrame, since: datetime) -> int:
    first = rows["hour"][0]
    return max(int((since - first) / _HOUR), 0)


def _weeks_of(rows: pl.DataFrame, since: datetime) -> int:
    """Return the full weeks of history beyond the first, which gives the level alone."""
    return min(_age(rows, since) // WEEK - 1, MOST_WEEKS)


def _refusal(rows: pl.DataFrame, since: datetime) -> dict[str, object]:
    age = _age(rows, since)
    need = (LEAST_WEEKS + 1) * WEEK
    return {
        "cost_usd": rows.filter(pl.col("hour") >= since)["cost_usd"].sum(),
        "n": age,
        "refused_because": f"too little history: {age} hours, {need} are needed",
    }


def _judged(key: dict[str, object], rows: pl.DataFrame, since: datetime, n_hours: int, weeks: int) -> pl.DataFrame:
    begin = since - timedelta(hours=(weeks + 1) * WEEK)
    length = (weeks + 1) * WEEK + n_hours
    grid = pl.DataFrame({"hour": [begin + _HOUR * number for number in range(length)]}, schema={"hour": TIME})
    dense = grid.join(rows.select("hour", *_MEASURES), on="hour", how="left", maintain_order="left")
    cost, calls = (dense[name].cast(pl.Float64).fill_null(0.0).to_numpy() for name in ("cost_usd", "n_calls"))
    verdict = _verdict(cost, calls, first_hour_of_week=begin.weekday() * 24 + begin.hour, weeks=weeks)
    return dense.tail(n_hours).select(
        *(pl.lit(key[name], pl.String).alias(name) for name in SERIES),
        "hour",
        pl.col("cost_usd").fill_null(pl.lit(0, MONEY)).alias("observed_usd"),
        pl.Series("expected_usd", verdict.expected, pl.Float64),
        pl.Series("p", verdict.p, pl.Float64),
        pl.lit(verdict.n, pl.Int64).alias("n"),
        pl.lit(verdict.method).alias("method"),
    )


def _verdict(cost: Floats, calls: Floats, *, first_hour_of_week: int, weeks: int) -> Judged:
    history = (weeks + 1) * WEEK
    mean_calls = float(calls[:history].mean())
    # Lines without calls (capacity, fees) have no count to judge; their cost is judged as it is.
    if mean_calls == 0 or mean_calls >= SPARSE_CALLS_AN_HOUR:
        return judge_cost(cost, first_hour_of_week=first_hour_of_week, weeks=weeks)
    found = judge_calls(calls, first_hour_of_week=first_hour_of_week, weeks=weeks)
    usd_per_call = float(cost[:history].mean()) / mean_calls
    return Judged(found.expected * usd_per_call, found.p, found.n, found.method)


def _incidents(hours: pl.DataFrame, q: float, floor_usd: Decimal) -> pl.DataFrame:
    alarms = hours.filter(pl.col("q") <= q).sort(*SERIES, "hour", nulls_last=True)
    apart = (pl.col("hour").diff() != _HOUR) | ~pl.all_horizontal(
        pl.col(name).eq_missing(pl.col(name).shift()) for name in SERIES
    )
    return (
        alarms.with_columns(apart.fill_null(value=True).cum_sum().alias("incident"))
        .group_by("incident", *SERIES)
        .agg(
            pl.col("hour").min().alias("since"),
            (pl.col("hour").max() + _HOUR).alias("until"),
            pl.len().cast(pl.Int64).alias("n_hours"),
            pl.col("observed_usd").sum(),
            pl.col("expected_usd").sum(),
            pl.col("p", "q").min(),
            pl.col("n", "method").first(),
        )
        .with_columns((pl.col("observed_usd").cast(pl.Float64) - pl.col("expected_usd")).alias("excess_usd"))
        .filter(pl.col("excess_usd") >= float(floor_usd))
        .sort("excess_usd", "since", *SERIES, descending=[True, False, False, False], nulls_last=True)
        .select(
            *SERIES, "since", "until", "n_hours", "observed_usd", "expected_usd", "excess_usd", "p", "q", "n", "method"
        )
    )


def _cause(incident: dict[str, object], hourly: pl.DataFrame, first_seen: pl.DataFrame) -> str:
    since, until = incident["since"], incident["until"]
    assert isinstance(since, datetime)
    assert isinstance(until, datetime)
    recent = first_seen.filter(
        pl.col("workflow").eq_missing(pl.lit(incident["workflow"], pl.String))
        & pl.col("first_at").is_between(since - _RECENT, until, closed="left")
    )
    news = [f"{what} {value} new at {at:%-d %b %H:%M}" for _, what, value, at in recent.iter_rows()]
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.lit(incident[name], pl.String)) for name in SERIES)
    rows = hourly.filter(same)
    usual = [
        rows.filter(pl.col("hour").is_between(since - back, until - back, closed="left"))
        for back in (timedelta(weeks=number) for number in range(1, 5))
    ]
    return "; ".join([*news, *_moved(_totals([rows.filter(_within(since, until))]), _totals(usual) / len(usual))])


def _within(since: datetime, until: datetime) -> pl.Expr:
    return pl.col("hour").is_between(since, until, closed="left")


def _totals(frames: list[pl.DataFrame]) -> Floats:
    rows = pl.concat(frames)
    return np.array([float(rows[name].cast(pl.Float64).sum()) for name in _MEASURES])


def _moved(now: Floats, usual: Floats) -> list[str]:
    """Return the factors of the cost that are notably higher than in the same hours of the four weeks before."""
    if not usual.all() or not now.all():
        return []
    ratio = now / usual
    factors = {
        "calls": ratio[0],
        "tokens per call": ratio[1] / ratio[0],
        "price per token": ratio[2] / ratio[1],
    }
    largest = sorted(factors.items(), key=lambda item: -item[1])
    return [f"{name} ×{value:.1f}" for name, value in largest if value >= _NOTABLE]
