"""What GPUs and commitments cost, by request and by hour: allocated to what used them, idle as a line of its own.

Everything is a line item. Allocated and idle sum to what was paid, to the last digit, in every UTC hour of a pool.
"""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from tokenpnl.model import ChargeKind, CostCategory, CostSource, ServedReason
from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.capacity.commitments import commitment_parts
from tokenpnl_analytics.capacity.gpu_parts import gpu_parts
from tokenpnl_analytics.capacity.supply import nanoseconds
from tokenpnl_analytics.frames import MONEY, TIME, conform
from tokenpnl_analytics.rules.commitments import CommitmentsFile
from tokenpnl_analytics.rules.gpus import GpusFile
from tokenpnl_analytics.shares import dollars, in_picodollars, split_exactly

IDLE_STEP = "(idle)"
CAPACITY_KINDS = (ChargeKind.GPU_TIME.value, ChargeKind.COMMITMENT.value)
_CATEGORY = ("cost_category", "category_rule", "cause", "cause_provider", "reversed_category")
_CARRIED = (
    *("tenant", "attempt_id", "call_key", "trace_id", "span_id", "run_id", "workflow", "customer_id", "feature"),
    *("environment", "release", "service_name", "user_id", "session_id", "step", "provider", "model", "deployment"),
    *("service_tier", "region", "evaluation", "served_reason", "flags"),
)


