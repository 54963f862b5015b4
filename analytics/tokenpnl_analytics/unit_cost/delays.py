"""How long outcomes take: the window after which a run is settled, and the share of outcomes known at an age."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from tokenpnl.model import OutcomeStatus
from tokenpnl_analytics.rules.outcomes import fits
from tokenpnl_analytics.unit_cost.outcomes import outcome_delays

_WINDOW_QUANTILE = 0.95
_HOUR = 3600.0


def outcome_windows(runs: pl.DataFrame, given: Mapping[str, timedelta] | None = None) -> pl.DataFrame:
    """Return the outcome window of each workflow that has one.

    Args:
        runs: table `runs`.
        given: windows that the configuration states, by workflow or pattern (`support_*`), of which the first that
            fits counts; they win over the observed ones.

    Returns:
        `workflow, window_hours`: the given window, else the observed 95th percentile of outcome delay. A workflow
        without outcomes and without a stated window is absent: none of its runs is ever settled.
    """
    named_workflows = runs["workflow"].drop_nulls().unique().sort()
    fitting = {
        name: [window for pattern, window in (given or {}).items() if fits(name, pattern)] for name in named_workflows
    }
    stated = {name: windows[0].total_seconds() / _HOUR for name, windows in fitting.items() if windows}
    observed = (
        outcome_delays(runs)
        .group_by("workflow")
        .agg(pl.col("delay_hours").quantile(_WINDOW_QUANTILE, "higher").alias("window_hours"))
        .filter(~pl.col("workflow").is_in(list(stated)).fill_null(value=False))
    )
    named = pl.DataFrame(
        {"workflow": list(stated), "window_hours": list(stated.values())},
        schema={"workflow": pl.String, "window_hours": pl.Float64},
    )
    return pl.concat([observed, named]).sort("workflow", nulls_last=True)


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
        ((pl.lit(as_of) - pl.col("started_at")).dt.total_seconds() / _HOUR).floor().cast(pl.Int64).alias("age"),
        ((pl.col("outcome_at") - pl.col("started_at")).dt.total_seconds().clip(0) / _HOUR)
        .floor()
        .cast(pl.Int64)
        .alias("delay"),
    )
    shares = []
    for (_,), workflow in hours.group_by("workflow"):
        won = workflow.filter(pl.col("outcome") & (pl.col("delay") <= pl.col("age")))
        share = _share_at(workflow["age"].to_numpy(), won["delay"].to_numpy(), won["age"].to_numpy())
        shares.append(workflow.select("tenant", "run_id").with_columns(pl.Series("known_share", share, pl.Float64)))
    empty = pl.DataFrame(schema={"tenant": pl.String, "run_id": pl.String, "known_share": pl.Float64})
    return pl.concat([empty, *shares])


def _share_at(
    ages: npt.NDArray[np.int64], delays: npt.NDArray[np.int64], ages_won: npt.NDArray[np.int64]
) -> list[float | None]:
    if not len(delays):
        return [None] * len(ages)
    steps, equal = np.unique(delays, return_counts=True)
    # A success is known only when its delay is within its age, so age < k implies delay < k.
    at_risk = np.searchsorted(np.sort(delays), steps, "right") - np.searchsorted(np.sort(ages_won), steps, "left")
    survival = np.append(np.cumprod((1 - equal / at_risk)[::-1])[::-1], 1.0)
    return [float(x) for x in survival[np.searchsorted(steps, ages, "right")]]
