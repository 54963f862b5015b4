"""What the rules of alerts.yaml find in a book at a moment, in the words of the alert."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

import polars as pl

from tokenpnl.tables import RUNS
from tokenpnl_analytics.frames import conform
from tokenpnl_analytics.periods import parse_period
from tokenpnl_analytics.planning.anomalies import Found
from tokenpnl_analytics.planning.budgets import Burn
from tokenpnl_analytics.rules.alerts import AlertRule, AlertsFile, Subject
from tokenpnl_analytics.rules.budgets import BudgetsFile
from tokenpnl_analytics.unit_cost.intervals import FEW_SUCCESSES
from tokenpnl_analytics.unit_cost.units import cohort, unit_costs
from tokenpnl_dashboard import words
from tokenpnl_dashboard.alerts.alert import Alert
from tokenpnl_dashboard.questions import budgeting
from tokenpnl_dashboard.questions.budgeting import Query
from tokenpnl_ingest.control.records import CloseState

_WHOLE_BUDGET = 100
_UNPRICED_PERCENT = Decimal(2)
_CLOSE_DAYS = Decimal(5)
_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Watched:
    """A book at a moment, with what the rules read of it; each is worked out once.

    Args:
        query: asks the book.
        as_of: aware.
        alerts: alerts.yaml.
        budgets: budgets.yaml.
        state_of: how far a month (`2026-10`) is closed.
        windows: stated outcome windows by workflow or pattern.
    """

    query: Query
    as_of: datetime
    alerts: AlertsFile
    budgets: BudgetsFile = field(default_factory=BudgetsFile)
    state_of: Callable[[str], CloseState] = field(default=lambda _: CloseState.OPEN)
    windows: Mapping[str, timedelta] = field(default_factory=dict)

    @cached_property
    def burns(self) -> list[Burn]:
        """How every budget stands."""
        return budgeting.burns(self.query, self.budgets, as_of=self.as_of)

    @cached_property
    def anomalies(self) -> Found:
        """What the last hours hold."""
        return budgeting.found_anomalies(self.query, self.alerts.anomalies, as_of=self.as_of)

    @cached_property
    def units(self) -> pl.DataFrame:
        """Cost per success by workflow of the runs of the last 30 days."""
        since = self.as_of - timedelta(days=30)
        runs = conform(self.query("table", name=RUNS.name, since=since, until=self.as_of), RUNS)
        return unit_costs(cohort(runs, as_of=self.as_of, windows=self.windows), ["workflow"])


def found(watched: Watched) -> list[tuple[Alert, AlertRule]]:
    """Return what every rule finds, in the order of the rules."""
    finders: dict[Subject, Callable[[Watched, AlertRule], Iterator[Alert]]] = {
        Subject.BUDGET: _budgets,
        Subject.FORECAST: _forecasts,
        Subject.ANOMALY: _anomalies,
        Subject.UNIT_COST: _unit_costs,
        Subject.UNPRICED: _unpriced,
        Subject.CLOSE: _closes,
    }
    return [(alert, rule) for rule in watched.alerts.rules for alert in finders[rule.watch](watched, rule)]


def _budgets(watched: Watched, rule: AlertRule) -> Iterator[Alert]:
    """Give the highest threshold that each budget's spending crossed; lower ones it has crossed too."""
    for burn in _named(watched.burns, rule):
        crossed = burn.thresholds.filter((pl.col("basis") == "actual") & pl.col("crossed"))
        if rule.above is not None:
            crossed = crossed.filter(pl.col("percent") >= float(rule.above))
        if crossed.is_empty():
            continue
        percent, at = crossed.sort("percent").select("percent", "crossed_at").row(-1)
        floor = "At least " if burn.unpriced_share else ""
        amount = burn.budget.amount_usd
        yield Alert(
            key=f"budget/{burn.budget.name}/{burn.span.label}/{percent}",
            watch=rule.watch,
            severity=rule.severity,
            headline=f"{floor}{words.usd(burn.spent_usd)} of {words.usd(amount)} "
            f"({words.percent(burn.spent_share)}) is spent on {burn.node}, {_left(burn)}.",
            facts=(f"Budget {burn.budget.name}, {burn.span.label}: {percent}% crossed.{_owner(burn)}", _pace(burn)),
            since=at,
            once=True,
        )


def _forecasts(watched: Watched, rule: AlertRule) -> Iterator[Alert]:
    for burn in _named(watched.burns, rule):
        percent = int(rule.above or _WHOLE_BUDGET)
        limit = float(burn.budget.amount_usd) * percent / 100
        if burn.end is None or burn.ahead is None or burn.end[0] < limit or float(burn.spent_usd) >= limit:
            continue
        estimate, low, high = burn.end
        amount = burn.budget.amount_usd
        yield Alert(
            key=f"forecast/{burn.budget.name}/{burn.span.label}/{percent}",
            watch=rule.watch,
            severity=rule.severity,
            headline=f"{words.usd(estimate)} is forecast for {burn.node} in {burn.span.label}, "
            f"{words.percent(estimate / float(amount))} of the {words.usd(amount)} budget.",
            facts=(
                f"P10-P90 {words.between(low, high)}; {words.usd(burn.spent_usd)} spent, {_left(burn)}.{_owner(burn)}",
                _pace(burn),
            ),
        )


