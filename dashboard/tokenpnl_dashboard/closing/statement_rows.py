"""What stands on the statement beside the line items: the way to the bill, budgets, volume terms of open months."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl

from tokenpnl.model import ChargeKind
from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.closing.billed_ladder import STEPS_OF_INVOICES, with_billed
from tokenpnl_analytics.frames import TIME, empty
from tokenpnl_analytics.periods import Period
from tokenpnl_analytics.planning.budget_rows import budgeted, with_budgets
from tokenpnl_analytics.pricing.trueups import with_estimated_true_up
from tokenpnl_analytics.rules.budgets import BUDGETS
from tokenpnl_analytics.rules.prices import CONTRACT
from tokenpnl_analytics.statement import GRAINS
from tokenpnl_dashboard.closing.months import Closing, month_span
from tokenpnl_ingest.control import CloseState

_KNOWN_TO_INVOICES = ("provider",)
_KNOWN_TO_TERMS = ("provider", "model", "tenant")
_KEY = "_key"
_TRUE_UP = pl.col("usage_kind") == ChargeKind.TRUE_UP.value


@dataclass(frozen=True)
class Shown:
    """What a statement is of.

    Args:
        period: its days.
        as_of: the moment it is read at.
        by: a column of the line items or a grain; None: one row.
        zone: whose days and months.
        where: column -> accepted values.
    """

    period: Period
    as_of: datetime
    by: str | None = None
    zone: str = "UTC"
    where: Mapping[str, Sequence[str | None]] = field(default_factory=dict)


def with_rows(found: pl.DataFrame, closing: Closing, shown: Shown) -> pl.DataFrame:
    """Return the statement with everything that is known beside its line items, of months that are shown whole.

    Args:
        found: result of `statement`; periods stand in the column `period`, or in one of the grain's name.
        closing: where invoices, budgets and closes are kept.
        shown: what the statement is of.

    Returns:
        The rows in order with, after `effective_usd` and where each applies: `billed_ladder.LADDER` (of the whole, by
        month and by provider, as an invoice tells nothing of workflows), `budget_rows.ROWS`, `true_up_estimated_usd`
        (of the whole, by month, provider, model and tenant).
    """
    keyed = found.with_columns(_key_of(found, shown))
    by = [_KEY] if shown.by else []
    if _tells(shown, _KNOWN_TO_INVOICES):
        keyed = with_billed(keyed, _steps(closing, shown), by)
    keyed = with_budgets(keyed, _amounts(keyed, closing, shown))
    terms = closing.configuration.read(CONTRACT)
    if (terms.volume_tiers or terms.rebates) and _tells(shown, _KNOWN_TO_TERMS):
        keyed = with_estimated_true_up(keyed, _settled_so_far(closing, shown), by)
    beside = [name for name in keyed.columns if name not in found.columns and name != _KEY]
    after = found.columns.index("effective_usd") + 1
    return keyed.select(*found.columns[:after], *beside, *found.columns[after:])


def _tells(shown: Shown, known: Sequence[str]) -> bool:
    return set(shown.where) <= set(known) and shown.by in (None, "month", *known)


def _key_of(found: pl.DataFrame, shown: Shown) -> pl.Expr:
    """Return what selects a row: a month such as 2026-10 in the zone, or the value of the dimension."""
    if shown.by is None:
        return pl.lit(None, pl.String).alias(_KEY)
    if shown.by in GRAINS:
        begun = pl.col("period" if "period" in found.columns else shown.by)
        return begun.dt.convert_time_zone(shown.zone).dt.strftime("%Y-%m").alias(_KEY)
    return pl.col(shown.by).alias(_KEY)


def _holds(shown: Shown, month: str) -> bool:
    """Return whether the month is shown whole, or at least all of it that is known."""
    span = month_span(month, shown.zone)
    since, until = shown.period.since, shown.period.until
    return (since is None or since <= span.since) and (until is None or until >= min(span.until, shown.as_of))


def _steps(closing: Closing, shown: Shown) -> pl.DataFrame:
    rows = [
        (month, one.result.provider, one.result.account, step["step"], Decimal(step["net_usd"]))
        for month in closing.control.reconciled_months()
        if _holds(shown, month) and _begun(shown, month)
        for one in closing.control.reconciliations(month)
        if _is_complete(one.result.detail)
        for step in one.result.detail["waterfall"]
    ]
    steps = pl.DataFrame(rows, schema=STEPS_OF_INVOICES, orient="row")
    return _selected(steps, shown).with_columns(pl.col(shown.by or "month").alias(_KEY))


def _begun(shown: Shown, month: str) -> bool:
    until = shown.period.until
    return until is None or month_span(month, shown.zone).since < until


def _is_complete(detail: Mapping[str, Any]) -> bool:
    return {"traced", "billed"} <= {step["step"] for step in detail.get("waterfall", ())}


def _selected(rows: pl.DataFrame, shown: Shown) -> pl.DataFrame:
    for name, values in shown.where.items():
        rows = rows.filter(pl.col(name).is_in(list(values), nulls_equal=True))
    return rows


def _amounts(keyed: pl.DataFrame, closing: Closing, shown: Shown) -> list[Decimal | None]:
    rules = closing.configuration.read(BUDGETS)
    if not rules.budgets or (shown.by in GRAINS and shown.by != "month"):
        return [None] * keyed.height
    found: list[Decimal | None] = []
    for key in keyed[_KEY]:
        where, period = dict(shown.where), shown.period
        if shown.by == "month":
            span = month_span(key, shown.zone)
            period = Period(key, span.since, span.until) if _holds(shown, key) else Period(key, None, None)
        elif shown.by is not None:
            where[shown.by] = [key]
        found.append(budgeted(rules, where, period, as_of=shown.as_of))
    return found


def _settled_so_far(closing: Closing, shown: Shown) -> pl.DataFrame:
    """Return the volume terms of the months that are not closed, as they would be settled today."""
    window = {"since": shown.period.since, "until": shown.period.until}
    hours = closing.book.query("line_item_sums", by=["hour"], **window)["hour"].cast(TIME)
    months = hours.dt.convert_time_zone(shown.zone).dt.strftime("%Y-%m").unique().sort()
    parts = [
        closing.now(closing.span(month)).filter(_TRUE_UP).with_columns(pl.lit(month).alias("month"))
        for month in months
        if _holds(shown, month) and closing.control.state_of(month) is not CloseState.CLOSED
    ]
    none = empty(LINE_ITEMS).with_columns(pl.lit(None, pl.String).alias("month"))
    return _selected(pl.concat([none, *parts]), shown).with_columns(pl.col(shown.by or "month").alias(_KEY))
