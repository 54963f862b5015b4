"""A closed month read again: restated columns beside as closed, and the adjustment that the open month carries."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from tokenpnl.model import CostSource, OutcomeStatus, ServedReason
from tokenpnl_analytics.closing.close import ORIGIN, with_origin
from tokenpnl_analytics.frames import MONEY, known_sum

ADJUSTMENT = "Adjustment"
_LINE = ["tenant", "line_id"]
_AMOUNTS = ("list_cost_usd", "contracted_cost_usd", "cost_usd")
# What an adjustment says of itself. The category is no part of it: a move between categories is no money.
_OWNER = [
    "tenant", "workflow", "customer_id", "feature", "environment", "release", "service_name", "step", "provider",
    "model", "deployment", "service_tier", "region", "pool", "usage_kind",
]  # fmt: skip
_CATEGORY = ["cost_category", "evaluation"]
_OUTCOMES = [status.value for status in OutcomeStatus]
_COST = pl.col("cost_usd")


def restated(as_closed: pl.DataFrame, now: pl.DataFrame, by: Sequence[str] = ("cost_category",)) -> pl.DataFrame:
    """Return a month as it was closed, as its facts read now, and the difference; one row per value, sorted.

    Args:
        as_closed: line items of the snapshot, without adjustments of other months.
        now: line items of the same month from the books of today.
        by: columns of the line items; empty: one row.

    Returns:
        `by`, `as_closed_usd`, `now_usd`, `difference_usd` (now minus as closed), `as_closed_lines`, `now_lines`. Money
        is NULL where there are lines and none is priced, 0 where there are none; so is the difference where a side is.
    """
    keys = list(by) or ["whole"]
    sides = [_summed(_own(frame), keys, side) for frame, side in ((as_closed, "as_closed"), (now, "now"))]
    joined = sides[0].join(sides[1], on=keys, how="full", coalesce=True, nulls_equal=True)
    told = joined.with_columns(_side(side) for side in ("as_closed", "now"))
    counts = [pl.col(f"{side}_lines").fill_null(0) for side in ("as_closed", "now")]
    difference = (pl.col("now_usd") - pl.col("as_closed_usd")).alias("difference_usd")
    return told.sort(keys, nulls_last=True).select(*by, "as_closed_usd", "now_usd", difference, *counts)


def restated_outcomes(as_closed: pl.DataFrame, now: pl.DataFrame, by: Sequence[str] = ("workflow",)) -> pl.DataFrame:
    """Return what the business got from a month's runs: as known at its close, and as known now.

    Args:
        as_closed: table `runs` of the snapshot.
        now: table `runs` of the same month from the books of today.
        by: columns of the runs; empty: one row.

    Returns:
        `by`, then for each of `runs, success, failure, abandoned, pending` (runs without outcome) and `value_usd` the
        columns `as_closed_<name>` and `now_<name>`; sorted. A value is NULL where no run states one.
    """
    keys = list(by) or ["whole"]
    sides = [_counted(frame, keys, side) for frame, side in ((as_closed, "as_closed"), (now, "now"))]
    joined = sides[0].join(sides[1], on=keys, how="full", coalesce=True, nulls_equal=True).sort(keys, nulls_last=True)
    names = ["runs", *_OUTCOMES, "pending"]
    counts = [pl.col(f"{side}_{name}").fill_null(0) for name in names for side in ("as_closed", "now")]
    return joined.select(*by, *counts, "as_closed_value_usd", "now_value_usd")


def adjustments(
    as_closed: pl.DataFrame,
    now: pl.DataFrame,
    *,
    month: str,
    into: tuple[str, datetime],
    posted: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return what the open month must carry so that the closed one need not move: line items with `origin_period`.

    The rows sum to cost now, minus cost as closed, minus what later months posted for it already. Unpriced lines
    count as the nothing that they were in the sums. Within an owner and a usage kind amounts of opposite sign are set
    against each other, so that a line that only changed its category, or that another span carries now, is not posted.

    Args:
        as_closed: line items of the snapshot of `month`.
        now: line items of the same month from the books of today.
        month: the closed month, such as `2026-10`.
        into: the open month, such as `2026-11`, and its start.
        posted: adjustments in later closed months; only those with `origin_period` = `month` count.

    Returns:
        Line items of `charge_category` Adjustment, quantity 0, dated in the open month, with `origin_period`; sorted by
        `line_id`. Never a row of cost 0.
    """
    closed, today = _own(as_closed), _own(now)
    earlier = with_origin(posted).filter(pl.col(ORIGIN) == month) if posted is not None else closed.clear()
    moved = pl.concat([_signed(today, 1), _signed(closed, -1), _signed(earlier, -1)])
    lines = _per_line(moved)
    sums = lines.group_by(*_OWNER, *_CATEGORY).agg(pl.col(_AMOUNTS).sum()).filter(_COST != 0)
    netted = _netted(sums).sort(*_OWNER, *_CATEGORY, nulls_last=True)
    return _as_line_items(netted, month, into)


