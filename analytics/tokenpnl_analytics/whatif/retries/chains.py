"""What was tried again: attempts of a call, and runs of a case that somebody started over."""

from datetime import timedelta
from enum import StrEnum

import polars as pl

from tokenpnl.model import AttemptStatus, OutcomeStatus

FIRST = "first"
RERUN_WITHIN = timedelta(hours=24)


class Ended(StrEnum):
    """How an attempt ended for its chain; the last three compete for those that failed."""

    SUCCEEDED = "succeeded"
    CONTINUED = "continued"  # failed, and another attempt was made
    GAVE_UP = "gave_up"  # failed, and nobody tried again
    DEADLINE = "deadline"  # its own time ran out, and nobody tried again
    UNKNOWN = "unknown"  # nobody has said yet


class ErrorClass(StrEnum):
    """Why an attempt failed, as far as it matters to the next."""

    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    INVALID_OUTPUT = "invalid_output"
    REJECTED = "rejected"
    OTHER = "other"


def tries_of(attempts: pl.DataFrame) -> pl.DataFrame:
    """Return attempts as tries of their call, numbered in the order in which they were made.

    Args:
        attempts: `call_key, attempt_id, run_id, started_at, status, http_status, output_valid, superseded, gave_up,
            rejected` of the table `attempts` at least; embeddings and models are the caller's to leave out.

    Returns:
        The columns of `attempts` and `chain` (the call), `k` (from 1), `ended` (`Ended`), `error_class` (of this try;
        NULL: it succeeded), `after` (error class of the try before; `first`), sorted by chain and k.
    """
    failed = pl.col("status") != AttemptStatus.OK.value
    succeeded = ~failed & ~pl.col("superseded") & ~pl.col("gave_up")
    out_of_time = pl.col("status").is_in([AttemptStatus.TIMEOUT.value, AttemptStatus.CANCELLED.value])
    ended = (
        pl.when(succeeded)
        .then(pl.lit(Ended.SUCCEEDED.value))
        .when(pl.col("superseded"))
        .then(pl.lit(Ended.CONTINUED.value))
        .when(out_of_time)
        .then(pl.lit(Ended.DEADLINE.value))
        .otherwise(pl.lit(Ended.GAVE_UP.value))
    )
    return _numbered(
        attempts.with_columns(
            pl.col("call_key").alias("chain"),
            ended.alias("ended"),
            pl.when(~succeeded).then(_error_class()).alias("error_class"),
        ),
        order=("started_at", "attempt_id"),
    )


def linked_tries(attempts: pl.DataFrame, runs: pl.DataFrame, within: timedelta = RERUN_WITHIN) -> pl.DataFrame:
    """Return attempts as tries, a call of a re-run going on where the same call of the run before had failed.

    A run of the same business id within 24 hours is a re-run (`cases_of`); its n-th call of a step stands for the n-th
    one of the run before. What was answered is no failure: after it a new chain begins.

    Args:
        attempts: as for `tries_of`, with `step`.
        runs: as for `cases_of`.
        within: how long after the start of the one before a run still counts as started over.

    Returns:
        As `tries_of`; `chain` names case, step, place and part where the call has a case.
    """
    cases = cases_of(runs, within).select("run_id", pl.col("chain").alias("case")).unique("run_id")
    tries = tries_of(attempts).with_columns(pl.col("started_at").min().over("chain").alias("first_at"))
    placed = (
        tries.join(cases, on="run_id", how="left")
        .sort("first_at", "chain", "k")
        .with_columns((pl.col("k") == 1).cast(pl.Int64).cum_sum().over("run_id", "step").alias("place"))
        .with_columns(pl.coalesce(pl.format("{}/{}/{}", "case", "step", "place"), "chain").alias("chain"))
        .sort("chain", "started_at", "attempt_id")
    )
    won = pl.col("ended") == Ended.SUCCEEDED.value
    parts = placed.with_columns(won.cast(pl.Int64).cum_sum().shift(1, fill_value=0).over("chain").alias("part"))
    whole = parts.with_columns(
        pl.when(pl.col("case").is_null()).then("chain").otherwise(pl.format("{}/{}", "chain", "part")).alias("chain")
    )
    followed = pl.col("attempt_id") != pl.col("attempt_id").last().over("chain")
    ended = pl.when(~won & followed).then(pl.lit(Ended.CONTINUED.value)).otherwise("ended")
    return _numbered(
        whole.with_columns(ended.alias("ended")).drop("first_at", "case", "place", "part", "k", "after"),
        order=("started_at", "attempt_id"),
    )


def cases_of(runs: pl.DataFrame, within: timedelta = RERUN_WITHIN) -> pl.DataFrame:
    """Return runs as tries of their case: a run of the same business id within 24 hours of the last one is a re-run.

    Args:
        runs: `run_id`, `workflow`, `business_id`, `started_at`, `outcome` of the table `runs` at least.
        within: how long after the start of the one before a run still counts as started over.

    Returns:
        The columns of `runs` and `chain` (the case: its first run's id), `k` (from 1), `ended`, `error_class` (outcome
        that it had instead of a success), `after` (that of the run before; `first`), sorted by chain and k. A run
        without business id is a case of its own.
    """
    key = ["workflow", "business_id"]
    ordered = runs.sort("workflow", "business_id", "started_at", "run_id")
    gap = pl.col("started_at") - pl.col("started_at").shift(1).over(key)
    begins = (pl.col("business_id").is_null() | gap.is_null() | (gap > within)).alias("begins")
    chained = ordered.with_columns(begins).with_columns(
        pl.when("begins").then("run_id").forward_fill().alias("chain")
    )  # fmt: skip
    followed = pl.col("chain") == pl.col("chain").shift(-1)
    won = pl.col("outcome") == OutcomeStatus.SUCCESS.value
    ended = (
        pl.when(won)
        .then(pl.lit(Ended.SUCCEEDED.value))
        .when(followed)
        .then(pl.lit(Ended.CONTINUED.value))
        .when(pl.col("outcome").is_null())
        .then(pl.lit(Ended.UNKNOWN.value))
        .otherwise(pl.lit(Ended.GAVE_UP.value))
    )
    return _numbered(
        chained.with_columns(
            ended.alias("ended"), pl.when(~won.fill_null(value=False)).then("outcome").alias("error_class")
        ).drop("begins"),
        order=("started_at", "run_id"),
    )


def _numbered(tries: pl.DataFrame, order: tuple[str, ...]) -> pl.DataFrame:
    return tries.sort("chain", *order).with_columns(
        (pl.int_range(pl.len(), dtype=pl.Int64) + 1).over("chain").alias("k"),
        pl.col("error_class").shift(1, fill_value=FIRST).over("chain").fill_null(ErrorClass.OTHER.value).alias("after"),
    )


def _error_class() -> pl.Expr:
    """Return why an attempt failed; what the provider said comes before what became of its answer."""
    classes = {
        ErrorClass.THROTTLED: pl.col("http_status") == 429,
        ErrorClass.TIMEOUT: pl.col("status") == AttemptStatus.TIMEOUT.value,
        ErrorClass.CANCELLED: pl.col("status") == AttemptStatus.CANCELLED.value,
        ErrorClass.SERVER_ERROR: pl.col("http_status") >= 500,
        ErrorClass.REJECTED: pl.col("rejected"),
        ErrorClass.INVALID_OUTPUT: ~pl.col("output_valid"),
    }
    named = [pl.when(condition).then(pl.lit(name.value)) for name, condition in classes.items()]
    return pl.coalesce(*named, pl.lit(ErrorClass.OTHER.value))
