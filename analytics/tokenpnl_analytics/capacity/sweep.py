"""The sweep line: how a replica's time divides among the requests that were in flight on it, moment by moment.

In each moment a busy replica's time is shared equally by its requests; a replica without one is idle. Where nobody
says which replica served, the requests share everything of the pool that no named request uses.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Int = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]
UNKNOWN_REPLICA = -1


@dataclass(frozen=True)
class Flight:
    """Requests in flight, each cut to the bucket it lies in; all arrays have one entry per piece.

    Attributes:
        bucket: index of a stretch of time in which a pool keeps its number of replicas.
        replica: which one served, a number that is unique at least within the pool; -1: unknown.
        begin_ns: from the start of the bucket.
        end_ns: likewise, behind `begin_ns`.
    """

    bucket: Int
    replica: Int
    begin_ns: Int
    end_ns: Int


@dataclass(frozen=True)
class Swept:
    """Replica time, nanoseconds, float64: `used` of each piece, `idle` of each bucket; together the bucket's time."""

    used: Real
    idle: Real


def sweep(flight: Flight, lengths_ns: Int, replicas: Int) -> Swept:
    """Return how the replica time of each bucket divides among its pieces and nothing.

    The rate of a busy named replica is 1, of the unnamed ones together what the named leave, at least 1. Where more
    replicas are busy than the bucket has (a pod that was replaced, a number that is stated too small), each gets its
    part of those that are paid for.

    Args:
        flight: the pieces; order decides nothing.
        lengths_ns: length of each bucket.
        replicas: how many there are in each bucket.
    """
    size = flight.bucket.size
    if not size:
        return Swept(np.zeros(0), (lengths_ns * replicas).astype(np.float64))
    events = _events(flight)
    moments = _moments(events, lengths_ns, replicas)
    timed = events.join(
        moments.select("bucket", "at", "named_until", "unnamed_until"), on=["bucket", "at"], maintain_order="left"
    )
    served = (
        pl.when(pl.col("replica") == UNKNOWN_REPLICA)
        .then(pl.col("unnamed_until") - pl.col("unnamed_until").shift())
        .otherwise(pl.col("named_until") - pl.col("named_until").shift())
    )
    flying = pl.col("in_flight").shift()
    step = pl.when((flying > 0) & (pl.col("place") > 0)).then(served / flying).otherwise(0.0)
    until = timed.with_columns(step.cum_sum().over("bucket", "replica").alias("until"))
    mark = np.empty(2 * size)
    mark[until["event"].to_numpy()] = until["until"].to_numpy()
    return Swept(np.maximum(mark[size:] - mark[:size], 0.0), _idle(moments, lengths_ns, replicas))


def _events(flight: Flight) -> pl.DataFrame:
    """Return begins and ends, sorted by bucket, replica and time: requests in flight after each, change of business."""
    size = flight.bucket.size
    events = pl.DataFrame(
        {
            "event": np.arange(2 * size),
            "bucket": np.tile(flight.bucket, 2),
            "replica": np.tile(flight.replica, 2),
            "at": np.concatenate([flight.begin_ns, flight.end_ns]),
            "change": np.repeat(np.array([1, -1]), size),
        }
    ).sort("bucket", "replica", "at", "event")
    where = ["bucket", "replica"]
    events = events.with_columns(
        pl.col("change").cum_sum().over(where).alias("in_flight"), pl.int_range(pl.len()).over(where).alias("place")
    )
    busy = (pl.col("in_flight") > 0).cast(pl.Int64)
    return events.with_columns((busy - busy.shift(fill_value=0).over(where)).alias("turned"))


def _moments(events: pl.DataFrame, lengths_ns: Int, replicas: Int) -> pl.DataFrame:
    """Return the moments at which something changes, sorted, with the time that one busy replica was given until each.

    Columns: `bucket, at`, `named_until` (a named replica that was busy all the while), `unnamed_until` (the unnamed
    ones together), `idle` (idle replica time from this moment to the next).
    """
    unnamed = pl.col("replica") == UNKNOWN_REPLICA
    changes = (
        events.group_by("bucket", "at")
        .agg(
            pl.col("turned").filter(~unnamed).sum().alias("turned"),
            pl.col("turned").filter(unnamed).sum().alias("unnamed_turned"),
        )
        .sort("bucket", "at")
    )
    bucket = changes["bucket"].to_numpy()
    there = pl.col("there")
    moments = changes.with_columns(
        pl.Series("there", replicas[bucket]),
        (pl.col("at").shift(-1).over("bucket").fill_null(pl.Series(lengths_ns[bucket])) - pl.col("at")).alias("ns"),
        pl.col("turned").cum_sum().over("bucket").alias("busy"),
        (pl.col("unnamed_turned").cum_sum().over("bucket") > 0).alias("unnamed"),
    ).with_columns(
        pl.when("unnamed").then(pl.max_horizontal(there - pl.col("busy"), 1)).otherwise(0).alias("unnamed_claim")
    )
    wanted = pl.col("busy") + pl.col("unnamed_claim")
    rate = pl.when(wanted > there).then(there / wanted).otherwise(1.0)
    given = pl.col("ns") * rate
    before = ("named_until", "unnamed_until")
    return moments.with_columns(
        given.alias("named_until"),
        (given * pl.col("unnamed_claim")).alias("unnamed_until"),
        (pl.col("ns") * pl.max_horizontal(there - wanted, 0)).alias("idle"),
    ).with_columns(pl.col(name).cum_sum().shift(fill_value=0.0).over("bucket").alias(name) for name in before)


def _idle(moments: pl.DataFrame, lengths_ns: Int, replicas: Int) -> Real:
    found = moments.group_by("bucket").agg(pl.col("idle").sum(), pl.col("at").min().alias("first")).sort("bucket")
    idle = (lengths_ns * replicas).astype(np.float64)
    bucket = found["bucket"].to_numpy()
    # Before the first request nothing runs at all.
    idle[bucket] = found["idle"].to_numpy() + found["first"].to_numpy() * replicas[bucket]
    return idle
