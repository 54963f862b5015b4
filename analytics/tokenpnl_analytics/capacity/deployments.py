"""Where models ran, side by side: a vendor's API, a cloud, our own servers, an optimised platform, users' devices."""

from collections.abc import Mapping, Sequence

import polars as pl

from tokenpnl.model import CostSource, OutcomeStatus
from tokenpnl_analytics.capacity.items import CAPACITY_KINDS, capacity_shares
from tokenpnl_analytics.frames import MONEY, known_sum
from tokenpnl_analytics.pricing.matching import SELF_HOSTED_DEPLOYMENTS
from tokenpnl_analytics.unit_cost.units import usd_per_success
from tokenpnl_ingest.dialects.servers import EDGE

UNKNOWN = "(unknown)"
DEVICE = "device"
ORDER = ("managed_api", "cloud", "self_host", "optimized", "edge", UNKNOWN)
Where = Mapping[str, Sequence[str | None]]
_KEY = ["workflow", "deployment"]
_MILLION = 1_000_000


def compare(
    lines: pl.DataFrame, attempts: pl.DataFrame, runs: pl.DataFrame, where: Where | None = None
) -> pl.DataFrame:
    """Return what each deployment option cost each workflow, and how fast it was; one row per pair that was used.

    Observed usage, not an experiment: options may have had other requests to serve.

    Args:
        lines: line items, those of capacity among them.
        attempts: table `attempts` of the same period.
        runs: table `runs` of the same period.
        where: owner column -> values to look at; idle capacity is spread over everybody before any is left out.

    Returns:
        `workflow, deployment` ((unknown): nothing tells), `calls`, `attempts`, `tokens`, `cost_basis` (tokens,
        gpu_time, commitment, several with commas; device: no price stated; no_pool: nobody says what the servers
        cost), `cost_usd` (direct), `idle_usd` (share of what its pools left idle in the month), `total_usd`,
        `usd_per_million_tokens` (of the total), `usd_per_workflow_success` (total over the successes of the whole
        workflow: contributions that add up), `latency_p50_ms, latency_p95_ms` (of the `timed` attempts that ended),
        `priced_share` of the token lines. Money is NULL where it is unknown. Sorted by workflow, then as in `ORDER`.
    """
    where = where or {}
    used = _used(_picked(attempts, where))
    paid = _paid(_named(_picked(lines, where).filter(pl.col("attempt_id").is_not_null())))
    shares = capacity_shares(lines, [*_KEY, *(name for name in where if name not in _KEY)])
    idle = _named(_picked(shares, where)).group_by(_KEY).agg(pl.col("capacity_usd").sum().alias("idle_usd"))
    won = (pl.col("outcome") == OutcomeStatus.SUCCESS.value).sum().cast(pl.Int64)
    successes = _picked(runs, where).group_by("workflow").agg(won.alias("successes"))
    joined = used.join(paid, on=_KEY, how="left", nulls_equal=True).join(idle, on=_KEY, how="left", nulls_equal=True)
    joined = joined.join(successes, on="workflow", how="left", nulls_equal=True).with_columns(_basis())
    on_device = (pl.col("cost_basis") == DEVICE) & pl.col("cost_usd").is_null()
    zero = pl.lit(0, MONEY)
    whole = pl.col("cost_usd") + pl.col("idle_usd")
    return (
        joined.with_columns(
            pl.when(on_device).then(zero).otherwise("cost_usd").alias("cost_usd"), pl.col("idle_usd").fill_null(zero)
        )
        .with_columns(whole.alias("total_usd"))
        .select(
            *_KEY,
            "calls",
            "attempts",
            "tokens",
            "cost_basis",
            "cost_usd",
            "idle_usd",
            "total_usd",
            (pl.col("total_usd") * _MILLION / pl.when(pl.col("tokens") > 0).then("tokens")).alias(
                "usd_per_million_tokens"
            ),
            usd_per_success(pl.col("total_usd"), pl.col("successes")).alias("usd_per_workflow_success"),
            "latency_p50_ms",
            "latency_p95_ms",
            "timed",
            "priced_share",
        )
        .sort(
            "workflow", pl.col("deployment").replace_strict(dict(zip(ORDER, range(len(ORDER)), strict=True)), default=9)
        )
    )


def _picked(frame: pl.DataFrame, where: Where) -> pl.DataFrame:
    wanted = [pl.col(name).is_in(list(values), nulls_equal=True) for name, values in where.items()]
    return frame.filter(*wanted) if wanted else frame


def _named(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("deployment").fill_null(UNKNOWN))


def _used(attempts: pl.DataFrame) -> pl.DataFrame:
    tokens = pl.sum_horizontal("input_total_tokens", "output_total_tokens")
    return (
        _named(attempts)
        .group_by(_KEY)
        .agg(
            pl.struct("tenant", "call_key").n_unique().cast(pl.Int64).alias("calls"),
            pl.len().cast(pl.Int64).alias("attempts"),
            tokens.sum().alias("tokens"),
            pl.col("latency_ms").quantile(0.5, "linear").alias("latency_p50_ms"),
            pl.col("latency_ms").quantile(0.95, "linear").alias("latency_p95_ms"),
            pl.col("latency_ms").count().cast(pl.Int64).alias("timed"),
        )
    )


def _paid(lines: pl.DataFrame) -> pl.DataFrame:
    """Return cost by pair; a self-hosted token line has no cost of its own, and lacks none."""
    source = pl.col("cost_source")
    of_tokens = ~pl.col("usage_kind").is_in(CAPACITY_KINDS)
    unpriced = source == CostSource.UNPRICED.value
    computed = of_tokens & source.is_in([CostSource.COMPUTED.value, CostSource.REPORTED.value])
    return lines.group_by(_KEY).agg(
        pl.when(pl.col("cost_usd").count() > 0).then(known_sum(pl.col("cost_usd"), unpriced)).alias("cost_usd"),
        (~of_tokens & (source == CostSource.GPU.value)).any().alias("on_gpu"),
        (~of_tokens & (source == CostSource.COMMITMENT.value)).any().alias("on_commitment"),
        computed.any().alias("by_tokens"),
        (1.0 - unpriced.filter(of_tokens).mean()).alias("priced_share"),
    )


def _basis() -> pl.Expr:
    told = {"tokens": "by_tokens", "gpu_time": "on_gpu", "commitment": "on_commitment"}
    bases = [pl.when(pl.col(column)).then(pl.lit(name)) for name, column in told.items()]
    known = pl.concat_str(bases, separator=",", ignore_nulls=True)
    return (
        pl.when(known != "")
        .then(known)
        .when(pl.col("deployment") == EDGE)
        .then(pl.lit(DEVICE))
        .when(pl.col("deployment").is_in(SELF_HOSTED_DEPLOYMENTS))
        .then(pl.lit("no_pool"))
        .otherwise(pl.lit("unknown"))
        .alias("cost_basis")
    )
