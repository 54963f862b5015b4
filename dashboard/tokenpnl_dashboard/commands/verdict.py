"""`tokenpnl verdict`: is the model doing high-value reasoning, or is it expensive glue?"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tokenpnl_dashboard.cli import OK
from tokenpnl_dashboard.commands.options import HOME, JSON

if TYPE_CHECKING:
    import polars as pl

    from tokenpnl_analytics.verdict.report import Report

SHOWN_CURES = 8


@click.command("verdict")
@click.option("--period", default="all", show_default=True, help="Such as 2026-10, last-30d, 2026-10-01..2026-10-15.")
@click.option("--workflow", multiple=True, help="Only this workflow; may be repeated.")
@HOME
@JSON
def command(period: str, workflow: tuple[str, ...], home: Path | None, *, as_json: bool) -> int:
    """Say what the cost of settled runs bought: reasoning, glue, waste, or what nobody can classify yet.

    Glue needs two independent signs, reasoning needs positive evidence; everything else stays unclassified, with what
    to log. labels.yaml holds what people said of steps.
    """
    from tokenpnl_analytics.periods import parse_period, reading_moment
    from tokenpnl_analytics.rules.labels import LABELS
    from tokenpnl_analytics.rules.outcomes import OUTCOMES
    from tokenpnl_dashboard.book import open_book
    from tokenpnl_dashboard.output import print_json
    from tokenpnl_dashboard.questions.verdict import cures_of, verdict_of
    from tokenpnl_dashboard.rules.configuration import Configuration
    from tokenpnl_dashboard.rules.pricing import card_of_home
    from tokenpnl_ingest.home import Home

    place = Home.at(home)
    rules = Configuration.of(place)
    with open_book(place) as book:
        now = reading_moment(book.version().newest_at, now=datetime.now(UTC))
        window = parse_period(period, now=now)
        where: dict[str, list[str | None]] = {"workflow": [*workflow]} if workflow else {}
        found = verdict_of(book, window, now, rules.read(OUTCOMES), rules.read(LABELS), where)
    cures = cures_of(found, card_of_home(place)[0])
    if as_json:
        print_json(_document(found, cures))
    else:
        _print(found, cures, window.label)
    return OK


def _print(found: "Report", saved: "pl.DataFrame", label: str) -> None:
    from tokenpnl_dashboard.output import print_frame
    from tokenpnl_dashboard.shapes import verdict_tables

    click.echo(verdict_tables.headline(found.verdict))
    if not found.verdict.n_settled:
        return
    runs = f"{found.verdict.n_settled:,} settled runs ({label}) with {found.verdict.n_successes:,} successes"
    print_frame(verdict_tables.shares_shown(found), "table", title=f"what {runs} paid for, in five shares")
    print_frame(verdict_tables.steps(found).drop("To know more, log"), "table", title="the steps, dearest first")
    cures = verdict_tables.cures(saved).head(SHOWN_CURES)
    print_frame(cures, "table", title="what could be undone, each cure replayed alone (--json has all)")
    click.echo(f"How the intervals were made: {found.verdict.method}.")


def _document(found: "Report", cures: "pl.DataFrame") -> dict[str, object]:
    from dataclasses import asdict

    from tokenpnl_analytics.verdict.report import labels_of

    return {
        **asdict(found.verdict),
        "labels": labels_of(found.steps),
        "steps": found.steps.to_dicts(),
        "evidence": found.evidence.to_dicts(),
        "causes": cures.to_dicts(),
    }
