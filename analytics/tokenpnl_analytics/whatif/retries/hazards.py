"""How likely the next try succeeds, of those who make it; never by multiplying as if tries were independent."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from tokenpnl_analytics.unit_cost.risk import wilson_interval
from tokenpnl_analytics.whatif.result import Estimate
from tokenpnl_analytics.whatif.retries.chains import Ended


def hazards(tries: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return h_k = successes at k / tries made at k, with those at risk and what became of the others.

    Args:
        tries: result of `tries_of` or `cases_of`.
        by: further columns to split by, such as `after` (error class of the try before), `workflow`, `model`.

    Returns:
        The columns of `by`, `k`, `made` (at risk), `succeeded`, `hazard`, `low`, `high` (Wilson), `continued`,
        `gave_up`, `deadline`, `unknown`; sorted by `by` and k. A try whose end nobody has told yet is not at risk.
    """
    counted = tries.group_by(*by, "k").agg(
        (pl.col("ended") != Ended.UNKNOWN.value).sum().cast(pl.Int64).alias("made"),
        *((pl.col("ended") == end.value).sum().cast(pl.Int64).alias(end.value) for end in Ended),
    )
    known = counted.filter(pl.col("made") > 0).sort(*by, "k")
    intervals = [wilson_interval(*counts) for counts in known.select("succeeded", "made").iter_rows()]
    return known.select(
        *by,
        "k",
        "made",
        "succeeded",
        (pl.col("succeeded") / pl.col("made")).alias("hazard"),
        pl.Series("low", [low for low, _ in intervals], pl.Float64),
        pl.Series("high", [high for _, high in intervals], pl.Float64),
        "continued",
        "gave_up",
        "deadline",
        "unknown",
    )


def reached(found: pl.DataFrame) -> pl.DataFrame:
    """Return the share of chains that succeed within k tries, between its two bounds.

    Args:
        found: result of `hazards` without `by`.

    Returns:
        `k`, `if_stopped_fail` (who gave up or ran out of time would never have succeeded: the cumulative incidence,
        Aalen and Johansen 1978), `if_they_follow` (they would have gone on like those who did: 1 - product of
        (1 - h_j), Kaplan and Meier 1958), `made` at k. Beyond the largest k nothing is known.
    """
    chains = found["made"][0] if found.height else 1
    survived = (1 - pl.col("hazard")).cum_prod()
    return found.select(
        "k",
        (pl.col("succeeded").cum_sum() / chains).alias("if_stopped_fail"),
        (1 - survived).alias("if_they_follow"),
        "made",
    )


def within(found: pl.DataFrame, most: int) -> Estimate:
    """Return the share of chains that succeed with at most so many tries, as bounds.

    Args:
        found: result of `hazards` without `by`.
        most: tries allowed, at least 1.

    Returns:
        `low` if those who stopped would have failed, `high` if they would have followed h_k; `value` where both agree.
        Refused beyond the largest observed k.
    """
    curve = reached(found)
    largest = int(found["k"].max() or 0)  # type: ignore[arg-type]
    n = int(found["made"][0]) if found.height else 0
    method = "hazards of the tries made; bounds: who stopped fails, or follows h_k"
    if not 1 <= most <= largest:
        why = f"at most {largest} tries were ever made: what try {most} would do is not identifiable; try it on some"
        return Estimate(None, None, None, n, method, refused_because=why)
    low, high = curve.filter(pl.col("k") == most).select("if_stopped_fail", "if_they_follow").row(0)
    return Estimate(low if np.isclose(low, high) else None, low, high, n, method)
