"""`tokenpnl whatif run`: the scenarios of a file on recorded traffic, each alone and all together."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tokenpnl_dashboard.cli import CHECK_FAILED, OK
from tokenpnl_dashboard.commands.options import HOME, JSON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenpnl_dashboard.questions.whatif import Report


@click.command("run")
@click.argument("file", metavar="FILE.yaml")
@HOME
@JSON
def run(file: str, home: Path | None, *, as_json: bool) -> int:
    """Replay the scenarios of FILE.yaml on recorded traffic, each alone and all together.

    FILE.yaml is a path, a file of the folder `scenarios` of the configuration, or the name of a saved scenario. The
    exit code is 1 when no scenario gives a figure.
    """
    from tokenpnl_dashboard.book import open_book
    from tokenpnl_dashboard.output import print_json
    from tokenpnl_dashboard.questions.whatif import as_document, run_file, scenarios_named
    from tokenpnl_ingest.home import Home

    place = Home.at(home)
    scenarios = scenarios_named(place, file)
    with open_book(place) as book:
        report = run_file(book, place, scenarios)
    if as_json:
        print_json(as_document(report))
    else:
        for line in _told(report):
            click.echo(line)
    return OK if any(result.saving_usd is not None for result in report.compared.results) else CHECK_FAILED


def _told(report: "Report") -> "Iterator[str]":
    from tokenpnl_dashboard.shapes.whatif_words import baseline_words, block, sentences_of

    baseline, compared = report.baseline, report.compared
    yield report.file.name
    if report.file.description:
        yield report.file.description
    yield baseline_words(baseline)
    yield ""
    yield from sentences_of([block(result, baseline.days) for result in compared.results])
    if compared.combined is not None:
        yield from sentences_of([block(compared.combined, baseline.days)])
    yield from _together(report)


def _together(report: "Report") -> "Iterator[str]":
    from tokenpnl_dashboard.shapes.whatif_words import (
        at_once_words,
        curve_words,
        step_words,
        tornado_words,
        week_words,
        winner_told,
    )

    compared = report.compared
    yield from step_words(compared.waterfall)
    yield from tornado_words(compared.tornado)
    yield from curve_words(compared.measured)
    yield from week_words(report.weeks)
    if (best := winner_told(compared, report.baseline.cluster_level)) is not None:
        yield best
    yield from at_once_words(compared)
