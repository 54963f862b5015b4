"""An observed change: before against after, set against workflows that nobody touched. Never a proof.

Estimates, in float64.
"""

from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats

from tokenpnl_analytics.unit_cost.intervals import CONFIDENCE
from tokenpnl_analytics.whatif.result import Estimate

Floats = npt.NDArray[np.float64]

LEAST_BEFORE, LEAST_AFTER = 14, 7
_METHOD = "difference in differences of log cost per run, the day as cluster, t"


def observed_change(runs: pl.DataFrame, changed_at: datetime, *, touched: str, untouched: list[str]) -> Estimate:
    """Return by which share the cost per run fell, beyond what it did in untouched workflows; 0.2 is 20% cheaper.

    Each day holds one number: log cost per run of the touched workflow minus that of all untouched ones together. The
    change is the mean after minus the mean before (Welch's t over days). Nothing is given where the trend of that
    number before the change differs from 0 (5%), or where days are few: then other reasons move the cost too.

    Args:
        runs: `workflow, started_at, cost_usd` of at least the two periods; NULL cost is left out.
        changed_at: aware; the day of it is left out.
        touched: workflow that was changed.
        untouched: workflows that were not.
    """
    before, after, n = _daily(runs, changed_at, touched, untouched)
    if len(before) < LEAST_BEFORE or len(after) < LEAST_AFTER:
        why = (
            f"{len(before)} days before and {len(after)} after with runs on both sides; "
            f"{LEAST_BEFORE} and {LEAST_AFTER} are needed"
        )
        return Estimate(None, None, None, n, _METHOD, refused_because=why)
    days = np.arange(len(before))
    if before.std() > 0 and stats.linregress(days, before).pvalue < 1 - CONFIDENCE:
        why = "cost moved apart from the untouched workflows before the change already: no reading of what came after"
        return Estimate(None, None, None, n, _METHOD, refused_because=why)
    change = float(after.mean() - before.mean())
    parts = [float(side.var(ddof=1)) / len(side) for side in (before, after)]
    half = 0.0
    if sum(parts) > 0:
        freedom = sum(parts) ** 2 / sum(p**2 / (len(s) - 1) for p, s in zip(parts, (before, after), strict=True))
        half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom)) * float(np.sqrt(sum(parts)))
    low, value, high = (1 - float(np.exp(x)) for x in (change + half, change, change - half))
    return Estimate(value, low, high, n, _METHOD)


def _daily(runs: pl.DataFrame, changed_at: datetime, touched: str, untouched: list[str]) -> tuple[Floats, Floats, int]:
    """Return the daily differences before and after the day of the change, and the runs that they rest on."""
    of_both = runs.filter(pl.col("workflow").is_in([touched, *untouched]) & pl.col("cost_usd").is_not_null())
    per_day = (
        of_both.with_columns(
            pl.col("started_at").dt.convert_time_zone("UTC").dt.date().alias("day"),
            (pl.col("workflow") == touched).alias("touched"),
        )
        .group_by("day", "touched")
        .agg(pl.col("cost_usd").cast(pl.Float64).mean().log().alias("log_usd"))
        .filter(pl.col("log_usd").is_finite())
        .sort("day", "touched")
    )
    paired = per_day.group_by("day").agg(pl.col("log_usd").last() - pl.col("log_usd").first(), pl.len()).sort("day")
    paired = paired.filter(pl.col("len") == 2)
    day = pl.lit(changed_at).dt.convert_time_zone("UTC").dt.date()
    sides = [paired.filter(side)["log_usd"].to_numpy() for side in (pl.col("day") < day, pl.col("day") > day)]
    return sides[0], sides[1], of_both.height
