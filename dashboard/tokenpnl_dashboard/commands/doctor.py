"""`tokenpnl doctor`: what works, what does not, and the line to add."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tokenpnl_dashboard.cli import CHECK_FAILED, OK, UNTRUSTED
from tokenpnl_dashboard.commands.options import HOME, JSON

if TYPE_CHECKING:
    from tokenpnl_dashboard.checks import Finding


@click.command("doctor")
@HOME
@JSON
def command(home: Path | None, *, as_json: bool) -> int:
    """Check the environment, the store and the data, and say what to do.

    The exit code is 1 when something does not work, 3 when the numbers would mislead.
    """
    from tokenpnl_dashboard import checks
    from tokenpnl_dashboard.book import open_book
    from tokenpnl_dashboard.output import print_json
    from tokenpnl_ingest.home import Home

    place = Home.at(home)
    findings = [*checks.environment_findings(place), *checks.control_findings(place), *checks.rule_findings(place)]
    with open_book(place) as book:
        findings.extend(checks.data_findings(book))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            _print(finding)
    statuses = {finding.status for finding in findings}
    return CHECK_FAILED if checks.BROKEN in statuses else UNTRUSTED if checks.UNTRUSTED in statuses else OK


def _print(finding: "Finding") -> None:
    color = {"ok": "green", "note": "yellow"}.get(finding.status, "red")
    status = f"{finding.status:<9}"
    status = status if os.environ.get("NO_COLOR") else click.style(status, fg=color)
    click.echo(f"{status} {finding.check:<20} {finding.found}")
    if finding.do:
        click.echo(f"{'':<9} {'':<20} → {finding.do}")
