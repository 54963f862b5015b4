"""Other limits of a call: a shorter time-out, another order of fallbacks, a circuit breaker."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from tokenpnl.model import AttemptReason, AttemptStatus
from tokenpnl_analytics.whatif.result import Estimate, Evidence
from tokenpnl_analytics.whatif.retries.chains import Ended


@dataclass(frozen=True)
class Breaker:
    """When to stop asking a model that fails.

    Attributes:
        failures: failures in a row of one model that open it.
        cool_down: how long it stays open; then one request may try again.
    """

    failures: int = 5
    cool_down: timedelta = timedelta(seconds=60)


def limited(tries: pl.DataFrame) -> pl.DataFrame:
    """Return the tries that limits leave, each with how it would end: what the limits stop competes with success.

    Args:
        tries: result of `tries_of` or `linked_tries`, with `stopped` (no longer made) and `cut` (ended by a time-out).

    Returns:
        The rows that are still made, in order; `ended` is `deadline` where the time-out cuts an answer, and `gave_up`
        where the next try of its chain is no longer made.
    """
    next_stopped = pl.col("stopped").shift(-1, fill_value=False).over("chain")
    ended = (
        pl.when(pl.col("cut") & (pl.col("ended") == Ended.SUCCEEDED.value))
        .then(pl.lit(Ended.DEADLINE.value))
        .when((pl.col("ended") == Ended.CONTINUED.value) & next_stopped)
        .then(pl.lit(Ended.GAVE_UP.value))
        .otherwise("ended")
    )
    return tries.with_columns(ended.alias("ended")).filter(~pl.col("stopped"))


def longer_timeout() -> Estimate:
    """Return the refusal that a longer time-out gets."""
    why = "what a try that was cut off would have answered is not identifiable; give some calls the longer time-out"
    return Estimate(None, None, None, 0, "none", refused_because=why)


def fallback_order(tries: pl.DataFrame, order: Sequence[str]) -> pl.DataFrame:
    """Return, for each model of another order of fallbacks, what is known of it as the first to be asked.

    A model that only ever stood in for another was asked in bad moments and about calls that had failed: its success
    there says nothing of it as the first, so only tries with reason `first` count.

    Args:
        tries: result of `tries_of` with `model` and `attempt_reason`.
        order: models, first to last.

    Returns:
        In the given order: `model`, `place` (from 1), `n_first` (calls that it was asked first), `first_share` (of
        them it answered; NULL: never asked first), `n_fallback`, `fallback_share` (the same as stand-in),
        `evidence` (`Evidence`): `assumed` where it was asked first, by other calls, else `not_identifiable`.
    """
    won = pl.col("ended") == Ended.SUCCEEDED.value
    first = pl.col("attempt_reason") == AttemptReason.FIRST.value
    stood_in = pl.col("attempt_reason") == AttemptReason.FALLBACK.value
    seen = tries.group_by("model").agg(
        first.sum().cast(pl.Int64).alias("n_first"),
        won.filter(first).mean().alias("first_share"),
        stood_in.sum().cast(pl.Int64).alias("n_fallback"),
        won.filter(stood_in).mean().alias("fallback_share"),
    )
    asked = pl.DataFrame(
        {"model": list(order), "place": range(1, len(order) + 1)}, schema_overrides={"place": pl.Int64}
    )
    return asked.join(seen, on="model", how="left", maintain_order="left").with_columns(
        pl.col("n_first", "n_fallback").fill_null(0),
        pl.when(pl.col("n_first") > 0)
        .then(pl.lit(Evidence.ASSUMED.value))
        .otherwise(pl.lit(Evidence.NOT_IDENTIFIABLE.value))
        .alias("evidence"),
    )


def spared_by_breaker(tries: pl.DataFrame, breaker: Breaker) -> pl.DataFrame:
    """Return the tries with `spared`: the breaker was open, so the model would not have been asked.

    It is replayed on the tries as they were made, in order of their start; each that was spared changes nothing for
    those after it, so the time open is what the recorded failures give and a lower bound where traffic would return.

    Args:
        tries: result of `tries_of` with `provider`, `model`, `ended_at`.
        breaker: its settings.

    Returns:
        The columns of `tries` and `spared` (Boolean), in the order of `tries`.
    """
    ordered = tries.with_row_index("place").sort("started_at", "attempt_id")
    open_until: dict[tuple[str | None, str | None], datetime] = {}
    in_a_row: dict[tuple[str | None, str | None], int] = {}
    spared = []
    for provider, model, status, started_at, ended_at in ordered.select(
        "provider", "model", "status", "started_at", "ended_at"
    ).iter_rows():
        key = provider, model
        closed = started_at >= open_until.get(key, started_at)
        spared.append(not closed)
        if not closed:
            continue
        in_a_row[key] = 0 if status == AttemptStatus.OK.value else in_a_row.get(key, 0) + 1
        if in_a_row[key] >= breaker.failures:
            open_until[key] = (ended_at or started_at) + breaker.cool_down
    return ordered.with_columns(pl.Series("spared", spared, pl.Boolean)).sort("place").drop("place")