def _anomalies(watched: Watched, rule: AlertRule) -> Iterator[Alert]:
    for row in watched.anomalies.incidents.iter_rows(named=True):
        name = row["workflow"] or "(none)"
        if (rule.workflow not in (None, name)) or row["excess_usd"] < float(rule.above or 0):
            continue
        hours = words.counted(row["n_hours"], "hour")
        expected = f"{words.usd(row['expected_usd'])} expected; p {row['p']:.1g}, q {row['q']:.1g}"
        yield Alert(
            key=budgeting.anomaly_key(row),
            watch=rule.watch,
            severity=rule.severity,
            headline=f"{words.usd(row['observed_usd'])} in {hours} on {name}, {row['model'] or 'no model'}: "
            f"{words.usd(row['excess_usd'])} above expected.",
            facts=(f"{expected}, {row['n']:,} hours of history, {row['method']}.",),
            since=row["since"],
            cause=row["cause"],
            once=True,
        )


def _unit_costs(watched: Watched, rule: AlertRule) -> Iterator[Alert]:
    """Give workflows whose settled cost per success is above the limit; thin figures are compared with nothing."""
    assert rule.above is not None
    known = watched.units.filter((pl.col("settled_usd") > rule.above) & (pl.col("settled_successes") >= FEW_SUCCESSES))
    for row in known.iter_rows(named=True):
        name = row["workflow"] or "(none)"
        if rule.workflow not in (None, name):
            continue
        successes = f"{row['settled_successes']:,} successes of {row['n_settled']:,} runs"
        sure = words.interval(row["low"], row["high"])
        yield Alert(
            key=f"unit_cost/{name}/{watched.as_of:%Y-%m}",
            watch=rule.watch,
            severity=rule.severity,
            headline=f"{words.usd(row['settled_usd'])} per success of {name}, above {words.usd(rule.above)}.",
            facts=(f"Settled runs of the last 30 days: {successes}; {sure}.",),
            page="/units",
        )


def _unpriced(watched: Watched, rule: AlertRule) -> Iterator[Alert]:
    since = watched.as_of - _WEEK
    sums = watched.query("line_item_sums", by=["provider", "model"], since=since, until=watched.as_of)
    n_lines, n_unpriced = int(sums["n_lines"].sum()), int(sums["n_unpriced_lines"].sum())
    if not n_lines or Decimal(n_unpriced) * 100 <= (rule.above or _UNPRICED_PERCENT) * n_lines:
        return
    worst = sums.filter(pl.col("n_unpriced_lines") > 0).sort("n_unpriced_lines", "model", descending=[True, False])
    models = [row["model"] or "(none)" for row in worst.head(3).iter_rows(named=True)]
    yield Alert(
        key=f"unpriced/{watched.as_of:%G-W%V}",
        watch=rule.watch,
        severity=rule.severity,
        headline=f"{words.percent(n_unpriced / n_lines)} of usage lines have no price: sums of dollars are a floor.",
        facts=(f"{n_unpriced:,} of {n_lines:,} lines of the last 7 days; most of {words.listed(models)}.",),
        cause="a model that no price list names; add it to the price files",
        page="/",
    )


def _closes(watched: Watched, rule: AlertRule) -> Iterator[Alert]:
    month = parse_period("last-month", now=watched.as_of, zone=watched.budgets.zone)
    assert month.since is not None
    assert month.until is not None
    late = (watched.as_of - month.until).days
    label = f"{month.since + (month.until - month.since) / 2:%Y-%m}"
    if late <= (rule.above if rule.above is not None else _CLOSE_DAYS) or watched.state_of(label) == CloseState.CLOSED:
        return
    sums = watched.query("line_item_sums", since=month.since, until=month.until)
    if not sums["n_lines"].sum():
        return
    yield Alert(
        key=f"close/{label}",
        watch=rule.watch,
        severity=rule.severity,
        headline=f"{words.counted(late, 'day')} after its end {label} is {watched.state_of(label)}, not closed.",
        facts=(
            f"{words.usd(sums['cost_usd'].sum())} of traced cost waits; `tokenpnl close check {label}` says for what.",
        ),
        since=month.until,
        page="/close",
    )


def _named(burns: list[Burn], rule: AlertRule) -> Iterator[Burn]:
    return (burn for burn in burns if rule.budget in (None, burn.budget.name))


def _left(burn: Burn) -> str:
    return f"{words.days(burn.days_left)} before the {burn.budget.every} ends"


def _owner(burn: Burn) -> str:
    return f" Owner: {burn.budget.owner}." if burn.budget.owner else ""


def _pace(burn: Burn) -> str:
    if burn.end is None or burn.ahead is None:
        return burn.ahead.refused_because.capitalize() + "." if burn.ahead else "The period is over."
    estimate, low, high = burn.end
    ahead = f"{words.usd(estimate)} at the end, P10-P90 {words.between(low, high)}"
    return f"{words.usd(burn.run_rate_usd_per_day)} a day so far; {ahead}."
