"""`tokenpnl reconcile`: invoices and usage reports against the traces of a month."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenpnl_dashboard.cli import CHECK_FAILED, OK
from tokenpnl_dashboard.commands.options import FILES, HOME, formats

if TYPE_CHECKING:
    import polars as pl

    from tokenpnl_analytics.closing.reconcile import Reconciliation
    from tokenpnl_ingest.control.records import Reconciled
    from tokenpnl_ingest.home import Home


@click.command("reconcile")
@FILES
@click.option("--month", required=True, help="Such as 2026-10; days in UTC, as providers bill.")
@click.option("--provider", help="Only what this provider bills.")
@click.option("--account", help="Only this account, project or workspace; needs accounts in reconciliation.yaml.")
@click.option("--invoice-date", type=click.DateTime(["%Y-%m-%d"]), help="Whose rate pays a foreign currency.")
@click.option("--sign", "reason", help="Take responsibility for what stays open, with this reason.")
@click.option("--by", help="Who does this, for the record.  [default: the user of the system]")
@HOME
@formats
def command(files: tuple[Path, ...], home: Path | None, form: str, **asked: Any) -> int:
    """Set invoices against the traces of a month, and say what the difference is.

    Reads OpenAI costs and usage, Anthropic cost and usage reports (JSON pages), AWS CUR 2.0 and FOCUS files (CSV or
    Parquet), told apart by their content; give costs and usage reports together. Prints the way from the traced cost to
    the bill, names every difference, and keeps the result for the close. Exit code 1: something is outside tolerance
    and nobody signed for it.
    """
    from tokenpnl_analytics.closing.invoices.registry import read_invoice, together
    from tokenpnl_dashboard.closing.reconciliations import results
    from tokenpnl_ingest.home import Home

    if asked["reason"] is not None and not asked["by"]:
        raise click.UsageError("--sign needs --by NAME: a reason without a name is nobody's")
    place = Home.at(home)
    invoices = [read_invoice(file.read_bytes(), name=file.name) for file in files]
    notes = list(dict.fromkeys(note for invoice in invoices for note in invoice.notes))
    for note in notes:
        click.echo(f"note: {note}", err=True)
    found = _reconciled(place, _asked_for(together(invoices), asked), asked)
    stored = results(found, notes)
    settled = _record(place, stored, asked)
    _print(found, stored, form)
    if asked["reason"] is not None and not all(result.passed for result in stored):
        click.echo(f"signed by {asked['by']} where outside tolerance: {asked['reason']}", err=True)
    return OK if settled else CHECK_FAILED


def _asked_for(lines: "pl.DataFrame", asked: dict[str, Any]) -> "pl.DataFrame":
    import polars as pl

    from tokenpnl.errors import ConfigurationError

    for name in ("provider", "account"):
        if asked[name] is None:
            continue
        known = lines[name].drop_nulls().unique().sort().to_list()
        if asked[name] not in known:
            raise ConfigurationError(f"the files bill no {name} {asked[name]!r}; they bill {', '.join(known)}")
        lines = lines.filter(pl.col(name) == asked[name])
    return lines


def _reconciled(place: "Home", lines: "pl.DataFrame", asked: dict[str, Any]) -> "Reconciliation":
    from datetime import UTC, time, timedelta

    import polars as pl

    from tokenpnl.errors import ConfigurationError
    from tokenpnl_analytics.closing.reconcile import Terms, days_of_month, reconcile
    from tokenpnl_analytics.rules.prices import FX
    from tokenpnl_analytics.rules.reconciliation import RECONCILIATION
    from tokenpnl_dashboard.book import open_book
    from tokenpnl_dashboard.questions.lines import line_items
    from tokenpnl_dashboard.rules.configuration import Configuration

    first, last = (datetime.combine(day, time(), UTC) for day in days_of_month(asked["month"]))
    configuration = Configuration.of(place)
    rules = configuration.read(RECONCILIATION)
    if asked["account"] and not rules.accounts:
        raise ConfigurationError(
            f"--account needs to know which traced usage that account bills; add accounts to "
            f"{configuration.folder / RECONCILIATION.name}"
        )
    on = asked["invoice_date"].date() if asked["invoice_date"] else None
    terms = Terms(rules, configuration.read(FX), on)
    with open_book(place) as book:
        traced = line_items(book, since=first - timedelta(days=1), until=last + timedelta(days=2))
    if asked["account"]:
        from tokenpnl_analytics.closing.billing_cells import account_of

        traced = traced.filter(account_of(rules) == pl.lit(asked["account"]))
    return reconcile(traced, lines, asked["month"], terms)


def _record(place: "Home", found: list["Reconciled"], asked: dict[str, Any]) -> bool:
    """Keep the results, sign those that need it, and return whether every one is settled."""
    import getpass

    from tokenpnl_ingest.control import ControlStore

    actor = asked["by"] or getpass.getuser()
    with ControlStore.of(place) as control:
        for result in found:
            number = control.record_reconciliation(result, actor=actor)
            if asked["reason"] is not None and not result.passed:
                control.sign(number, asked["reason"], actor=actor)
    return asked["reason"] is not None or all(result.passed for result in found)


def _print(found: "Reconciliation", stored: list["Reconciled"], form: str) -> None:
    from tokenpnl_dashboard.closing import reconcile_words
    from tokenpnl_dashboard.closing.reconciliations import document, for_eyes
    from tokenpnl_dashboard.output import print_frame, print_json

    if form == "json":
        print_json({"month": found.month, "results": [document(result) for result in stored]})
        return
    if form != "table":
        print_frame(found.waterfall, form)
        return
    title = f"From traces to invoices, {found.month}, USD, days in UTC"
    print_frame(for_eyes(found.waterfall), form, title=title, names=1)
    for result in stored:
        click.echo(f"\n{result.detail['verdict']}")
        for row in result.detail["findings"]:
            click.echo(f"  {reconcile_words.STEP[row['step']].lower()}: {row['sentence']}.")
