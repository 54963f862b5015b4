"""Reconciliations on their way to and from the control store: what a result keeps, and what pages read of it."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from tokenpnl_analytics.closing.reconcile import Reconciliation
from tokenpnl_analytics.closing.tolerances import ACCOUNT, PARTS, residual_by_day, shares
from tokenpnl_analytics.frames import MONEY
from tokenpnl_dashboard import words
from tokenpnl_dashboard.closing import reconcile_words
from tokenpnl_dashboard.output import plain
from tokenpnl_ingest.control.records import Reconciled
from tokenpnl_ingest.control.records import Reconciliation as Stored

_QUALITIES = ("coverage_share", "price_accuracy", "matched_share")
_LIMITS = (
    "residual_usd", "tolerance_usd", "daily_residual_usd", "daily_tolerance_usd", "unexplained_usd",
    "unexplained_limit_usd", "spread_usd",
)  # fmt: skip


def results(found: Reconciliation, notes: Sequence[str] = ()) -> list[Reconciled]:
    """Return one result for each provider and account, as the control store keeps it.

    `detail` holds the waterfall, the findings with their sentences, the verdict with its limits, the residual by day
    and the notes of the files; money as decimal strings.
    """
    return [_result(found, verdict, notes) for verdict in found.verdicts.iter_rows(named=True)]


def _result(found: Reconciliation, verdict: dict[str, Any], notes: Sequence[str]) -> Reconciled:
    ours = [pl.col(name) == verdict[name] for name in ACCOUNT]
    steps = found.waterfall.filter(ours).select("step", "net_usd", "gross_usd")
    named = found.findings.filter(ours).drop(ACCOUNT).to_dicts()
    days = residual_by_day(found.cells.filter(ours)).select("day", "residual_usd", "billed_usd", "spread_usd")
    net = {row["step"]: row["net_usd"] for row in steps.iter_rows(named=True)}
    detail: dict[str, Any] = {
        "waterfall": steps.to_dicts(),
        "findings": [
            row | {"sentence": reconcile_words.finding(row | {name: verdict[name] for name in ACCOUNT})}
            for row in named
        ],
        "verdict": reconcile_words.verdict(verdict),
        "within_tolerance": verdict["passed"],
        "needs_reason": verdict["needs_reason"],
        "level": verdict["level"],
        "days": days.to_dicts(),
        "notes": list(notes),
        **{name: verdict[name] for name in (*_QUALITIES, *_LIMITS, *PARTS)},
    }
    return Reconciled(
        month=found.month,
        provider=verdict["provider"],
        account=verdict["account"],
        passed=verdict["passed"] and not verdict["needs_reason"],
        billed_usd=net["billed"],
        traced_usd=net["traced"],
        unexplained_usd=net["unexplained"],
        detail=_as_json(detail),
    )


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_json(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_as_json(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else plain(value)


def document(result: Reconciled) -> dict[str, Any]:
    """Return a result as the command line prints it."""
    told = {name: value for name, value in vars(result).items() if name != "detail"}
    return told | result.detail


def waterfall_of(stored: Sequence[Stored]) -> pl.DataFrame:
    """Return the waterfall of stored results, summed over providers: `step, net_usd, gross_usd` in order."""
    rows = [row for each in stored for row in each.result.detail.get("waterfall", ())]
    return (
        _frame(rows, {"step": pl.String}, ("net_usd", "gross_usd"))
        .group_by("step", maintain_order=True)
        .agg(pl.col("net_usd", "gross_usd").sum())
    )


def days_of(stored: Sequence[Stored]) -> pl.DataFrame:
    """Return the residual of stored results: `provider, account, day, residual_usd, billed_usd`, sorted."""
    rows = [
        {"provider": each.result.provider, "account": each.result.account} | row
        for each in stored
        for row in each.result.detail.get("days", ())
    ]
    schema = {"provider": pl.String, "account": pl.String, "day": pl.String}
    return (
        _frame(rows, schema, ("residual_usd", "billed_usd"))
        .with_columns(pl.col("day").str.to_date("%Y-%m-%d"))
        .sort("provider", "account", "day")
    )


def money_of(stored: Sequence[Stored], name: str) -> Decimal:
    """Return the sum of a money field of the results' details."""
    return sum((Decimal(each.result.detail.get(name) or 0) for each in stored), Decimal(0))


def shares_of(stored: Sequence[Stored]) -> dict[str, float | None]:
    """Return `coverage_share, matched_share, price_accuracy` of stored results taken together."""
    schema = {name: pl.Int64 if name.endswith("tokens") else pl.Float64 for name in PARTS}
    parts = pl.DataFrame([{name: each.result.detail.get(name) for name in PARTS} for each in stored], schema=schema)
    found: dict[str, float | None] = shares(parts.sum()).select(_QUALITIES).row(0, named=True)
    return found


def _frame(rows: list[dict[str, Any]], schema: dict[str, Any], money: Sequence[str]) -> pl.DataFrame:
    every = {**schema, **dict.fromkeys(money, pl.String)}
    return pl.DataFrame(rows, schema=every, orient="row").with_columns(pl.col(money).cast(MONEY))


def for_eyes(waterfall: pl.DataFrame) -> pl.DataFrame:
    """Return the waterfall as a table of words: one row a step, net and gross for each provider and account."""
    columns: dict[str, list[str]] = {}
    for seller, steps in waterfall.group_by(ACCOUNT, maintain_order=True):
        name = reconcile_words.seller(dict(zip(ACCOUNT, seller, strict=True)))
        columns.setdefault("Step", [reconcile_words.STEP[step] for step in steps["step"]])
        columns[name] = [words.usd(amount) for amount in steps["net_usd"]]
        columns[f"{name}, gross"] = [words.usd(amount) for amount in steps["gross_usd"]]
    return pl.DataFrame(columns)
