"""How long outcomes take: the window after which a run is settled, and the share of outcomes known at an age."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tokenpnl.model import OutcomeStatus
from tokenpnl_analytics.rules.outcomes import fits

_WINDOW_QUANTILE = 0.95
_YOUNG_SHARE = 2 / 3
_HOUR = 3600.0

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


def outcome_windows(
    runs: pl.DataFrame, given: Mapping[str, timedelta] | None = None, *, as_of: datetime
) -> pl.DataFrame:
    """Return the outcome window of each workflow that has one.

    A delay can be seen only in a run as old as it, so that the delays seen in a young history are the short ones; the
    observed window is that of the right-truncated distribution (see `known_share`), over outcomes of every kind.

    Args:
        runs: table `runs`, started before `as_of`.
        given: windows that the configuration states, by workflow or pattern (`support_*`), of which the first that
            fits counts; they win over the observed ones.
        as_of: the moment at which outcomes are read.

    Returns:
        `workflow, window_hours, window_young`: the given window, else the 95th percentile of outcome delay in float64,
        an estimate. `window_young`: an observed window beyond two thirds of the age of the workflow's oldest run; what
        takes longer than that age nobody has seen, so the true window may be longer. A workflow without outcomes and
        without a stated window is absent: none of its runs is ever settled.
    """
    named_workflows = runs["workflow"].drop_nulls().unique().sort()
    fitting = {
        name: [window for pattern, window in (given or {}).items() if fits(name, pattern)] for name in named_workflows
    }
    rows: list[tuple[str | None, float, bool]] = [
        (name, windows[0].total_seconds() / _HOUR, False) for name, windows in fitting.items() if windows
    ]
    stated = {name for name, *_ in rows}
    told = runs.filter(pl.col("outcome").is_not_null()).select(
        "workflow", _hours_until(pl.lit(as_of)).alias("age"), _hours_until(pl.col("outcome_at")).alias("delay")
    )
    oldest = runs.group_by("workflow").agg(_hours_until(pl.lit(as_of)).max().alias("oldest"))
    ages = dict(oldest.sort("workflow").iter_rows())
    for (name,), workflow in told.filter(pl.col("delay") <= pl.col("age")).group_by("workflow"):
        if name not in stated:
            window = _window(workflow["delay"].to_numpy(), workflow["age"].to_numpy())
            rows.append((name, window, window > _YOUNG_SHARE * ages[name]))
    schema = {"workflow": pl.String, "window_hours": pl.Float64, "window_young": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("workflow", nulls_last=True)


def known_share(runs: pl.DataFrame, *, as_of: datetime) -> pl.DataFrame:
    """Return for each run the share of successes that is known at its age: `tenant, run_id, known_share`.

    From the right-truncated distribution of delays (Lawless 1994), per workflow, in whole hours:
    g(k) = N(delay = k, age >= k) / N(delay <= k, age >= k) and F(a) = product over k > a of (1 - g(k)).
    An estimate in float64; NULL where the workflow has no success. It assumes that delays do not change with time.

    Args:
        runs: table `runs`, started before `as_of`.
        as_of: the moment at which outcomes are read.
    """
    hours = runs.select(
        "tenant",
        "run_id",
        "workflow",
        pl.col("outcome") == OutcomeStatus.SUCCESS.value,
        _hours_until(pl.lit(as_of)).floor().cast(pl.Int64).alias("age"),
        _hours_until(pl.col("outcome_at")).floor().cast(pl.Int64).alias("delay"),
    )
    shares = []
    for (_,), workflow in hours.group_by("workflow"):
        won = workflow.filter(pl.col("outcome") & (pl.col("delay") <= pl.col("age")))
        share = _share_at(workflow["age"].to_numpy(), won["delay"].to_numpy(), won["age"].to_numpy())
        shares.append(workflow.select("tenant", "run_id").with_columns(pl.Series("known_share", share, pl.Float64)))
    empty = pl.DataFrame(schema={"tenant": pl.String, "run_id": pl.String, "known_share": pl.Float64})
    return pl.concat([empty, *shares])


def _share_at(ages: Whole, delays: Whole, ages_won: Whole) -> list[float | None]:
    if not len(delays):
        return [None] * len(ages)
    steps, survival = _known_by(delays, ages_won)
    return [float(x) for x in survival[np.searchsorted(steps, ages, "right")]]


def _known_by(delays: npt.NDArray[Any], ages: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Floats]:
    """Return the delays seen, sorted, and the share known before each of them, then 1 (all that can be seen)."""
    steps, equal = np.unique(delays, return_counts=True)
    # An outcome is known only when its delay is within its age, so age < k implies delay < k.
    at_risk = np.searchsorted(np.sort(delays), steps, "right") - np.searchsorted(np.sort(ages), steps, "left")
    survival: Floats = np.append(np.cumprod((1 - equal / at_risk)[::-1])[::-1], 1.0)
    return steps, survival


def _window(delays: Floats, ages: Floats) -> float:
    """Return the least delay by which the share of known outcomes is 95% or more."""
    steps, survival = _known_by(delays, ages)
    return float(steps[np.argmax(survival[1:] >= _WINDOW_QUANTILE - 1e-12)])


def _hours_until(moment: pl.Expr) -> pl.Expr:
    return (moment - pl.col("started_at")).dt.total_seconds().clip(0) / _HOUR
