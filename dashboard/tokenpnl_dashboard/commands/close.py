"""`tokenpnl close`: freeze a month under one hash, signed by two persons, and read it again later."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tokenpnl_dashboard.cli import CHECK_FAILED, OK, UNTRUSTED, Group
from tokenpnl_dashboard.commands.options import HOME, JSON, formats

if TYPE_CHECKING:
    from tokenpnl_dashboard.closing.months import Closing

_MONTH = "YYYY-MM"
_BY = ("workflow", "customer", "provider", "model", "category", "usage_kind", "environment", "feature", "release")
_COLUMN = {"customer": "customer_id", "category": "cost_category"}
ACTOR = click.option("--by", "actor", required=True, help="Who does this, for the record.")
REASON = click.option("--reason", required=True, help="Why, for the record.")
MONTH = click.argument("month", metavar=_MONTH)


class Months(Group):
    """A group that takes a month for a verb: `close 2026-10` is `close YYYY-MM` of that month."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb, or the close of the month that stands in its place."""
        if args and re.fullmatch(r"\d{4}-\d{2}", args[0]):
            return _MONTH, self.get_command(ctx, _MONTH), args
        return super().resolve_command(ctx, args)


@click.group("close", cls=Months)
def command() -> None:
    """Close a month: soft first, with its accrual, then for good.

    `tokenpnl close 2026-10 --soft --preparer NAME` accrues what is not invoiced yet; the figures may still move.
    `tokenpnl close 2026-10 --preparer NAME --approver NAME` freezes line items, runs, rules, prices and rates under one
    hash, when every condition of `tokenpnl close check 2026-10` is fulfilled. Later facts never change a closed month:
    they stand beside it (`restated`), and their money goes into the open month (`adjustments`).
    """


@command.command(_MONTH)
@MONTH
@click.option("--soft", is_flag=True, help="Soft close: print and note the accrual.")
@click.option("--preparer", required=True, help="Who made the books ready.")
@click.option("--approver", help="Who approves them: another person.")
@HOME
@formats
def close(month: str, home: Path | None, form: str, *, soft: bool, preparer: str, approver: str | None) -> int:
    """Close the month, or soft close it with --soft."""
    from tokenpnl.errors import RefusedInputError
    from tokenpnl_dashboard.closing.months import close_status
    from tokenpnl_dashboard.output import print_frame

    if soft == bool(approver):
        raise click.UsageError("a soft close has a preparer only; a close has --preparer and --approver")
    now = datetime.now(UTC)
    with _closing(home) as closing:
        try:
            if soft:
                closing.soft_close(month, preparer=preparer, now=now)
                print_frame(closing.accrual(month), form, title=f"accrual of {month}")
                click.echo(f"{month} is soft closed; its figures may still move", err=True)
                return OK
            closing.close(month, preparer=preparer, approver=approver or "", now=now)
        except RefusedInputError as error:
            click.echo(f"tokenpnl: {error}", err=True)
            return CHECK_FAILED
        print_frame(close_status(closing.control).filter(month=month), form, title=f"{month} is closed", names=7)
    return OK


@command.command("status")
@HOME
@formats
def status(home: Path | None, form: str) -> int:
    """Print how far every month is."""
    from tokenpnl_dashboard.closing.months import close_status
    from tokenpnl_dashboard.output import print_frame
    from tokenpnl_ingest.control import ControlStore
    from tokenpnl_ingest.home import Home

    with ControlStore.of(Home.at(home)) as control:
        print_frame(
            close_status(control), form, title="months that are not just open", names=7, nothing="every month is open"
        )
    return OK


@command.command("check")
@MONTH
@HOME
@formats
def check(month: str, home: Path | None, form: str) -> int:
    """Print the conditions of a month's close and what to do; exit code 1 while one is not fulfilled."""
    from tokenpnl_analytics.closing.conditions import conditions_frame
    from tokenpnl_dashboard.output import print_frame

    with _closing(home) as closing:
        found = closing.conditions(month, now=datetime.now(UTC))
    print_frame(conditions_frame(found), form, title=f"conditions of closing {month}", names=4)
    return OK if all(each.fulfilled for each in found) else CHECK_FAILED


