"""What the business got: the current outcome of each run, from statements that may arrive late and be revised."""

from datetime import datetime

import polars as pl

from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.outcomes import OutcomesFile
from tokenpnl_analytics.unit_cost.outcome_rules import with_default_values

_RUN = ["tenant", "run_id"]
_ATTACHED = ("outcome", "value_usd", "score", "outcome_source", "value_source", "outcome_at", "outcome_recorded_at")


def current_outcomes(outcomes: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Return what is now known about each run that somebody spoke of.

    The newest `effective_at` wins, ties by outcome id, then content hash; the order of arrival never decides. A
    statement changes only what it carries: status always, score where given, value where `value_given` (also NULL,
    which removes it).

    Args:
        outcomes: table `outcomes`.
        runs: table `runs`; a statement finds its run by run id; else by the run span, or by the trace where the trace
            holds one run only; else by business id, where of several runs the latest that had started by
            `effective_at` is meant, and the earliest where none had.

    Returns:
        `tenant, run_id, outcome, value_usd, value_given, score, outcome_source, outcome_at, outcome_recorded_at`, one
        row per run, sorted. `value_given`: some statement carried a value or removed it. `outcome_at` is when the
        present status became true, `outcome_recorded_at` when we first heard.
    """
    spoken = _statements_of_runs(outcomes, runs).sort(
        *_RUN, "effective_at", "outcome_id", "content_hash", "recorded_at", nulls_last=True
    )
    ranked = spoken.with_columns(
        pl.int_range(pl.len()).over(_RUN).alias("rank"),
        pl.col("status").last().over(_RUN).alias("outcome"),
    )
    other_status = pl.col("rank").filter(pl.col("status") != pl.col("outcome")).max().fill_null(-1)
    given = pl.col("value_given").fill_null(value=False) | pl.col("value_usd").is_not_null()
    return (
        ranked.group_by(_RUN)
        .agg(
            pl.col("outcome").last(),
            pl.col("value_usd").filter(given).last(),
            given.any().alias("value_given"),
            pl.col("score").drop_nulls().last(),
            pl.col("source").drop_nulls().last().alias("outcome_source"),
            pl.col("effective_at").filter(pl.col("rank") > other_status).min().alias("outcome_at"),
            pl.col("recorded_at").min().alias("outcome_recorded_at"),
        )
        .with_columns(pl.col("value_usd").cast(MONEY))
        .sort(_RUN)
    )


def attach_outcomes(
    runs: pl.DataFrame, outcomes: pl.DataFrame, *, ruled: pl.DataFrame | None = None, rules: OutcomesFile | None = None
) -> pl.DataFrame:
    """Return the runs with the outcome columns filled, NULL where nobody spoke; column order is kept.

    Args:
        runs: table `runs`.
        outcomes: table `outcomes`: what was stated; it always beats a rule.
        ruled: result of `ruled_outcomes`: what rules say of the runs that nobody spoke of.
        rules: success definitions, for the values of outcomes without a stated one.
    """
    current = current_outcomes(outcomes, runs)
    if ruled is not None:
        current = pl.concat([current, current_outcomes(ruled, runs).join(current, on=_RUN, how="anti")])
    bare = runs.drop(name for name in _ATTACHED if name in runs.columns)
    joined = with_default_values(
        bare.join(current, on=_RUN, how="left", maintain_order="left"), rules or OutcomesFile()
    )
    return joined.select(runs.columns if set(_ATTACHED) <= set(runs.columns) else [*bare.columns, *_ATTACHED])


def known_at(
    runs: pl.DataFrame, outcomes: pl.DataFrame, as_of: datetime, *, rules: OutcomesFile | None = None
) -> pl.DataFrame:
    """Return the runs with the outcome that each had at a moment; order is kept.

    Only runs whose present outcome became true later are read again: a success that was revised afterwards was one.

    Args:
        runs: table `runs`.
        outcomes: table `outcomes`: what was stated.
        as_of: aware.
        rules: success definitions, for the values of outcomes without a stated one.
    """
    moment = pl.lit(as_of).cast(pl.Datetime("ns", "UTC"))
    later = (pl.col("outcome_at") > moment).fill_null(value=False)
    before = attach_outcomes(runs, outcomes.filter(pl.col("effective_at") <= moment), rules=rules)
    then = before.select(pl.col(name).alias(f"{name}_then") for name in _ATTACHED)
    both = pl.concat([runs, then], how="horizontal")
    return both.with_columns(
        pl.when(later).then(f"{name}_then").otherwise(name).alias(name) for name in _ATTACHED
    ).select(runs.columns)


def at_home(outcomes: pl.DataFrame, homes: pl.DataFrame) -> pl.DataFrame:
    """Return the statements with the run of the span that made them, where they name no run themselves.

    Args:
        outcomes: table `outcomes`.
        homes: `tenant, trace_id, span_id, run_id` of the spans of traces that hold several runs.
    """
    if homes.is_empty():
        return outcomes
    span = ["tenant", "trace_id", "span_id"]
    homes = homes.unique(span, keep="first", maintain_order=True)
    found = outcomes.join(homes, on=span, how="left", suffix="_home", maintain_order="left")
    return found.with_columns(pl.coalesce("run_id", "run_id_home").alias("run_id")).drop("run_id_home")


def _statements_of_runs(outcomes: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Return the statements with the run they speak of; a statement about no known run is left out."""
    named = outcomes.filter(pl.col("run_id").is_not_null()).join(runs.select(_RUN), on=_RUN, how="semi")
    rest = outcomes.filter(pl.col("run_id").is_null() & pl.col("trace_id").is_not_null()).drop("run_id")
    span = ["tenant", "trace_id", "span_id"]
    by_span = rest.join(runs.select(*span, "run_id"), on=span)
    trace = ["tenant", "trace_id"]
    single = runs.filter(pl.len().over(trace) == 1).select(*trace, "run_id")
    by_trace = rest.join(runs.select(span), on=span, how="anti").join(single, on=trace)
    found = (named, by_span, by_trace, _statements_of_cases(outcomes, runs))
    return pl.concat([part.select(named.columns) for part in found])


def _statements_of_cases(outcomes: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Return the statements by business id with the run they mean: the latest that had started, else the earliest."""
    case = ["tenant", "business_id"]
    spoken = outcomes.filter(pl.col("run_id").is_null() & pl.col("trace_id").is_null()).drop("run_id")
    told = spoken.filter(pl.col("business_id").is_not_null()).with_row_index("statement")
    candidates = told.join(runs.select(*case, "run_id", "started_at"), on=case)
    begun = pl.col("started_at") <= pl.col("effective_at")
    # Of the runs that had begun the latest is last; where none had, the earliest is.
    since = (pl.col("started_at") - pl.col("effective_at")).dt.total_nanoseconds()
    nearness = pl.when(begun).then(since).otherwise(-since)
    ranked = candidates.with_columns(begun.alias("begun"), nearness.alias("nearness"))
    return ranked.sort("statement", "begun", "nearness", "run_id").unique("statement", keep="last", maintain_order=True)
