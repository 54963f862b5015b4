"""Two settled unit costs side by side: how much dearer, how sure, or why they may not be compared.

Every surface that sets one cost per success against another asks here, so that no difference is shown which may be
chance, stands on a handful of successes, or comes from another meaning of success.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import polars as pl

from tokenpnl_analytics.rules.outcomes import OutcomesFile
from tokenpnl_analytics.unit_cost.intervals import FEW_SUCCESSES
from tokenpnl_analytics.unit_cost.outcome_rules import definitions_in
from tokenpnl_analytics.unit_cost.units import PRICED_SHARE_FLOOR, unit_costs

METHOD = "ratio of independent cohorts, log scale, from the 95% intervals of both (MOVER)"
_WHOLE = "_whole"
_TAKEN = ("settled_usd", "at_least_usd", "low", "high", "settled_successes", "priced_share", "estimated")
_MOMENT = timedelta(microseconds=1)


def compared(
    now: pl.DataFrame, before: pl.DataFrame, by: Sequence[str] = (), *, redefined: Collection[str | None] = ()
) -> pl.DataFrame:
    """Return how the settled unit cost of each slice stands against the one before.

    With d = log(now) - log(before) and [l, u] the logs of the 95% interval of each, the bounds are
    d - sqrt((d_now - l_now)^2 + (u_before - d_before)^2) and d + sqrt((u_now - d_now)^2 + (d_before - l_before)^2):
    the variances of independent cohorts add up on the log scale, and an interval of few clusters keeps its own shape
    (Zou and Donner 2008). Where both intervals are cluster-robust on the log scale this is the delta method.

    Args:
        now: result of `unit_costs` by the dimensions.
        before: the same of other runs: an earlier period, another release.
        by: the dimensions; none: both are one row.
        redefined: values of the only dimension for which success meant another thing before, see `redefinitions`.

    Returns:
        The dimensions of `now`, sorted, then `settled_usd, before_usd` with `at_least_usd, before_at_least_usd` (where
        a figure may be read as a floor only), `ratio, low, high` (float64: estimates; 1.05 is
        5% dearer; a bound is NULL where one of the figures has none), `differs` (the interval excludes 1),
        `successes, successes_before, method, refused_because` (NULL: compared; else ratio and bounds are NULL).
    """
    keys = list(by) or [_WHOLE]
    whole = [] if by else [pl.lit(value=True).alias(_WHOLE)]
    ours, theirs = (frame.with_columns(whole).select(*keys, *_TAKEN) for frame in (now, before))
    changed = pl.col(keys[0]).is_in(list(redefined), nulls_equal=True) if redefined and by else pl.lit(bool(redefined))
    joined = ours.join(theirs, on=keys, how="left", nulls_equal=True, suffix="_before").with_columns(
        _refusal(changed).alias("refused_because")
    )
    compared_ = pl.col("refused_because").is_null()
    return (
        joined.with_columns(_ratio(compared_))
        .with_columns(((pl.col("ratio_low") > 1) | (pl.col("ratio_high") < 1)).alias("differs"))
        .select(
            *by,
            "settled_usd",
            pl.col("settled_usd_before").alias("before_usd"),
            "at_least_usd",
            pl.col("at_least_usd_before").alias("before_at_least_usd"),
            "ratio",
            pl.col("ratio_low").alias("low"),
            pl.col("ratio_high").alias("high"),
            pl.when(compared_).then(pl.col("differs").fill_null(value=False)).alias("differs"),
            pl.col("settled_successes").alias("successes"),
            pl.col("settled_successes_before").alias("successes_before"),
            pl.when(compared_).then(pl.lit(METHOD)).alias("method"),
            "refused_because",
        )
        .sort(list(by), nulls_last=True)
    )


def compared_cohorts(
    now: pl.DataFrame,
    before: pl.DataFrame,
    by: str | None = None,
    *,
    rules: OutcomesFile,
    within: tuple[datetime | None, datetime],
) -> pl.DataFrame:
    """Return `compared` of two cohorts that share no run.

    Args:
        now: result of `cohort`.
        before: the same of the other runs.
        by: a dimension of runs; None: both as a whole, one row.
        rules: the success definitions; a slice with a workflow whose definition changed is not compared.
        within: the begin of the earlier and the end of the later period.
    """
    column = by or "whole"
    sides = [runs.with_columns(pl.lit(value=True).alias("whole")) for runs in (now, before)]
    every = pl.concat([runs.select(pl.col("workflow").alias("_workflow"), column) for runs in sides])
    changed = redefinitions(every["_workflow"].unique().sort().to_list(), rules, *within)
    redefined = every.filter(pl.col("_workflow").is_in(changed, nulls_equal=True))[column].unique().to_list()
    ours, theirs = (unit_costs(runs, [column]) for runs in sides)
    found = compared(ours, theirs, [column], redefined=redefined)
    return found if by else found.drop("whole")


def redefinitions(
    workflows: Sequence[str | None], rules: OutcomesFile, since: datetime | None, until: datetime
) -> list[str | None]:
    """Return the workflows whose success definition changed within the two periods that are compared.

    Args:
        workflows: those of the runs on either side.
        rules: the success definitions.
        since: the begin of the earlier period; a change at that very moment changes nothing between the two.
        until: the end of the later one.
    """
    begun = None if since is None else since + _MOMENT
    told = definitions_in(workflows, rules, until, since=begun, until=until)
    return told.filter(pl.col("changed_on").is_not_null())["workflow"].to_list()


def _refusal(changed: pl.Expr) -> pl.Expr:
    few = pl.min_horizontal("settled_successes", "settled_successes_before") < FEW_SUCCESSES
    unpriced = pl.min_horizontal("priced_share", "priced_share_before") < PRICED_SHARE_FLOOR
    reasons = {
        "nothing to compare with: no such runs before": pl.col("settled_successes_before").is_null(),
        "success meant another thing before": changed,
        f"fewer than {FEW_SUCCESSES} successes on one side: at least, no comparison": few,
        "no settled figure on one side": pl.any_horizontal(pl.col("settled_usd", "settled_usd_before").is_null()),
        "no cost on one side": (pl.col("settled_usd") == 0) | (pl.col("settled_usd_before") == 0),
        "unpriced usage on one side: its figure is a floor": unpriced,
    }
    return pl.coalesce(pl.when(holds.fill_null(value=False)).then(pl.lit(told)) for told, holds in reasons.items())


def _ratio(holds: pl.Expr) -> list[pl.Expr]:
    """Return `ratio, ratio_low, ratio_high`. Float64: estimates."""
    now, before = (pl.col(name).cast(pl.Float64).log() for name in ("settled_usd", "settled_usd_before"))
    low, low_before, high, high_before = (pl.col(name).log() for name in ("low", "low_before", "high", "high_before"))
    change = now - before
    below = ((now - low).pow(2) + (high_before - before).pow(2)).sqrt()
    above = ((high - now).pow(2) + (before - low_before).pow(2)).sqrt()
    bounds = {"ratio": change, "ratio_low": change - below, "ratio_high": change + above}
    return [pl.when(holds).then(value.exp()).alias(name) for name, value in bounds.items()]
