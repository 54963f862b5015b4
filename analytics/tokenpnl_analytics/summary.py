"""The summary that every surface agrees on: counts, tokens, money by every cut, unit cost, memo lines."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from tokenpnl.model import ChargeKind, CostCategory, CostSource, Flag, OutcomeStatus, UsageKind
from tokenpnl_analytics.books import Books
from tokenpnl_analytics.capacity.items import CAPACITY_KINDS
from tokenpnl_analytics.capacity.run_capacity import capacity_of_runs
from tokenpnl_analytics.frames import known_sum
from tokenpnl_analytics.pricing.prices import FEE_KIND
from tokenpnl_analytics.statement import memo_lines
from tokenpnl_analytics.unit_cost.units import cohort, direct_per_success, unit_costs

NONE = "(none)"
_HOUR_FORMAT = "%Y-%m-%dT%H:00:00Z"
_RUN_CATEGORIES = [c for c in CostCategory if c not in {CostCategory.IDLE_CAPACITY, CostCategory.UNATTRIBUTED}]
_IS_CAPACITY = pl.col("usage_kind").is_in(CAPACITY_KINDS)
_IS_IDLE = pl.col("cost_category") == CostCategory.IDLE_CAPACITY.value
_IS_FEE = pl.col("usage_kind") == FEE_KIND
_UNPRICED = pl.col("cost_source") == CostSource.UNPRICED.value
_PAID = known_sum(pl.col("cost_usd"), _UNPRICED)


def summary(
    books: Books,
    *,
    as_of: datetime,
    tenant: str | None = None,
    runs: bool = False,
    replayed_span_records: int = 0,
    windows: Mapping[str, timedelta] | None = None,
) -> dict[str, Any]:
    """Return the agreed keys, ready for JSON: money as decimal strings in USD, counts as integers.

    Args:
        books: result of `keep_books`.
        as_of: aware; outcomes known at this moment enter the unit costs.
        tenant: only this one's books; None: all.
        runs: add `runs`, one entry per run.
        replayed_span_records: what the collector counted; the books do not see replays.
        windows: stated outcome windows by workflow.

    Returns:
        The keys of the summary. An absent dimension is `(none)`; money is NULL where usage exists and none of it is
        priced, a sum over what is priced elsewhere. Costs are tokens and fees; GPU time and commitments stand apart,
        NULL where there are none. What a success costs is more: the allocated part of both is in it. Labels are NULL,
        as nothing here knows them.
    """
    own = books if tenant is None else _of_tenant(books, tenant)
    capacity = own.line_items.filter(_IS_CAPACITY)
    own = replace(own, line_items=own.line_items.filter(~_IS_CAPACITY))
    answer = (
        _counts(own)
        | _money(own)
        | _hours(own)
        | _outcomes(own.runs, as_of, windows, capacity)
        | _capacity(capacity)
        | {
            "memo": _memo(own),
            "labels": None,
            "duplicate_usage_spans": own.duplicates.height,
            "replayed_span_records": replayed_span_records,
        }
    )
    return answer | ({"runs": _runs(own)} if runs else {})


def with_over_limit(answer: dict[str, Any], lines: pl.DataFrame) -> dict[str, Any]:
    """Return the summary with the memo of what ran past the limits of agents' contracts.

    Args:
        answer: result of `summary`, whose memo says NULL: nobody checked.
        lines: line items past a limit, with `over_limit_usd`.
    """
    return answer | {"memo": answer["memo"] | {"over_limit_usd": _sum_text(lines, "over_limit_usd")}}


def usd_text(usd: Decimal | None) -> str | None:
    """Return money as a plain decimal string without idle zeros; NULL stays NULL."""
    if usd is None:
        return None
    text = f"{usd:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _sum_text(frame: pl.DataFrame, column: str) -> str | None:
    return usd_text(frame.select(known_sum(pl.col(column))).item())


def _paid(lines: pl.DataFrame) -> str | None:
    return usd_text(lines.select(_PAID).item())


def _estimate_text(usd: float | None) -> str | None:
    # An estimate is float64; its text keeps the 12 places of money, not the binary tail.
    return None if usd is None else usd_text(Decimal(f"{usd:.12f}"))


def _of_tenant(books: Books, tenant: str) -> Books:
    mine = pl.col("tenant") == tenant
    return Books(**{field.name: getattr(books, field.name).filter(mine) for field in fields(Books)})


def _counts(books: Books) -> dict[str, Any]:
    lines, attempts = books.line_items, books.attempts
    unmatched = lines.filter(pl.col("flags").str.split(",").list.contains(Flag.CONTEXT_UNMATCHED.value))
    call = ["tenant", "call_key"]
    tokens = attempts.select(pl.col(kind.column).sum() for kind in UsageKind).row(0)
    known = attempts.select(pl.col(kind.column).is_not_null().any() for kind in UsageKind).row(0)
    return {
        "n_runs": books.runs.height,
        "n_calls": books.calls.height,
        "n_attempts": attempts.height,
        "usage_missing_calls": attempts.filter("usage_missing").select(call).n_unique(),
        "unpriced_calls": lines.filter(_UNPRICED).select(call).n_unique(),
        "cache_hits": books.calls.filter("cached").height,
        "context_unmatched_attempts": unmatched.select("tenant", "attempt_id").n_unique(),
        "tokens": {kind.value: n for kind, n, seen in zip(UsageKind, tokens, known, strict=True) if seen},
        "unpriced_tokens": lines.filter(_UNPRICED)["quantity"].sum(),
    }


def _money(books: Books) -> dict[str, Any]:
    lines = books.line_items
    steps = lines.with_columns(pl.concat_str(_named("workflow"), pl.lit("/"), "step").alias("step"))
    categories = dict.fromkeys(_RUN_CATEGORIES, "0") | _cost_by(lines, "cost_category")
    return {
        "model_cost_usd": _paid(lines.filter(~_IS_FEE)),
        "tool_cost_usd": _paid(lines.filter(_IS_FEE)),
        "cost_usd": _paid(lines),
        "cost_by_category": {str(name): usd for name, usd in categories.items()},
        "cost_by_workflow": _cost_by(lines, "workflow"),
        "cost_by_customer": _cost_by(lines, "customer_id"),
        "cost_by_feature": _cost_by(lines, "feature"),
        "cost_by_release": _cost_by(lines, "release"),
        "cost_by_environment": _cost_by(lines, "environment"),
        "cost_by_model": _cost_by(lines.filter(~_IS_FEE), "model"),
        "cost_by_step": _cost_by(steps, "step"),
    }


def _named(dimension: str) -> pl.Expr:
    return pl.col(dimension).fill_null(NONE)


def _cost_by(lines: pl.DataFrame, dimension: str) -> dict[str, str | None]:
    sums = lines.group_by(_named(dimension)).agg(_PAID).sort(dimension)
    return {name: usd_text(usd) for name, usd in sums.iter_rows()}


def _hours(books: Books) -> dict[str, Any]:
    hour = pl.col("started_at").dt.strftime(_HOUR_FORMAT).alias("hour")
    lines = books.line_items.with_columns(hour)
    tokens = pl.sum_horizontal(pl.col(kind.column).fill_null(0) for kind in UsageKind)
    by_hour = (
        books.attempts.group_by(hour)
        .agg(tokens.sum().alias("tokens"), pl.len().cast(pl.Int64).alias("attempts"))
        .sort("hour")
    )
    return {
        "cost_by_hour": _cost_by(lines, "hour"),
        "tokens_by_hour": dict(by_hour.select("hour", "tokens").iter_rows()),
        "attempts_by_hour": dict(by_hour.select("hour", "attempts").iter_rows()),
    }


def _capacity(lines: pl.DataFrame) -> dict[str, Any]:
    gpu = lines.filter(pl.col("usage_kind") == ChargeKind.GPU_TIME.value)
    used, idle = gpu.filter(~_IS_IDLE), gpu.filter(_IS_IDLE)
    reserved = lines.filter(pl.col("usage_kind") == ChargeKind.COMMITMENT.value)
    seconds = {
        "allocated_seconds": int(used["quantity"].sum()) / 1e6,
        "idle_seconds": int(idle["quantity"].sum()) / 1e6,
    }
    return {
        "gpu": seconds if gpu.height else None,
        "gpu_allocated_usd": _paid(used) if gpu.height else None,
        "gpu_idle_usd": _paid(idle) if gpu.height else None,
        "gpu_by_category": _cost_by(gpu, "cost_category") if gpu.height else None,
        "commitment": {"used_usd": _paid(reserved.filter(~_IS_IDLE)), "idle_usd": _paid(reserved.filter(_IS_IDLE))}
        if reserved.height
        else None,
    }


def _outcomes(
    runs: pl.DataFrame, as_of: datetime, windows: Mapping[str, timedelta] | None, capacity: pl.DataFrame
) -> dict[str, Any]:
    counted = dict(runs["outcome"].value_counts().iter_rows())
    shares = capacity_of_runs(capacity) if capacity.height else None
    everything = cohort(runs, as_of=as_of, windows=windows, environments=None, capacity=shares)
    direct = everything.group_by(_named("workflow")).agg(direct_per_success().alias("usd")).sort("workflow")
    settled = everything.filter("settled")["outcome"]
    units = unit_costs(cohort(runs, as_of=as_of, windows=windows, capacity=shares))
    return {
        "cost_per_success": {name: usd_text(usd) for name, usd in direct.iter_rows()},
        "unit_cost": {row["workflow"] or NONE: _unit(row) for row in units.iter_rows(named=True)},
        "outcomes": {status.value: counted.get(status.value, 0) for status in OutcomeStatus}
        | {"none": counted.get(None, 0)},
        "outcome_coverage": settled.count() / len(settled) if len(settled) else None,
        "outcome_value_usd": _sum_text(runs.drop_nulls("value_usd"), "value_usd"),
    }


def _unit(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "settled": usd_text(row["settled_usd"]),
        "to_date": usd_text(row["to_date_usd"]),
        "low": usd_text(row["to_date_low_usd"]),
        "high": usd_text(row["to_date_usd"]),
        "expected": usd_text(row["expected_usd"]),
        "components": {
            "direct": usd_text(row["direct_usd"]),
            "inline_evaluation": usd_text(row["inline_evaluation_usd"]),
            "capacity_share": usd_text(row["capacity_share_usd"]),
        },
        "n_runs": row["n_runs"],
        "n_settled": row["n_settled"],
        "successes": row["successes"],
        "unresolved_share": row["unresolved_share"],
        "window_days": row["window_days"],
        "interval": [_estimate_text(row["low"]), _estimate_text(row["high"])],
        "method": row["method"],
    }


def _memo(books: Books) -> dict[str, str | None]:
    row = memo_lines(books.line_items).row(0, named=True)
    return {
        "cache_savings_usd": usd_text(row["cache_savings_usd"]),
        "app_cache_avoided_usd": _sum_text(books.calls.filter("cached"), "cache_avoided_usd"),
        "cache_write_premium_usd": usd_text(row["cache_write_premium_usd"]),
        "fallback_premium_usd": usd_text(row["fallback_premium_usd"]),
        "over_limit_usd": None,
    }


def _runs(books: Books) -> dict[str, Any]:
    tokens = pl.sum_horizontal(pl.col(kind.column).fill_null(0) for kind in UsageKind)
    key = ["tenant", "run_id"]
    used = books.attempts.group_by(key).agg(tokens.sum().alias("tokens"))
    paid = books.line_items.group_by(key).agg(
        known_sum(pl.col("cost_usd").filter(~_IS_FEE), _UNPRICED).alias("model_usd"),
        pl.col("cost_usd").filter(_IS_FEE).sum().alias("tool_usd"),
        pl.lit(value=True).alias("lined"),
    )
    joined = books.runs.join(used, on=key, how="left").join(paid, on=key, how="left").sort("run_id")
    zero = Decimal(0)
    return {
        row["run_id"]: {
            "calls": row["n_calls"],
            "attempts": row["n_attempts"],
            "tokens": row["tokens"] or 0,
            "model_cost_usd": usd_text(row["model_usd"] if row["lined"] else zero),
            "tool_cost_usd": usd_text(row["tool_usd"] if row["lined"] else zero),
            "outcome": row["outcome"],
        }
        for row in joined.iter_rows(named=True)
    }
