"""`tokenpnl outcome`: what the business got from a run."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenpnl_dashboard.cli import OK
from tokenpnl_dashboard.commands.options import HOME, JSON

if TYPE_CHECKING:
    from tokenpnl_ingest.home import Home

_KEYS = {"trace": "trace_id", "business_id": "business_id", "score": "score",
         "source": "source", "reason": "reason", "at": "at", "outcome_id": "outcome_id"}  # fmt: skip

_STATUSES = ("success", "failure", "abandoned")


@click.command("outcome")
@click.argument("told", nargs=-1, required=True, metavar="[RUN_ID] STATUS")
@click.option("--trace", help="Trace id of the run, instead of RUN_ID.")
@click.option("--business-id", help="The business's own id of the case, instead of RUN_ID.")
@click.option("--value", help="What it was worth in USD, such as 3.10; 'none' takes an earlier value back.")
@click.option("--score", type=click.FloatRange(0, 1), help="Quality, 0 to 1.")
@click.option("--source", type=click.Choice(["program", "user", "reviewer", "rule", "import"]), default="reviewer",
              show_default=True, help="Who says so.")  # fmt: skip
@click.option("--reason", help="A short code.")
@click.option("--at", help="ISO time at which it became true.  [default: now]")
@click.option("--id", "outcome_id", help="Idempotency key; the same id and content count once.")
@HOME
@JSON
def command(told: tuple[str, ...], home: Path | None, *, as_json: bool, value: str | None, **asked: Any) -> int:
    """Report the outcome of a run: success, failure or abandoned.

    A later report revises an earlier one, and all are kept.
    """
    from tokenpnl_dashboard.statements import state_outcomes
    from tokenpnl_ingest.home import Home

    statement = {key: asked[option] for option, key in _KEYS.items() if asked[option] is not None}
    statement |= _read(told)
    subjects = [statement[key] for key in ("run_id", "trace_id", "business_id") if key in statement]
    if not subjects:
        raise click.UsageError("name the run: RUN_ID, --trace or --business-id")
    if value is not None:
        statement["value_usd"] = None if value == "none" else value
    place = Home.at(home)
    state_outcomes(place, [statement])
    if _unknown(place, statement):
        click.echo(f"no run of {subjects[0]} is known yet; the outcome is kept and counts when one comes", err=True)
    if as_json:
        click.echo(json.dumps({"accepted": 1, **statement}))
    else:
        click.echo(f"recorded: {statement['status']} for {subjects[0]} in {place.path}")
    return OK


def _unknown(place: "Home", statement: dict[str, Any]) -> bool:
    """Return whether no run that is booked so far is meant."""
    from tokenpnl_dashboard.book import open_book

    # A run whose own name nobody stated is called by its trace.
    column = next(name for name in ("run_id", "trace_id", "business_id") if name in statement)
    with open_book(place) as book:
        return not book.query("count", name="runs", where={column: [statement[column]]})["rows"][0]


def _read(told: tuple[str, ...]) -> dict[str, str]:
    """Return run and status: the status comes last, the run may be named by an option instead."""
    *run, status = told
    if len(run) > 1:
        raise click.UsageError(f"expected RUN_ID and STATUS, got {len(told)} arguments")
    if status not in _STATUSES:
        raise click.UsageError(f"STATUS is one of {', '.join(_STATUSES)}, not {status!r}")
    return dict(zip(("run_id",), run, strict=False)) | {"status": status}
