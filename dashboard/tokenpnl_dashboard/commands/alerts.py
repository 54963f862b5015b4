"""`tokenpnl alerts`: find what alerts.yaml watches, tell its channels, list what was told, take note of it."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenpnl_dashboard.cli import CHECK_FAILED, OK, Group
from tokenpnl_dashboard.commands.options import HOME, formats

if TYPE_CHECKING:
    from tokenpnl_dashboard.alerts.delivery import Delivery


@click.group("alerts", cls=Group)
def command() -> None:
    """Find what alerts.yaml watches, and tell its channels once.

    Run `tokenpnl alerts run` every few minutes, from cron or a timer: an alert is told once and again only after its
    cooldown, quiet hours hold it back, and what a receiver did not take is sent on the next run.
    """


@command.command("run")
@click.option("--dry-run", is_flag=True, help="Print what would be told, and tell nobody.")
@HOME
@formats
def run(home: Path | None, form: str, *, dry_run: bool) -> int:
    """Find and tell; exit 1 when a channel could not be told."""
    from tokenpnl_analytics.periods import reading_moment
    from tokenpnl_analytics.rules.outcomes import OUTCOMES
    from tokenpnl_analytics.unit_cost.outcome_rules import windows_of
    from tokenpnl_dashboard.alerts.delivery import deliver
    from tokenpnl_dashboard.alerts.watching import Watched, found
    from tokenpnl_dashboard.book import open_book
    from tokenpnl_dashboard.rules.configuration import Configuration
    from tokenpnl_ingest.control import ControlStore
    from tokenpnl_ingest.home import Home

    place = Home.at(home)
    now = datetime.now(UTC)
    rules, budgets = _rules(Configuration.of(place))
    windows = windows_of(Configuration.of(place).read(OUTCOMES))
    if not rules.rules:
        click.echo(
            f"no rules: write {place.config / 'alerts.yaml'}; `tokenpnl config schema alerts.yaml` says how", err=True
        )
    with ControlStore.of(place) as control:
        with open_book(place) as book:
            newest_at = book.version().newest_at
            as_of = reading_moment(newest_at, now=now)
            watched = Watched(book.query, as_of, rules, budgets, control.state_of, windows)
            alerts = found(watched) if newest_at else []
        if dry_run:
            _print([_row(alert.as_dict(), ", ".join(rule.channels), "found", "") for alert, rule in alerts], form)
            return OK
        told = deliver(alerts, rules, control, now=now, environment=os.environ)
    return _report(told, form)


@command.command("test")
@click.option("--channel", "channels", multiple=True, help="Only this channel; may be repeated.  [default: all]")
@HOME
@formats
def test(channels: Sequence[str], home: Path | None, form: str) -> int:
    """Send a test message to every channel, past quiet hours; exit 1 when one does not take it."""
    from tokenpnl.errors import ConfigurationError, DeliveryError
    from tokenpnl_dashboard.alerts.alert import Alert
    from tokenpnl_dashboard.alerts.delivery import Delivery, State
    from tokenpnl_dashboard.alerts.senders import send
    from tokenpnl_dashboard.rules.configuration import Configuration
    from tokenpnl_ingest.home import Home

    rules, _ = _rules(Configuration.of(Home.at(home)))
    names = list(channels) or [channel.name for channel in rules.channels]
    unknown = sorted(set(names) - {channel.name for channel in rules.channels})
    if unknown or not names:
        known = ", ".join(channel.name for channel in rules.channels) or "none"
        raise ConfigurationError(f"no channel {', '.join(unknown) or 'at all'}; alerts.yaml names {known}")
    now = datetime.now(UTC)
    alert = Alert(
        f"test/{now:%Y-%m-%dT%H:%M:%S}",
        "test",
        "info",
        "1 test message of tokenpnl arrived.",
        ("Nothing is wrong: somebody ran `tokenpnl alerts test`.",),
    )
    told = []
    for name in names:
        state, reason = State.SENT, ""
        try:
            send(rules.channel(name), [alert], now=now, dashboard=rules.dashboard, environment=os.environ)
        except (DeliveryError, ConfigurationError) as error:
            state, reason = State.FAILED, str(error)
        told.append(Delivery(alert, name, state, reason))
    return _report(told, form)


@command.command("list")
@click.option("--open", "only_open", is_flag=True, help="Only those nobody took note of.")
@HOME
@formats
def listed(home: Path | None, form: str, *, only_open: bool) -> int:
    """List what was told or is held, the newest first."""
    from tokenpnl_ingest.control import ControlStore
    from tokenpnl_ingest.home import Home

    with ControlStore.of(Home.at(home)) as control:
        known = [one for one in control.alerts() if not (only_open and one.acknowledged_at)]
    rows = []
    for one in known:
        states = ", ".join(f"{name} {told['state']}" for name, told in sorted(one.detail["channels"].items()))
        note = f"{one.acknowledged_by}: {one.reason}" if one.acknowledged_at else ""
        rows.append(_row(one.detail["alert"], states, "acknowledged" if note else "open", note))
    _print(rows, form)
    return OK


@command.command("ack")
@click.argument("key")
@click.option("--by", "actor", required=True, help="Who takes note, for the record.")
@click.option("--reason", required=True, help="Why it needs nothing more, for the record.")
@HOME
def ack(key: str, actor: str, reason: str, home: Path | None) -> int:
    """Take note of an alert, with a reason; it is not told again."""
    from tokenpnl_ingest.control import ControlStore
    from tokenpnl_ingest.home import Home

    with ControlStore.of(Home.at(home)) as control:
        control.acknowledge(key, reason, actor=actor)
    click.echo(f"{actor} took note of {key}", err=True)
    return OK


def _rules(configuration: Any) -> tuple[Any, Any]:
    from tokenpnl_analytics.rules.alerts import ALERTS
    from tokenpnl_analytics.rules.budgets import BUDGETS

    return configuration.read(ALERTS), configuration.read(BUDGETS)


def _report(told: "Sequence[Delivery]", form: str) -> int:
    from tokenpnl_dashboard.alerts.delivery import State

    _print([_row(one.alert.as_dict(), one.channel, one.state.value, one.reason) for one in told], form)
    failed = [one for one in told if one.state is State.FAILED]
    for reason in sorted({one.reason for one in failed}):
        click.echo(f"not told: {reason}; it is sent on the next run", err=True)
    return CHECK_FAILED if failed else OK


def _row(alert: dict[str, Any], channel: str, state: str, note: str) -> dict[str, str | None]:
    return {
        "key": alert["key"],
        "headline": alert["headline"],
        "since": alert["since"],
        "channel": channel or None,
        "state": state,
        "note": note or None,
    }


def _print(rows: list[dict[str, str | None]], form: str) -> None:
    import polars as pl

    from tokenpnl_dashboard.output import print_frame

    columns = ("key", "headline", "since", "channel", "state", "note")
    print_frame(
        pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String)),
        form,
        title="alerts",
        names=len(columns),
        nothing="nothing to tell",
    )