def _own(lines: pl.DataFrame) -> pl.DataFrame:
    return with_origin(lines).filter(pl.col(ORIGIN).is_null())


def _summed(lines: pl.DataFrame, keys: list[str], side: str) -> pl.DataFrame:
    unpriced = pl.col("cost_source") == CostSource.UNPRICED.value
    amounts = known_sum(_COST, unpriced).alias(f"{side}_usd"), pl.len().cast(pl.Int64).alias(f"{side}_lines")
    return lines.with_columns(pl.lit(value=True).alias("whole")).group_by(keys).agg(amounts)


def _counted(runs: pl.DataFrame, keys: list[str], side: str) -> pl.DataFrame:
    outcome = pl.col("outcome")
    counts = {
        "runs": pl.len(),
        **{name: (outcome == name).sum() for name in _OUTCOMES},
        "pending": outcome.is_null().sum(),
    }
    told = [count.cast(pl.Int64).alias(f"{side}_{name}") for name, count in counts.items()]
    stated = pl.col("value_usd")
    value = pl.when(stated.count() > 0).then(stated.sum()).alias(f"{side}_value_usd")
    return runs.with_columns(pl.lit(value=True).alias("whole")).group_by(keys).agg(*told, value)


def _side(side: str) -> pl.Expr:
    # No lines on one side cost nothing there; lines without a price cost nobody knows what.
    nothing = pl.col(f"{side}_lines").is_null()
    return pl.when(nothing).then(pl.lit(0, MONEY)).otherwise(f"{side}_usd").alias(f"{side}_usd")


def _signed(lines: pl.DataFrame, sign: int) -> pl.DataFrame:
    amounts = [(pl.col(name).fill_null(0) * pl.lit(sign, MONEY)).cast(MONEY).alias(name) for name in _AMOUNTS]
    return lines.select(*_LINE, *_OWNER[1:], *_CATEGORY, *amounts, pl.lit(sign).alias("sign"))


def _per_line(moved: pl.DataFrame) -> pl.DataFrame:
    """Return the change of every line, in the words of today where it is still there."""
    said = [pl.col(name).sort_by("sign").last() for name in [*_OWNER[1:], *_CATEGORY]]
    return moved.group_by(_LINE).agg(*said, pl.col(_AMOUNTS).sum()).filter(_COST != 0)


def _netted(sums: pl.DataFrame) -> pl.DataFrame:
    """Return the sums, one row for an owner and kind whose categories have changes of both signs."""
    net = _COST.sum().over(_OWNER)
    mixed = (_COST.min().over(_OWNER) < 0) & (_COST.max().over(_OWNER) > 0)
    same_sign = (_COST > 0) == (net > 0)
    weight = pl.when(same_sign).then(_COST.abs()).otherwise(pl.lit(-1, MONEY))
    alone = sums.filter(~mixed)
    together = (
        sums.filter(mixed)
        .with_columns(weight.alias("weight"))
        .sort("weight", *_CATEGORY, descending=[True, False, False], nulls_last=True)
        .group_by(_OWNER, maintain_order=True)
        .agg(*(pl.col(name).first() for name in _CATEGORY), pl.col(_AMOUNTS).sum())
        .filter(_COST != 0)
    )
    return pl.concat([alone, together.select(alone.columns)])


def _as_line_items(netted: pl.DataFrame, month: str, into: tuple[str, datetime]) -> pl.DataFrame:
    open_month, dated = into
    name = pl.format(
        f"adjustment/{month}/{open_month}/{{}}", pl.int_range(1, pl.len() + 1).cast(pl.String).str.zfill(6)
    )
    return with_origin(
        netted.with_columns(
            name.alias("line_id"),
            pl.lit(f"adjustment/{month}").alias("trace_id"),
            pl.lit("").alias("span_id"),
            pl.lit(dated).alias("started_at"),
            pl.lit(ADJUSTMENT).alias("charge_category"),
            pl.lit(0).alias("quantity"),
            pl.lit(CostSource.COMPUTED.value).alias("cost_source"),
            pl.lit(f"adjustment of {month}").alias("category_rule"),
            pl.lit(ServedReason.PRIMARY.value).alias("served_reason"),
            pl.lit("").alias("flags"),
            pl.lit(month).alias(ORIGIN),
        )
    )
