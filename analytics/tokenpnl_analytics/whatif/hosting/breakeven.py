"""From which volume on servers of one's own are cheaper: fleets grow by whole replicas, so the answer has steps.

Volumes are multiples of the traffic that was seen, with its shape over the day unchanged. Estimates, in float64.
"""

import math
from dataclasses import dataclass
from typing import Final

import polars as pl

HOUR_S: Final = 3600.0
_MOST_STEPS: Final = 10_000


@dataclass(frozen=True)
class Load:
    """What the traffic of a window asks of a fleet.

    Attributes:
        busiest_s: seconds of a replica that its busiest hour takes at full batch.
        busy_s: seconds of a replica that all of it takes.
        hours: length of the window.
        token_usd: what the same traffic costs by the token.
    """

    busiest_s: float
    busy_s: float
    hours: float
    token_usd: float


@dataclass(frozen=True)
class Fleet:
    """What a fleet costs and how full it may get.

    Attributes:
        replica_usd_per_hour: price of one replica.
        most_busy_share: share of the busiest hour that a replica may be busy, 0 to 1.
        least: replicas that stand there at any volume.
    """

    replica_usd_per_hour: float
    most_busy_share: float
    least: int = 1

    def replicas(self, load: Load, volume: float = 1.0) -> int:
        """Return how many replicas the volume needs: N(v), a step function."""
        wanted = volume * load.busiest_s / (HOUR_S * self.most_busy_share)
        return max(self.least, math.ceil(wanted - 1e-9))


@dataclass(frozen=True)
class BreakEven:
    """Where hosting becomes cheaper than tokens.

    Attributes:
        first: smallest volume at which it is; None: at none.
        always: volume from which on it is at every one; None: a larger fleet never pays.
        steps: one row per fleet: `replicas`, `volume_from`, `volume_to` (what it carries), `fleet_usd`,
            `token_usd_at_end` (tokens at `volume_to`), `cheaper_from` (NULL: not within its range).
    """

    first: float | None
    always: float | None
    steps: pl.DataFrame


def break_even(load: Load, fleet: Fleet) -> BreakEven:
    """Return the volumes from which hosting costs less than tokens, step by step.

    A fleet of N carries volumes up to N k, k = 3600 u / busiest. It is cheaper from N c / A on, where c is a replica's
    cost and A the cost of tokens at volume 1. Step N starts no dearer when N >= A k / (A k - c); within the step
    before, hosting becomes cheaper for good. At c >= A k no fleet ever does.

    Args:
        load: traffic, with `busiest_s` and `token_usd` above 0.
        fleet: its price.
    """
    carried = HOUR_S * fleet.most_busy_share / load.busiest_s
    replica_usd = fleet.replica_usd_per_hour * load.hours
    margin = load.token_usd * carried - replica_usd
    last = fleet.least
    if margin > 0:
        last = max(last, math.floor(load.token_usd * carried / margin + 1e-9))
    last = min(max(last, fleet.replicas(load)), _MOST_STEPS)
    steps = pl.DataFrame({"replicas": range(fleet.least, last + 2)}, schema={"replicas": pl.Int64})
    first_step = pl.col("replicas") == fleet.least
    pays_from = pl.max_horizontal("volume_from", pl.col("fleet_usd") / load.token_usd)
    steps = (
        steps.with_columns(
            pl.when(first_step).then(0.0).otherwise((pl.col("replicas") - 1) * carried).alias("volume_from"),
            (pl.col("replicas") * carried).alias("volume_to"),
            (pl.col("replicas") * replica_usd).alias("fleet_usd"),
        )
        .with_columns((pl.col("volume_to") * load.token_usd).alias("token_usd_at_end"))
        .with_columns(pl.when(pays_from < pl.col("volume_to")).then(pays_from).alias("cheaper_from"))
    )
    return BreakEven(_first(steps), _always(steps) if margin > 0 else None, steps)


def _first(steps: pl.DataFrame) -> float | None:
    pays = steps["cheaper_from"].drop_nulls()
    return None if pays.is_empty() else float(pays[0])


def _always(steps: pl.DataFrame) -> float | None:
    """Return the start of the unbroken stretch that the last step ends."""
    start = None
    for began, pays in reversed(steps.select("volume_from", "cheaper_from").rows()):
        if pays is None:
            break
        start = float(pays)
        if pays > began:
            break
    return start
