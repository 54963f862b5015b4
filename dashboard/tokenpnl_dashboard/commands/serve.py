"""`tokenpnl serve`: the collector and the dashboard, until a signal."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tokenpnl_dashboard.cli import OK
from tokenpnl_dashboard.commands.options import HOME, PORT
from tokenpnl_ingest.home import GRPC_PORT, HTTP_PORT, LOOPBACK

if TYPE_CHECKING:
    from tokenpnl_dashboard.processes.serve import Ports, Served
    from tokenpnl_ingest.home import Home


@click.command("serve")
@HOME
@click.option("--port", type=PORT, default=8501, show_default=True, help="Port of the dashboard; 0: any.")
@click.option("--http-port", type=PORT, default=HTTP_PORT, show_default=True, help="OTLP over HTTP, read API; 0: any.")
@click.option("--grpc-port", type=PORT, default=GRPC_PORT, show_default=True, help="OTLP over gRPC; 0: any.")
@click.option("--host", default=LOOPBACK, show_default=True, help="A loopback address; others are refused.")
@click.option("--no-dashboard", is_flag=True, help="Collect only.")
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as one JSON line.")
def command(home: Path | None, host: str, *, no_dashboard: bool, as_json: bool, **ports: int) -> int:
    """Run the collector and the dashboard on loopback.

    Point any OpenTelemetry emitter at the printed address. Ctrl-C stops both; nothing acknowledged is lost.
    """
    from tokenpnl_dashboard.processes.serve import Ports
    from tokenpnl_ingest.home import Home

    wanted = Ports(ports["grpc_port"], ports["http_port"], None if no_dashboard else ports["port"], host)
    return serve_until_signal(Home.at(home), wanted, as_json=as_json)


def serve_until_signal(home: "Home", ports: "Ports", *, as_json: bool) -> int:
    """Start both processes, print their addresses, and return when a signal has ended them."""
    from tokenpnl_dashboard.processes.serve import StoppedError, start
    from tokenpnl_dashboard.processes.supervise import noted_signals, supervise

    def say(line: str) -> None:
        click.echo(line, err=True)

    asked = noted_signals()
    try:
        served = start(home, ports, say=say, asked=asked)
    except StoppedError:
        say("stopped before it served")
        return OK
    _announce(home, served, as_json=as_json)
    return supervise(served.children, asked, say=say)


def _announce(home: "Home", served: "Served", *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"home": str(home.path), **served.addresses}))
        return
    click.echo(f"tokenpnl serves {home.path}")
    for name, address in served.addresses.items():
        click.echo(f"  {name.replace('_', ' '):<10} {address}")
    click.echo("Ctrl-C stops it.")
