"""`tokenpnl outcomes`: outcomes in bulk from a file, and the definitions of success that hold."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tokenpnl_dashboard.cli import CHECK_FAILED, OK, Group
from tokenpnl_dashboard.commands.options import HOME, JSON, formats

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from tokenpnl_ingest.statements_csv import BadRow


@click.group("outcomes", cls=Group)
def command() -> None:
    """Load outcomes from a file, and show what counts as a success.

    `tokenpnl outcome` reports the outcome of one run.
    """


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--strict", is_flag=True, help="Load nothing when a row is wrong.")
@click.option("--at", help="ISO time at which outcomes became true whose row does not say.")
@click.option("--zone", default="UTC", show_default=True, help="Time zone of times that state none.")
@HOME
@JSON
def load(file: Path, *, strict: bool, at: str | None, zone: str, home: Path | None, as_json: bool) -> int:
    """Load the outcomes of a CSV FILE; loading it again changes nothing.

    Columns: run_id, trace_id or business_id; status; value_usd (null takes a value back), score, source, at, id,
    reason. An empty cell says nothing. Rows that are wrong are listed with their line and the others are loaded; then
    the exit code is 1.
    """
    from tokenpnl_dashboard.statements import state_outcomes
    from tokenpnl_ingest.home import Home
    from tokenpnl_ingest.statements_csv import read_outcomes

    place, where = Home.at(home), _zone(zone)
    found = read_outcomes(file.read_bytes(), zone=where, at=_moment(at, where))
    loaded = [] if strict and found.bad else found.statements
    state_outcomes(place, loaded)
    n_rows = len(found.statements) + len(found.bad)
    _complain(file, found.bad)
    if as_json:
        refused = [{"line": row.line, "reason": row.reason} for row in found.bad]
        click.echo(json.dumps({"rows": n_rows, "accepted": len(loaded), "refused": refused}))
    else:
        click.echo(f"loaded {len(loaded):,} of {n_rows:,} outcomes from {file} into {place.path}")
    return CHECK_FAILED if found.bad else OK


@command.command("rules")
@HOME
@formats
def rules(home: Path | None, form: str) -> int:
    """Show the success definition that holds today for each workflow, and which workflows have none."""
    import polars as pl

    from tokenpnl_analytics.rules.outcomes import OUTCOMES, fits
    from tokenpnl_analytics.unit_cost.outcome_rules import definitions
    from tokenpnl_dashboard.book import open_book
    from tokenpnl_dashboard.output import print_frame
    from tokenpnl_dashboard.rules.configuration import Configuration
    from tokenpnl_ingest.home import Home

    place = Home.at(home)
    told = Configuration.of(place).read(OUTCOMES)
    with open_book(place) as book:
        known: list[str] = book.query("distinct", name="runs", column="workflow")["workflow"].to_list()
    patterns = dict.fromkeys(one.workflow for one in told.workflows)
    idle = [pattern for pattern in patterns if not any(fits(name, pattern) for name in known)]
    frame = definitions([*known, *idle], told, datetime.now(UTC)).with_columns(
        pl.Series("seen", [True] * len(known) + [False] * len(idle), pl.Boolean)
    )
    print_frame(frame, form, title=f"success definitions of {place.config / OUTCOMES.name}", names=len(frame.columns))
    return OK


def _complain(file: Path, bad: "Sequence[BadRow]") -> None:
    for row in bad:
        click.echo(f"{file}:{row.line}: {row.reason}", err=True)


def _zone(name: str) -> "ZoneInfo":
    from tokenpnl.errors import ConfigurationError
    from tokenpnl_analytics.periods import zone_of

    try:
        return zone_of(name)
    except ConfigurationError as error:
        raise click.UsageError(f"--zone: {error}") from None


def _moment(text: str | None, zone: "ZoneInfo") -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--at expects an ISO time such as 2026-11-24T09:30:00Z, got {text!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)
