"""Budget, spent of it and variance beside the statement, where a budget stands on exactly what is shown."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import polars as pl

from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.periods import Period
from tokenpnl_analytics.planning.budgets import span_of
from tokenpnl_analytics.rules.budgets import Budget, BudgetsFile

ROWS = ("budget_usd", "budget_spent_usd", "budget_variance_usd")
Where = Mapping[str, Sequence[str | None]]


def budgeted(rules: BudgetsFile, where: Where, period: Period, *, as_of: datetime) -> Decimal | None:
    """Return what may be spent on a selection in a period, USD; None: no budget stands on just that.

    A budget counts where its own selection, or that of its group, is the one that is shown, and where the period holds
    its months or quarters whole, the last one at least up to `as_of`: of a part of a month nobody said what it may
    cost. Of several on one selection the first of the file counts, months before quarters.

    Args:
        rules: budgets.yaml.
        where: column of the line items -> accepted values; empty: everything.
        period: what is shown.
        as_of: the moment it is read at, aware.
    """
    shown = {name: set(values) for name, values in where.items()}
    ours = [
        budget
        for budget in rules.budgets
        if {name: set(values) for name, values in rules.selection(budget).columns().items()} == shown
    ]
    for every in ("month", "quarter"):
        found = _over_spans([each for each in ours if each.every == every], period, rules.zone, as_of)
        if found is not None:
            return found
    return None


def with_budgets(rows: pl.DataFrame, amounts: Sequence[Decimal | None]) -> pl.DataFrame:
    """Return the statement with `budget_usd`, `budget_spent_usd` (its effective cost) and `budget_variance_usd`.

    The variance is budget less spent: negative where more was spent. NULL in rows without a budget.

    Args:
        rows: result of `statement`.
        amounts: of each row what may be spent, as `budgeted` finds it; without any the rows come back as they are.
    """
    if all(amount is None for amount in amounts):
        return rows
    budget = pl.Series("budget_usd", list(amounts), MONEY)
    spent = pl.when(pl.col("budget_usd").is_not_null()).then("effective_usd")
    return rows.with_columns(budget).with_columns(
        spent.alias("budget_spent_usd"),
        (pl.col("budget_usd") - pl.col("effective_usd")).cast(MONEY).alias("budget_variance_usd"),
    )


def _over_spans(ours: Sequence[Budget], period: Period, zone: str, as_of: datetime) -> Decimal | None:
    if not ours or period.since is None or period.until is None:
        return None
    amount, at = Decimal(0), period.since
    while at < period.until:
        span = span_of(ours[0], at, zone)
        in_force = [each for each in ours if each.within(span.first_day, span.last_day)]
        if span.since != at or period.until < min(span.until, as_of) or not in_force:
            return None
        amount, at = amount + in_force[0].amount_usd, span.until
    return amount
