"""`tokenpnl demo`: the synthetic sample traces, loaded, reported and served."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenpnl_dashboard.cli import OK
from tokenpnl_dashboard.commands.options import JSON

if TYPE_CHECKING:
    from tokenpnl_ingest.home import Home

SAMPLES = Path(__file__).parents[3] / "sample_traces"


@click.command("demo")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), default=Path(".demo"), show_default=True,
              help="Folder of the demo's store.")  # fmt: skip
@click.option("--samples", type=click.Path(path_type=Path, file_okay=False), default=SAMPLES,
              help="Folder of the sample traces.")  # fmt: skip
@click.option("--no-serve", is_flag=True, help="Load and report only.")
@JSON
def command(home: Path, samples: Path, *, no_serve: bool, as_json: bool) -> int:
    """Load the sample traces (synthetic), print their P&L by workflow, and serve them until Ctrl-C.

    The rule files of the samples (contract, GPUs, outcomes, scenarios, ...) are copied to `config` of the home first,
    each where there is none: edit them there. Where $TOKENPNL_CONFIG names another folder, that one holds untouched.
    """
    from tokenpnl.errors import ConfigurationError
    from tokenpnl_dashboard.commands.ingest import load_files
    from tokenpnl_ingest.home import Home

    files = tuple(sorted(samples.glob("*.otlp.jsonl.gz")))
    if not files:
        raise ConfigurationError(
            f"no *.otlp.jsonl.gz in {samples}; the samples come with the source checkout, not the package: give its "
            "folder with --samples, or write them with `python sample_traces/make.py`"
        )
    demo = Home.at(home)
    _lend_rules(demo, samples / "config")
    click.echo(f"loading {len(files)} files of synthetic traces into {demo.path}", err=True)
    loaded = load_files(demo, files)
    _print_reports(demo, loaded, as_json=as_json)
    return OK if no_serve else _serve(demo, as_json=as_json)


def _lend_rules(home: "Home", samples: Path) -> None:
    """Copy the rule files of the samples to the home, never over one that is there, and say which."""
    if home.config != home.path / "config":
        click.echo(f"the rule files in {home.config} hold; those of the samples stay in {samples}", err=True)
        return
    files = {file.relative_to(samples): file for file in sorted([*samples.glob("*.yaml"), *samples.glob("*/*.yaml")])}
    lent = {name: file for name, file in files.items() if not (home.config / name).exists()}
    if lent:
        names = ", ".join(str(name) for name in lent)
        click.echo(f"copying the rule files of the samples to {home.config}: {names}", err=True)
    for name, file in lent.items():
        (home.config / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home.config / name).write_bytes(file.read_bytes())


def _print_reports(home: "Home", loaded: dict[str, Any], *, as_json: bool) -> None:
    from datetime import UTC, datetime

    from tokenpnl_analytics.periods import parse_period, reading_moment
    from tokenpnl_analytics.rules.outcomes import OUTCOMES
    from tokenpnl_dashboard.book import open_book
    from tokenpnl_dashboard.layout import for_eyes
    from tokenpnl_dashboard.output import print_frame, print_json
    from tokenpnl_dashboard.questions.reports import Asked, pnl, units
    from tokenpnl_dashboard.rules.configuration import Configuration

    rules = Configuration.of(home).read(OUTCOMES)
    with open_book(home) as book:
        now = reading_moment(book.version().newest_at, now=datetime.now(UTC))
        asked = Asked(parse_period("last-30d", now=now), now, "workflow", "UTC", rules)
        found = {"pnl": pnl(book, asked), "units": units(book, asked)}
    if as_json:
        print_json({"synthetic": True, **loaded, **{what: frame.to_dicts() for what, frame in found.items()}})
        return
    titles = {"pnl": "P&L of the last 30 days, synthetic", "units": "Cost per success, with its 95% interval"}
    for what, frame in found.items():
        print_frame(for_eyes(what, frame, "workflow"), "table", title=titles[what], names=1)


def _serve(home: "Home", *, as_json: bool) -> int:
    from tokenpnl_dashboard.commands.serve import serve_until_signal
    from tokenpnl_dashboard.processes.serve import DASHBOARD_PORT, Ports, taken
    from tokenpnl_ingest.home import GRPC_PORT, HTTP_PORT

    def free(port: int) -> int:
        # A demo should not fail because something else uses a usual port.
        return 0 if taken(port) else port

    ports = Ports(free(GRPC_PORT), free(HTTP_PORT), free(DASHBOARD_PORT))
    return serve_until_signal(home, ports, as_json=as_json)
