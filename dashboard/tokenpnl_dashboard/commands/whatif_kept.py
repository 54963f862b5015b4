"""`tokenpnl whatif save|list|drop`: scenarios that everybody who reads a home finds again."""

import getpass
from pathlib import Path

import click

from tokenpnl_dashboard.cli import OK
from tokenpnl_dashboard.commands.options import HOME, formats

_BY = click.option("--by", metavar="NAME", help="Who does it.  [default: your login]")


@click.command("save")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_BY
@HOME
def save(file: Path, by: str | None, home: Path | None) -> int:
    """Check a scenario file and keep it under its name; earlier versions stay."""
    from tokenpnl_analytics.rules.scenarios import SCENARIOS
    from tokenpnl_ingest.control import ControlStore
    from tokenpnl_ingest.home import Home

    text = file.read_text(encoding="utf-8")
    name = SCENARIOS.parse(text, name=str(file)).name
    with ControlStore.of(Home.at(home)) as control:
        control.save_scenario(name, text, actor=by or getpass.getuser())
    click.echo(f"saved {name!r}; the What-if lab offers it, and `tokenpnl whatif run {name!r}` replays it", err=True)
    return OK


@click.command("list")
@HOME
@formats
def listed(home: Path | None, form: str) -> int:
    """List the saved scenarios: name, when and by whom it was saved last."""
    import polars as pl

    from tokenpnl_dashboard.output import print_frame
    from tokenpnl_ingest.control import ControlStore
    from tokenpnl_ingest.home import Home

    with ControlStore.of(Home.at(home)) as control:
        saved = control.scenarios()
    rows = [(one.name, one.saved_at, one.saved_by) for one in saved]
    schema: dict[str, pl.DataType] = {
        "scenario": pl.String(),
        "saved_at": pl.Datetime("us", "UTC"),
        "saved_by": pl.String(),
    }
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    print_frame(frame, form, names=1, nothing="no scenario is saved: `tokenpnl whatif save FILE.yaml` keeps one")
    return OK


@click.command("drop")
@click.argument("name")
@_BY
@HOME
def drop(name: str, by: str | None, home: Path | None) -> int:
    """Take a saved scenario off the list; its versions and the audit chain keep it."""
    from tokenpnl_ingest.control import ControlStore
    from tokenpnl_ingest.home import Home

    with ControlStore.of(Home.at(home)) as control:
        control.drop_scenario(name, actor=by or getpass.getuser())
    click.echo(f"dropped {name!r}", err=True)
    return OK
