"""`tokenpnl budgets`: how the budgets stand, why the cost moved, what is odd, and how good the forecast is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenpnl_dashboard.cli import CHECK_FAILED, OK, Group
from tokenpnl_dashboard.commands.options import HOME, formats

if TYPE_CHECKING:
    import polars as pl

    from tokenpnl_analytics.periods import Period
    from tokenpnl_analytics.planning.budgets import Span
    from tokenpnl_analytics.rules.alerts import AlertsFile
    from tokenpnl_analytics.rules.budgets import BudgetsFile
    from tokenpnl_dashboard.book import Book
    from tokenpnl_dashboard.questions.disclosure import Disclosure

NOTHING_JUDGED = "too little history to judge any hour"
AS_OF = click.option("--as-of", help="ISO time to read at.  [default: now, or the newest data when they are old]")


@click.group("budgets", cls=Group, invoke_without_command=True)
@click.option("--month", help="Month to show, such as 2026-10.  [default: the one of --as-of]")
@click.option("--check", is_flag=True, help="Exit 1 when a budget is over or forecast to be.")
@AS_OF
@HOME
@formats
@click.pass_context
def command(
    ctx: click.Context, month: str | None, as_of: str | None, home: Path | None, form: str, *, check: bool
) -> int:
    """Show how every budget of budgets.yaml stands: spent, pace, forecast end, and the next threshold."""
    if ctx.invoked_subcommand is not None:
        return OK
    from tokenpnl_analytics.planning.budgets import Standing, budget_table
    from tokenpnl_analytics.planning.forecast import METHOD
    from tokenpnl_dashboard.output import print_disclosed
    from tokenpnl_dashboard.questions import budgeting

    with _asked(home, as_of) as (book, moment, rules, _):
        at = _month_of(month, moment, rules.zone) if month else moment
        standing = budgeting.burns(book.query, rules, as_of=moment, at=at)
        table, told = budget_table(standing), _rests_on(book, home, [burn.span for burn in standing], METHOD)
    if table.is_empty():
        click.echo("no budgets in force: write budgets.yaml; `tokenpnl config schema budgets.yaml` says how", err=True)
    shown = _eyes(table, _STATUS) if form in ("table", "md") else table
    title = f"budgets as of {moment:%Y-%m-%d %H:%M} UTC"
    print_disclosed(shown, form, told, title=title, names=4, nothing="no budget to show")
    bad = table["standing"].is_in([Standing.OVER.value, Standing.WILL_OVERRUN.value]).any()
    return CHECK_FAILED if check and bad else OK


@command.command("variance")
@click.option("--period", default="mtd", show_default=True, help="Such as 2026-10, last-30d, mtd.")
@click.option("--against", help="Period to compare with.  [default: as many days just before]")
@AS_OF
@HOME
@formats
def variance(period: str, against: str | None, as_of: str | None, home: Path | None, form: str) -> int:
    """Say why the cost moved: volume, mix, rate, waste, new and ended workflows; they sum to the change exactly."""
    import polars as pl

    from tokenpnl_analytics.periods import parse_period
    from tokenpnl_analytics.planning.variance import whole
    from tokenpnl_dashboard.output import print_disclosed
    from tokenpnl_dashboard.questions import budgeting

    with _asked(home, as_of) as (book, moment, rules, _):
        after = parse_period(period, now=moment, zone=rules.zone)
        before = parse_period(against, now=moment, zone=rules.zone) if against else after.previous()
        if before is None:
            raise click.UsageError(f"the period {period!r} is open and has none before it; name one by --against")
        split, told = budgeting.bridge_of(book.query, before, after), _rests_on(book, home, [before, after])
    if form in ("table", "md") and split.height:
        total = whole(split).with_columns(pl.lit("total").alias("workflow"))
        split = pl.concat([split.with_columns(pl.col("workflow").fill_null("(none)")), total], how="diagonal")
        split = _eyes(split, _BRIDGE)
    title = f"cost of {after.label} against {before.label}, by reason"
    print_disclosed(split, form, told, title=title, names=1)
    return OK


@command.command("anomalies")
@click.option("--hours", is_flag=True, help="Every judged hour instead of the incidents.")
@AS_OF
@HOME
@formats
def anomalies(as_of: str | None, home: Path | None, form: str, *, hours: bool) -> int:
    """List hours that cost more than chance explains, with what was expected, p, q and likely causes."""
    from tokenpnl_dashboard.output import print_disclosed
    from tokenpnl_dashboard.questions import budgeting

    with _asked(home, as_of) as (book, moment, _, alerts):
        found = budgeting.found_anomalies(book.query, alerts.anomalies, as_of=moment)
        told = _rests_on(book, home, [])
    judged = found.hours.select("workflow", "model").n_unique()
    window = f"{alerts.anomalies.window_hours} h before {moment:%Y-%m-%d %H}:00 UTC"
    young = f"{found.refused.height} with too little history"
    click.echo(f"{judged} series judged over {window}, q {alerts.anomalies.q:g}; {young}", err=True)
    table = found.hours if hours else found.incidents
    nothing = "no hour cost more than chance explains" if table.is_empty() and judged else NOTHING_JUDGED
    shown = _eyes(table, _INCIDENT) if form in ("table", "md") and not hours else table
    print_disclosed(shown, form, told, title="anomalies", names=2, nothing=nothing)
    return OK


@command.command("backtest")
@AS_OF
@HOME
@formats
@click.option("--origins", is_flag=True, help="Every origin instead of the summary.")
def backtest(as_of: str | None, home: Path | None, form: str, *, origins: bool) -> int:
    """Say how good the forecast of daily cost was from earlier days: WAPE, coverage of P10-P90, number of origins."""
    from tokenpnl_analytics.planning.forecast import LEAST_DAYS, METHOD, accuracy
    from tokenpnl_dashboard.output import print_disclosed
    from tokenpnl_dashboard.questions import budgeting

    with _asked(home, as_of) as (book, moment, rules, _):
        tested = budgeting.backtest_of(book.query, as_of=moment, zone=rules.zone)
        told = _rests_on(book, home, [], METHOD)
    if tested.is_empty():
        click.echo(f"too little history: more than {LEAST_DAYS} days with usage are needed", err=True)
    shown, title = tested if origins else accuracy(tested), f"forecast of all cost, {METHOD}, rolling origins"
    print_disclosed(shown, form, told, title=title, names=1)
    return OK


_STATUS = (
    *("budget", "node", "period", "standing", "amount_usd", "spent_usd", "spent_share", "elapsed_share"),
    *("run_rate_usd_per_day", "forecast_usd", "low", "high", "next_percent", "next_at", "unpriced_share"),
    *("owner", "refused_because"),
)
_BRIDGE = (
    *("workflow", "before_usd", "after_usd", "change_usd", "volume_usd", "mix_usd", "rate_usd", "waste_usd"),
    *("new_usd", "ended_usd", "n_calls_before", "n_calls_after", "priced_share_before", "priced_share_after"),
)
_INCIDENT = (
    *("workflow", "model", "since", "n_hours", "observed_usd", "expected_usd", "excess_usd", "p", "q", "n", "cause"),
    "method",
)


@contextmanager
def _asked(home: Path | None, as_of: str | None) -> "Iterator[tuple[Book, datetime, BudgetsFile, AlertsFile]]":
    """Give the book, the moment to read at, budgets.yaml and alerts.yaml."""
    from tokenpnl_analytics.periods import reading_moment
    from tokenpnl_analytics.rules.alerts import ALERTS
    from tokenpnl_analytics.rules.budgets import BUDGETS
    from tokenpnl_dashboard.book import open_book
    from tokenpnl_dashboard.rules.configuration import Configuration
    from tokenpnl_ingest.home import Home

    place = Home.at(home)
    files = Configuration.of(place)
    rules, alerts = files.read(BUDGETS), files.read(ALERTS)
    with open_book(place) as book:
        newest_at = book.version().newest_at
        if newest_at is None:
            click.echo(f"nothing is stored in {place.path} yet; load files with `tokenpnl ingest`", err=True)
        moment = _moment(as_of) if as_of else reading_moment(newest_at, now=datetime.now(UTC))
        yield book, moment, rules, alerts


def _moment(text: str) -> datetime:
    from tokenpnl.errors import ConfigurationError

    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"--as-of {text!r} is no ISO time: {error}") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _month_of(text: str, moment: datetime, zone: str) -> datetime:
    from tokenpnl_analytics.periods import parse_period

    since = parse_period(text, now=moment, zone=zone).since
    if since is None:
        raise click.UsageError(f"--month takes a month such as 2026-10, not {text!r}")
    return since


def _eyes(table: "pl.DataFrame", columns: tuple[str, ...]) -> "pl.DataFrame":
    """Return the columns that say something as text, rounded."""
    import polars as pl

    said = [name for name in columns if name in table.columns and (name == columns[0] or _says(table[name]))]
    shown = {name: [_cell(name, value) for value in table[name]] for name in said}
    return pl.DataFrame(shown, schema=dict.fromkeys(said, pl.String))


def _says(figures: "pl.Series") -> bool:
    return bool((figures != 0).any()) if figures.dtype.is_numeric() else figures.null_count() < len(figures)


def _cell(name: str, value: Any) -> str | None:
    from tokenpnl_dashboard import words

    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if "_share" in name:
        return words.percent(value)
    if name in ("p", "q"):
        return f"{value:.2g}"
    return words.count(value) if isinstance(value, int) else words.usd(value)


def _rests_on(
    book: "Book", home: Path | None, spans: "Sequence[Period | Span]", interval_method: str | None = None
) -> "Disclosure":
    """Return what was read: everything from the begin of the first span to the end of the last, or all there is."""
    from tokenpnl_analytics.periods import Period
    from tokenpnl_dashboard.questions.disclosure import Known, Summed, disclosure_of
    from tokenpnl_ingest.home import Home

    since = [span.since for span in spans if span.since is not None]
    until = [span.until for span in spans if span.until is not None]
    period = Period("all", min(since, default=None), max(until, default=None))
    found = disclosure_of(Known.of(book, Home.at(home)), Summed(period))
    return replace(found, interval_method=interval_method)
