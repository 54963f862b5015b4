"""The frozen baseline: what was called in a window, what it cost, and who it is independent of."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from tokenpnl.model import CostSource
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.shares import dollars, in_picodollars, split_exactly
from tokenpnl_analytics.unit_cost.units import CLUSTER_LEVELS

_ATTEMPT = ["tenant", "attempt_id"]
_POOL = ["tenant", "pool"]
_ZERO = pl.lit(0, MONEY)
_POOLED = pl.col("pool").is_not_null() & pl.col("usage_kind").is_in(("gpu_time", "commitment"))
_LEFT_OUT = ("cost_category", "category_rule", "cause", "cause_provider", "reversed_category", "dialect")


@dataclass(frozen=True)
class Baseline:
    """Recorded traffic that every scenario of a file is replayed on; nothing changes it.

    Attributes:
        attempts: one row per attempt that started in the window, by start and id: the columns of table `attempts`, of
            `call_details`, and `position` (Int64, the row's number), `cluster` (Int64), `token_usd` (Decimal, effective
            cost of its tokens; 0 where nothing was used; NULL: unpriced, or its usage is unknown), `pool` (that served
            it; NULL: none), `capacity_usd` (Decimal, its part of what its pool allocated and left idle in the window; 0
            where none served it), `cost_usd` (their sum; NULL where `token_usd` is, unless a pool served it), `priced`
            (Boolean; NULL: nothing to price).
        runs: result of `cohort` for the window, with `cluster`.
        cluster_level: what a cluster is: customer, conversation, task or run.
        card: the prices in force.
        since: begin of the window.
        until: end of the window, not included.
        cards: rate cards of scenarios that were replayed before, by the names in `priced_by`.
        caveats: what else must be known of the traffic, one sentence each.
    """

    attempts: pl.DataFrame = field(repr=False)
    runs: pl.DataFrame = field(repr=False)
    cluster_level: str
    card: RateCard = field(repr=False)
    since: datetime
    until: datetime
    cards: Mapping[str, RateCard] = field(default_factory=dict, repr=False)
    caveats: tuple[str, ...] = ()

    @property
    def days(self) -> float:
        """Length of the window."""
        return (self.until - self.since).total_seconds() / 86_400

    @property
    def priced_share(self) -> float | None:
        """Share of the attempts with usage that have a price, 0 to 1; None: none had usage."""
        share = self.attempts["priced"].mean()
        return float(share) if isinstance(share, float) else None

    def restricted(
        self, attempts: pl.Expr, runs: pl.Expr, window: tuple[datetime, datetime] | None = None
    ) -> "Baseline":
        """Return the baseline of some attempts and runs alone, such as those of one week or of half of the clusters."""
        kept = self.attempts.filter(attempts).with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("position"))
        since, until = window or (self.since, self.until)
        return replace(self, attempts=kept, runs=self.runs.filter(runs), since=since, until=until)


def frozen(
    attempts: pl.DataFrame,
    lines: pl.DataFrame,
    details: pl.DataFrame,
    runs: pl.DataFrame,
    *,
    card: RateCard,
    window: tuple[datetime, datetime],
) -> Baseline:
    """Return the baseline of a window.

    Args:
        attempts: table `attempts` of those that started in the window, in any order.
        lines: of their `line_items`, capacity among them: `tenant, attempt_id, usage_kind, pool, cost_source,
            cost_usd`. What pools left idle (no `attempt_id`) is shared by their attempts as what they allocated is.
        details: result of `call_details` of their spans.
        runs: result of `cohort` of the runs that started in the window.
        card: the prices in force.
        window: since and until, aware.
    """
    joined = (
        attempts.drop(name for name in _LEFT_OUT if name in attempts.columns)
        .join(_costs(lines), on=_ATTEMPT, how="left")
        .join(_idle_shares(lines), on=_ATTEMPT, how="left")
        .join(details, on=["trace_id", "span_id"], how="left")
        .sort("started_at", "tenant", "attempt_id")
    )
    unknown = pl.col("lacking").fill_null(pl.col("usage_missing"))
    capacity = pl.col("capacity_usd").fill_null(_ZERO) + pl.col("idle_usd").fill_null(_ZERO)
    costed = joined.with_columns(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("position"),
        pl.when(~unknown).then(pl.col("token_usd").fill_null(_ZERO)).alias("token_usd"),
        capacity.alias("capacity_usd"),
        # An attempt whose usage is unknown has nothing to price: that is the emitter's gap, not the price list's.
        pl.when(pl.col("lacking").is_not_null()).then(~pl.col("lacking")).alias("priced"),
    ).with_columns((pl.col("token_usd") + pl.col("capacity_usd")).alias("cost_usd"))
    level, of_attempts, of_runs = _clusters(costed, runs)
    since, until = window
    return Baseline(
        costed.drop("lacking", "idle_usd").with_columns(of_attempts),
        runs.with_columns(of_runs),
        level,
        card,
        since,
        until,
    )


def _costs(lines: pl.DataFrame) -> pl.DataFrame:
    """Return what each attempt cost: tokens and capacity apart; `lacking` tells that a part of it is not known."""
    of_attempts = lines.filter(pl.col("attempt_id").is_not_null()).with_columns(_POOLED.alias("pooled"))
    by_gpu = pl.col("cost_source") == CostSource.GPU.value
    return of_attempts.group_by(_ATTEMPT).agg(
        pl.col("cost_usd").filter(~pl.col("pooled")).sum().alias("token_usd"),
        pl.col("cost_usd").filter("pooled").sum().alias("capacity_usd"),
        pl.col("pool").filter("pooled").sort().first().alias("pool"),
        # Tokens on one's own GPU have no price of their own: what they cost is known where a pool has a line for it.
        (
            (pl.col("cost_usd").is_null() & ~by_gpu).any()
            | ((pl.col("cost_usd").is_null() & by_gpu).any() & ~pl.col("pooled").any())
        ).alias("lacking"),
    )


def _idle_shares(lines: pl.DataFrame) -> pl.DataFrame:
    """Return `tenant, attempt_id, idle_usd`: each attempt's part of what its pools left idle, as they allocated."""
    pooled = lines.filter(_POOLED & pl.col("cost_usd").is_not_null())
    idle = pooled.filter(pl.col("attempt_id").is_null()).group_by(_POOL).agg(pl.col("cost_usd").sum().alias("idle"))
    claims = (
        pooled.filter(pl.col("attempt_id").is_not_null())
        .group_by(*_POOL, "attempt_id")
        .agg(pl.col("cost_usd").sum().alias("allocated"))
        .join(idle, on=_POOL)
        .filter(pl.col("idle") > 0, pl.col("allocated") > 0)
        .sort(*_POOL, "attempt_id")
        .with_columns(
            pl.struct(_POOL).rank("dense").cast(pl.Int64).alias("group"),
            pl.int_range(pl.len(), dtype=pl.Int64).alias("place"),
            in_picodollars(pl.col("idle")).alias("whole"),
            pl.col("allocated").cast(pl.Float64).alias("weight"),
        )
    )
    if claims.is_empty():
        return pl.DataFrame(schema={"tenant": pl.String, "attempt_id": pl.String, "idle_usd": MONEY})
    part = split_exactly(claims, "whole", "weight", of="group", ties="place")
    shares = claims.select(*_ATTEMPT, part.alias("part")).select(
        *_ATTEMPT, dollars("part").cast(MONEY).alias("idle_usd")
    )
    return shares.group_by(_ATTEMPT, maintain_order=True).agg(pl.col("idle_usd").sum())


def _clusters(attempts: pl.DataFrame, runs: pl.DataFrame) -> tuple[str, pl.Series, pl.Series]:
    """Return the level of clusters and each row's cluster, numbered from 0 over attempts and runs together.

    The highest level at which there are two groups or more; what names none is a group of its own.
    """
    level, column = "run", "run_id"
    for name, candidate in CLUSTER_LEVELS.items():
        if candidate in runs.columns and candidate in attempts.columns:
            named = pl.concat([runs[candidate], attempts[candidate]]).drop_nulls()
            if named.n_unique() > 1:
                level, column = name, candidate
                break
    own = [pl.lit("run=") + pl.col("run_id")]
    groups = [] if level == "run" else [pl.lit("=") + pl.col(column)]
    key = pl.coalesce(*groups, *own)
    both = pl.concat(
        [
            attempts.select(pl.coalesce(key, pl.lit("trace=") + pl.col("trace_id")).alias("cluster")),
            runs.select(key.alias("cluster")),
        ]
    )["cluster"]
    numbers = both.rank("dense").cast(pl.Int64) - 1
    return level, numbers[: attempts.height].alias("cluster"), numbers[attempts.height :].alias("cluster")
