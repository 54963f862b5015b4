"""`tokenpnl outcome`: what the business got from a run."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenpnl_dashboard.cli import OK
from tokenpnl_dashboard.commands.options import HOME, JSON

if TYPE_CHECKING:
    from tokenpnl_ingest.home import Home

_KEYS = {"run_id": "run_id", "trace": "trace_id", "status": "status", "score": "score", "source": "source",
         "reason": "reason", "at": "at", "outcome_id": "outcome_id"}  # fmt: skip


@click.command("outcome")
@click.argument("run_id", required=False)
@click.argument("status", type=click.Choice(["success", "failure", "abandoned"]))
@click.option("--trace", help="Trace id of the run, instead of RUN_ID.")
@click.option("--value", help="What it was worth in USD, such as 3.10; 'none' takes an earlier value back.")
@click.option("--score", type=click.FloatRange(0, 1), help="Quality, 0 to 1.")
@click.option("--source", type=click.Choice(["program", "user", "reviewer", "rule", "import"]), default="reviewer",
              show_default=True, help="Who says so.")  # fmt: skip
@click.option("--reason", help="A short code.")
@click.option("--at", help="ISO time at which it became true.  [default: now]")
@click.option("--id", "outcome_id", help="Idempotency key; the same id and content count once.")
@HOME
@JSON
def command(home: Path | None, *, as_json: bool, value: str | None, **asked: Any) -> int:
    """Report the outcome of a run; a later report revises an earlier one, and all are kept."""
    from tokenpnl_ingest.home import Home

    statement = {key: asked[option] for option, key in _KEYS.items() if asked[option] is not None}
    if "run_id" not in statement and "trace_id" not in statement:
        raise click.UsageError("name the run: RUN_ID, or --trace")
    if value is not None:
        statement["value_usd"] = None if value == "none" else value
    place = Home.at(home)
    _report(place, statement)
    if as_json:
        click.echo(json.dumps({"accepted": 1, **statement}))
    else:
        run = statement.get("run_id") or statement["trace_id"]
        click.echo(f"recorded: {statement['status']} for {run} in {place.path}")
    return OK


def _report(home: "Home", statement: dict[str, Any]) -> None:
    from tokenpnl_ingest.home import running_collector

    body = json.dumps(statement).encode()
    running = running_collector(home)
    if running is not None:
        _post(f"{running.http}/v1/outcomes", body)
        return
    from pydantic import ValidationError

    from tokenpnl.errors import RefusedInputError
    from tokenpnl_dashboard.collect import bookkeeping
    from tokenpnl_ingest.collector import Collector
    from tokenpnl_ingest.statements import decoded_statements

    try:
        decoded = decoded_statements(body)
    except ValidationError as error:
        raise RefusedInputError(f"the outcome was not recorded: {error}") from None
    with Collector(home) as collector, bookkeeping(collector.store):
        collector.submit_rows(decoded).result()
        collector.drain()


def _post(url: str, body: bytes) -> None:
    from tokenpnl.errors import RefusedInputError, StoreError

    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310  # loopback
    try:
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310  # the same
    except urllib.error.HTTPError as error:
        raise RefusedInputError(f"the outcome was not recorded: {_reason(error.read())}") from None
    except OSError as error:
        raise StoreError(f"the collector at {url} does not answer: {error}; is it running?") from error


def _reason(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")