def capacity_lines(
    attempts: pl.DataFrame,
    gpus: GpusFile,
    commitments: CommitmentsFile,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    lines: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return the line items of capacity that was paid in the period: one per attempt and hour, one per idle hour.

    Args:
        attempts: table `attempts`, with the columns of `classify` as far as it is known; those that began before the
            period and were still at work in it belong to it too.
        gpus: pools and their prices.
        commitments: reserved throughput.
        since: aware; default the first that any pool was paid or any attempt started.
        until: aware, not included; default the end of the last attempt. The hour that it cuts is paid up to it.
        lines: the attempts' token lines: they say which attempts a commitment served, and the category of attempts
            that are not classified.

    Returns:
        Table `line_items`, sorted by time and id. `started_at` is the start of the UTC hour (or of the period in it),
        so that whatever cuts the lines by time keeps allocated and idle together. Allocated lines have the attempt's
        owners, category, rule and cause; idle ones no run and the category idle_capacity. `quantity` is microseconds
        of accelerators (`gpu_time`) or of units (`commitment`). A commitment has no list price; of GPU time list,
        contracted and effective cost are the same.
    """
    begin, end = covered(attempts, gpus, commitments, since=since, until=until)
    known = _categorised(attempts, lines).sort("tenant", "attempt_id")
    parts = {
        ChargeKind.GPU_TIME: gpu_parts(known, gpus, begin, end),
        ChargeKind.COMMITMENT: commitment_parts(known, lines, commitments, begin, end),
    }
    made = pl.concat([_lines(known, part, kind) for kind, part in parts.items()])
    return conform(made, LINE_ITEMS).sort("started_at", "line_id")


def covered(
    attempts: pl.DataFrame,
    gpus: GpusFile,
    commitments: CommitmentsFile,
    *,
    since: datetime | None,
    until: datetime | None,
) -> tuple[int, int]:
    """Return the period for which capacity is paid, UTC nanoseconds, open ends closed by what is known."""
    stated = [each.since for each in (*gpus.pools, *commitments.commitments) if each.since is not None]
    starts = [*stated, *attempts.select(pl.col("started_at").min().dt.truncate("1h"))["started_at"].drop_nulls()]
    last = attempts.select(pl.max_horizontal("started_at", "ended_at").max())["started_at"].drop_nulls()
    begin = since if since is not None else min(starts, default=None)
    end = until if until is not None else max(last, default=begin)
    if begin is None or end is None:
        return 0, 0
    return nanoseconds(begin), nanoseconds(end)


def _categorised(attempts: pl.DataFrame, lines: pl.DataFrame | None) -> pl.DataFrame:
    """Return the attempts with their categories: as classified, else as their token lines say, else unattributed."""
    classified = "cost_category" in attempts.columns
    if lines is None:
        if not classified:
            raise ValueError("capacity needs the category of each attempt: classify the attempts, or give their lines")
        return attempts
    key = ["tenant", "attempt_id"]
    told = lines.drop_nulls("attempt_id").select(*key, *_CATEGORY).unique(key, keep="first", maintain_order=True)
    joined = attempts.with_columns(
        pl.lit(None, pl.String).alias(name) for name in _CATEGORY if name not in attempts.columns
    ).join(told, on=key, how="left", maintain_order="left", suffix="_told")
    unknown = {"cost_category": CostCategory.UNATTRIBUTED.value, "category_rule": "neither classified nor on a line"}
    known = pl.col("cost_category").is_not_null()
    return joined.with_columns(
        pl.when(known).then(name).otherwise(pl.coalesce(f"{name}_told", pl.lit(unknown.get(name)))).alias(name)
        for name in _CATEGORY
    )


def _lines(attempts: pl.DataFrame, parts: pl.DataFrame, kind: ChargeKind) -> pl.DataFrame:
    numbered = attempts.select(*_CARRIED, *_CATEGORY, pl.int_range(pl.len(), dtype=pl.Int64).alias("row"))
    is_gpu = kind is ChargeKind.GPU_TIME
    cost = dollars("pico")
    before = cost if is_gpu else pl.lit(0, MONEY)
    hour = pl.col("started_at").dt.strftime("%Y-%m-%dT%H:%M:%S")
    lines = (
        parts.with_columns(pl.from_epoch("at_ns", "ns").dt.replace_time_zone("UTC").cast(TIME).alias("started_at"))
        .join(numbered, on="row", how="left", maintain_order="left")
        .with_columns(
            pl.coalesce(
                pl.format("{}/{}/{}", "attempt_id", pl.lit(kind.value), hour), pl.format("{}/idle/{}", "pool", hour)
            ).alias("line_id"),
            pl.lit("Usage").alias("charge_category"),
            pl.lit(kind.value).alias("usage_kind"),
            *(before.alias(name) for name in ("list_cost_usd", "contracted_cost_usd", "uncached_cost_usd")),
            cost.alias("cost_usd"),
            pl.lit((CostSource.GPU if is_gpu else CostSource.COMMITMENT).value).alias("cost_source"),
        )
    )
    idle = {
        "tenant": "default",
        "trace_id": "",
        "span_id": "",
        "step": IDLE_STEP,
        "served_reason": ServedReason.PRIMARY.value,
        "flags": "",
        "cost_category": CostCategory.IDLE_CAPACITY.value,
        "category_rule": "paid, and used by nothing",
    }
    return lines.with_columns(
        pl.when(pl.col("row").is_null()).then(pl.lit(value)).otherwise(name).alias(name) for name, value in idle.items()
    )


def capacity_shares(lines: pl.DataFrame, by: Sequence[str] = ("workflow",)) -> pl.DataFrame:
    """Return what was idle and unused of each pool in each month, spread over what used it by allocated time.

    Args:
        lines: line items, those of capacity among them.
        by: columns of the lines over which it is spread.

    Returns:
        `pool`, the columns of `by`, `month` (UTC), `allocated_usd`, `capacity_usd` (the share; Decimal, exact in sum),
        sorted. What is idle in a month in which nothing used the pool stands under NULL with `allocated_usd` 0.
    """
    capacity = lines.filter(pl.col("pool").is_not_null(), pl.col("usage_kind").is_in(CAPACITY_KINDS)).with_columns(
        pl.col("started_at").dt.truncate("1mo").alias("month"),
        (pl.col("cost_category") == CostCategory.IDLE_CAPACITY.value).alias("idle"),
    )
    keys = ["pool", "month"]
    unused = capacity.filter("idle").group_by(keys).agg(in_picodollars(pl.col("cost_usd").sum()).alias("unused"))
    users = (
        capacity.filter(~pl.col("idle"))
        .group_by(*keys, *by)
        .agg(pl.col("quantity").sum().cast(pl.Float64).alias("time"), pl.col("cost_usd").sum().alias("allocated_usd"))
    )
    claims = (
        unused.join(users, on=keys, how="full", coalesce=True)
        .sort(*keys, *by, nulls_last=True)
        .with_columns(
            pl.col("unused").fill_null(0),
            pl.col("allocated_usd").fill_null(pl.lit(0, MONEY)),
            # Use so short that it rounds to no time still is the only use.
            pl.when((pl.col("time").fill_null(0.0) == 0).all().over(keys)).then(1.0).otherwise("time").alias("time"),
            pl.struct(keys).rank("dense").cast(pl.Int64).alias("group"),
            pl.int_range(pl.len(), dtype=pl.Int64).alias("place"),
        )
    )
    shares = split_exactly(claims, "unused", "time", of="group", ties="place")
    return claims.with_columns(shares.alias("pico")).select(
        "pool", *by, "month", "allocated_usd", dollars("pico").alias("capacity_usd")
    )