@command.command("sign")
@MONTH
@click.argument("subject", type=click.Choice(["unpriced", "unreconciled"]))
@ACTOR
@REASON
@HOME
def sign(month: str, subject: str, actor: str, reason: str, home: Path | None) -> int:
    """Take responsibility for a condition: unpriced usage, or a provider without an invoice."""
    from tokenpnl_dashboard.closing.months import month_span
    from tokenpnl_ingest.control import ControlStore
    from tokenpnl_ingest.home import Home

    month_span(month, "UTC")
    with ControlStore.of(Home.at(home)) as control:
        control.sign_off(month, subject, reason, actor=actor)
    click.echo(f"{actor} signed {subject} of {month}", err=True)
    return OK


@command.command("restated")
@MONTH
@click.option("--by", "dimension", type=click.Choice(_BY), default="category", show_default=True)
@click.option("--outcomes", is_flag=True, help="Runs and their outcomes by workflow, instead of cost.")
@HOME
@formats
def restated(month: str, dimension: str, home: Path | None, form: str, *, outcomes: bool) -> int:
    """Print a closed month as it was closed, as its facts read now, and the difference."""
    from tokenpnl_dashboard.output import print_frame

    with _closing(home) as closing:
        column = _COLUMN.get(dimension, dimension)
        frame = closing.restated_outcomes(month) if outcomes else closing.restated(month, (column,))
    print_frame(frame, form, title=f"{month}: as closed and restated")
    return OK


@command.command("adjustments")
@click.option("--month", help="The open month that carries them.  [default: the one after the last closed month]")
@HOME
@formats
def adjustments(month: str | None, home: Path | None, form: str) -> int:
    """Print what the open month carries for closed ones: money only, each with its origin period."""
    from tokenpnl_analytics.rules.close import CLOSE
    from tokenpnl_dashboard.closing.months import open_month
    from tokenpnl_dashboard.output import print_frame

    shown = ["origin_period", "workflow", "provider", "model", "usage_kind", "cost_category", "cost_usd"]
    with _closing(home) as closing:
        zone = closing.configuration.read(CLOSE).zone
        span = closing.span(month) if month else open_month(closing.control, zone, now=datetime.now(UTC))
        frame = closing.adjustments_into(span).select(shown)
    print_frame(
        frame, form, title=f"adjustments dated in {span.month}", names=6, nothing="nothing changed in a closed month"
    )
    return OK


@command.command("reopen")
@MONTH
@ACTOR
@REASON
@HOME
def reopen(month: str, actor: str, reason: str, home: Path | None) -> int:
    """Open a closed or soft closed month again; its snapshot is kept beside, and the audit chain tells who and why."""
    with _closing(home) as closing:
        closing.reopen(month, actor=actor, reason=reason)
    click.echo(f"{month} is open again", err=True)
    return OK


@command.command("verify")
@click.option("--accept", is_flag=True, help="Go on with a broken audit chain, under a name and for a reason.")
@click.option("--by", "actor", help="Who accepts it.")
@click.option("--reason", help="Why.")
@HOME
@JSON
def verify(home: Path | None, *, as_json: bool, accept: bool, actor: str | None, reason: str | None) -> int:
    """Compute every hash again: closed months, what was signed, and the audit chain; exit code 3 on any fault."""
    from tokenpnl_dashboard.closing.months import faults
    from tokenpnl_dashboard.output import print_json
    from tokenpnl_ingest.control import ControlStore
    from tokenpnl_ingest.home import Home

    if accept and not (actor and reason):
        raise click.UsageError("--accept needs --by NAME and --reason WHY")
    place = Home.at(home)
    with ControlStore.of(place) as control:
        found = faults(place, control)
        if accept and actor and reason:
            control.accept_chain(actor=actor, reason=reason)
        rows = len(control.audit_trail())
    if as_json:
        print_json({"faults": found, "audit_rows": rows})
    else:
        for sentence in found:
            click.echo(sentence)
    click.echo(f"{len(found)} faults; {rows} rows in the audit chain", err=True)
    return UNTRUSTED if found and not accept else OK


@contextmanager
def _closing(home: Path | None) -> "Iterator[Closing]":
    from tokenpnl_dashboard.book import open_book
    from tokenpnl_dashboard.closing.months import Closing
    from tokenpnl_ingest.control import ControlStore
    from tokenpnl_ingest.home import Home

    place = Home.at(home)
    with ControlStore.of(place) as control, open_book(place) as book:
        yield Closing(place, book, control)
