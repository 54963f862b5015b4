"""`tokenpnl report`: the numbers of the dashboard, on the command line."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenpnl_dashboard.cli import OK
from tokenpnl_dashboard.commands.options import HOME, formats

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from tokenpnl_analytics.periods import Period
    from tokenpnl_dashboard.book import Book
    from tokenpnl_dashboard.questions.disclosure import Disclosure
    from tokenpnl_dashboard.questions.reports import Asked
    from tokenpnl_ingest.home import Home

DIMENSIONS = {
    "tenant": "tenant",
    "workflow": "workflow",
    "customer": "customer_id",
    "feature": "feature",
    "release": "release",
    "environment": "environment",
    "step": "step",
    "model": "model",
    "provider": "provider",
    "deployment": "deployment",
    "hour": "hour",
    "day": "day",
    "week": "week",
    "month": "month",
    "agent": "agent",
}


REPORTS = ("pnl", "usage", "units", "categories", "causes", "lines", "unattributed", "contracts", "estimate", "summary")
SHOWN_LINES = 40


@click.command("report")
@click.argument("what", type=click.Choice(REPORTS))
@click.option("--by", type=click.Choice(list(DIMENSIONS)), help="One row or column for each value of this.")
@click.option(
    "--period", default="all", show_default=True, help="Such as 2026-10, last-30d, mtd, 2026-10-01..2026-10-15."
)
@click.option("--zone", help="Time zone of days and months.  [default: UTC; with --posted that of close.yaml]")
@click.option("--where", multiple=True, metavar="COLUMN=VALUE", help="Only such line items: category=retry, run=ID.")
@click.option(
    "--posted",
    is_flag=True,
    help="With pnl: closed months as closed, corrections in the open month; its months are those of close.yaml.",
)
@click.option("--against", metavar="PERIOD", help="With units: set beside an earlier period, or --by release one.")
@click.option("--as-of", help="ISO time to read at.  [default: now, or the newest data when they are old]")
@click.option("--runs", is_flag=True, help="With summary: add every run.")
@HOME
@formats
def command(what: str, home: Path | None, form: str, **asked: Any) -> int:
    """Print the P&L statement, usage by kind, cost per successful outcome, why it was paid, or the whole summary.

    pnl is the cost ladder, every category and the memo lines; usage is tokens and cost by kind; units is cost per
    success of production runs, settled, to date and expected (by model, step or provider: what each contributes to its
    workflow's); categories is cost by category, as booked and with the rules read in reverse order; causes is cost
    without direct result by what caused it, and how much of it is addressable (could be avoided); lines is every line
    item behind a figure, with its run and span; unattributed is cost that names no workflow or no customer; contracts
    is where agents broke agents.yaml and what ran past it cost (by agent: how each keeps its own); estimate is what all
    runs cost where traces are sampled; summary is one JSON document with the agreed keys.
    """
    from tokenpnl_dashboard.book import open_book
    from tokenpnl_dashboard.output import print_json
    from tokenpnl_dashboard.questions import reports
    from tokenpnl_ingest.home import Home

    if what == "summary" and form in ("csv", "md"):
        raise click.UsageError("the summary is one JSON document; --csv and --md are for pnl, usage and units")
    _check(what, asked)
    place = Home.at(home)
    with open_book(place) as book:
        newest_at = book.version().newest_at
        if newest_at is None:
            hint = "load files with `tokenpnl ingest`, collect with `tokenpnl serve`, or name another --home"
            click.echo(f"nothing is stored in {place.path} yet; {hint}", err=True)
        question = _question(place, newest_at, asked)
        if what == "summary":
            rests_on = reports.disclosure(book, question, place, what)
            print_json(reports.summary_of(book, question, runs=asked["runs"]) | {"disclosure": rests_on.document()})
            return OK
        _tell(what, form, question, asked, _found(what, place, book, question, asked))
    return OK


def _found(
    what: str, place: "Home", book: "Book", question: "Asked", asked: dict[str, Any]
) -> "tuple[pl.DataFrame, Disclosure, list[str]]":
    """Return the report, what it rests on, and what is to be said of closed months."""
    from tokenpnl_dashboard.questions import reports

    lines, months = _posted(place, book, question) if asked["posted"] else (None, None)
    if lines is not None and months is not None:
        frame = reports.with_restated(reports.posted_pnl(lines, question), months, question)
    elif asked["against"]:
        frame = reports.units_against(book, question, _earlier(asked, question))
    else:
        frame = _reader(what)(book, question)
    rests_on = reports.disclosure(book, question, place, what, lines=lines)
    if what != "pnl":
        return frame, rests_on, []
    frame, told = _beside(place, book, question, frame)
    return frame, rests_on, told


def _tell(
    what: str,
    form: str,
    question: "Asked",
    asked: dict[str, Any],
    found: "tuple[pl.DataFrame, Disclosure, list[str]]",
) -> None:
    from tokenpnl_dashboard.output import print_disclosed

    frame, rests_on, closed = found
    if form == "table":
        _print("against" if asked["against"] else what, frame, form, question)
        click.echo(" ".join((rests_on.sentence(), *closed)))
        return
    # Markdown is for eyes, but for those of a document: its money is rounded like a table's.
    shown = _for_eyes(what, frame, question, asked) if form == "md" else frame
    print_disclosed(shown, form, rests_on, also=closed)


def _earlier(asked: dict[str, Any], question: "Asked") -> "Period | str":
    """Return the period that is meant; by release a text that names none is a release."""
    from tokenpnl.errors import ConfigurationError
    from tokenpnl_analytics.periods import parse_period

    try:
        return parse_period(asked["against"], now=question.as_of, zone=question.zone)
    except ConfigurationError:
        if question.by != "release":
            raise
        return str(asked["against"])


def _reader(what: str) -> "Callable[[Book, Asked], pl.DataFrame]":
    from tokenpnl_dashboard.questions import reports

    return {
        "pnl": reports.pnl,
        "usage": reports.usage,
        "units": reports.units,
        "categories": reports.categories,
        "causes": reports.causes_of,
        "lines": reports.lines,
        "unattributed": reports.unattributed,
        "contracts": reports.contracts,
        "estimate": reports.estimate,
    }[what]


def _posted(place: "Home", book: "Book", question: "Asked") -> "tuple[pl.DataFrame, pl.DataFrame]":
    """Return the lines of the period as posted, and its closed months: as closed, restated, the difference.

    Raises:
        ConfigurationError: days and months were asked for in another zone than the one in which months are closed.
    """
    from tokenpnl.errors import ConfigurationError
    from tokenpnl_analytics.rules.close import CLOSE
    from tokenpnl_analytics.statement import GRAINS
    from tokenpnl_dashboard.closing.closed_words import restated_by, restated_months
    from tokenpnl_dashboard.closing.months import Closing
    from tokenpnl_dashboard.rules.configuration import Configuration
    from tokenpnl_ingest.control import ControlStore

    zone = Configuration.of(place).read(CLOSE).zone
    if zone != question.zone:
        raise ConfigurationError(
            f"months are closed in {zone} (close.yaml) and --zone says {question.zone}; leave --zone out or give {zone}"
        )
    with ControlStore.of(place) as control:
        closing = Closing(place, book, control)
        lines, by = closing.posted(question.period.since, question.period.until), question.by
        if by is None or by in GRAINS:
            return lines, restated_months(closing, question.period)
        return lines, restated_by(closing, question.period, by)


def _beside(place: "Home", book: "Book", question: "Asked", frame: "pl.DataFrame") -> "tuple[pl.DataFrame, list[str]]":
    """Return the statement with bill, budget and volume terms, and what is to be said of closed months."""
    from tokenpnl.errors import StoreError
    from tokenpnl_dashboard.closing.closed_words import sentences
    from tokenpnl_dashboard.closing.months import Closing
    from tokenpnl_dashboard.closing.statement_rows import Shown, with_rows
    from tokenpnl_ingest.control import ControlStore

    shown = Shown(question.period, question.as_of, question.by, question.zone, question.where)
    try:
        with ControlStore.of(place) as control:
            closing = Closing(place, book, control)
            return with_rows(frame, closing, shown), sentences(closing, question.period)
    except StoreError as error:
        return frame, [f"Closed months and invoices are not known: {error}."]


def _check(what: str, asked: dict[str, Any]) -> None:
    if asked["against"] and what != "units":
        raise click.UsageError("--against belongs to units")
    if asked["runs"] and what != "summary":
        raise click.UsageError("--runs belongs to summary")
    if asked["posted"] and (what != "pnl" or asked["where"]):
        raise click.UsageError("--posted belongs to pnl of everything, without --where")
    if asked["where"] and what in ("units", "contracts", "estimate", "summary"):
        raise click.UsageError(f"--where narrows line items, and {what} is of whole runs")
    if (asked["by"] == "agent") != (what == "contracts" and asked["by"] is not None):
        raise click.UsageError("--by agent belongs to contracts, which know no other")
    if asked["by"] and what in ("lines", "unattributed"):
        raise click.UsageError(f"{what} has columns of its own; narrow it with --where, not --by")


def _question(home: "Home", newest_at: datetime | None, asked: dict[str, Any]) -> "Asked":
    from tokenpnl.errors import ConfigurationError
    from tokenpnl_analytics.periods import parse_period, reading_moment
    from tokenpnl_analytics.rules.agents import AGENTS
    from tokenpnl_analytics.rules.close import CLOSE
    from tokenpnl_analytics.rules.labels import LABELS
    from tokenpnl_analytics.rules.outcomes import OUTCOMES
    from tokenpnl_dashboard.questions.drill import narrowed
    from tokenpnl_dashboard.questions.reports import Asked
    from tokenpnl_dashboard.rules.configuration import Configuration

    asked["zone"] = asked["zone"] or (Configuration.of(home).read(CLOSE).zone if asked["posted"] else "UTC")
    now = reading_moment(newest_at, now=datetime.now(UTC))
    if asked["as_of"]:
        try:
            now = datetime.fromisoformat(asked["as_of"])
        except ValueError as error:
            raise ConfigurationError(f"--as-of {asked['as_of']!r} is no ISO time: {error}") from error
        now = now if now.tzinfo else now.replace(tzinfo=UTC)
    period = parse_period(asked["period"], now=now, zone=asked["zone"])
    by = DIMENSIONS[asked["by"]] if asked["by"] else None
    rules = Configuration.of(home)
    return Asked(
        period=period,
        as_of=now,
        by=by,
        zone=asked["zone"],
        rules=rules.read(OUTCOMES),
        agents=rules.read(AGENTS),
        labels=rules.read(LABELS),
        where=narrowed(asked["where"]),
    )


def _for_eyes(what: str, frame: "pl.DataFrame", question: "Asked", asked: dict[str, Any]) -> "pl.DataFrame":
    from tokenpnl_dashboard import layout
    from tokenpnl_dashboard.shapes.unit_tables import against

    if asked["against"]:
        by = question.by or "workflow"
        return against(frame, by, by)
    if what in ("estimate", "lines"):
        return frame
    return layout.for_eyes(what, frame, question.by or ("workflow" if what == "units" else None))


def _print(what: str, frame: "pl.DataFrame", form: str, question: "Asked") -> None:
    from tokenpnl_dashboard.output import print_frame
    from tokenpnl_dashboard.questions import drill

    if what == "estimate":
        print_frame(frame, form, title=f"estimate, {question.period.label}: what was kept, weighted; in no close")
        return
    if what == "lines":
        print_frame(drill.for_eyes(frame, SHOWN_LINES), form, title=_of_lines(frame, question))
        return
    shown = _for_eyes(what, frame, question, {"against": what == "against"})
    if what == "against":
        print_frame(shown, form, title=f"settled cost per success, {question.period.label} against before", names=1)
        return
    title = f"{what}, {question.period.label}, as of {question.as_of:%Y-%m-%d %H:%M} UTC"
    by_slice = what in ("usage", "causes") or (what == "units" and "workflow" in frame.columns)
    print_frame(shown, form, title=title, names=2 if by_slice and question.by not in (None, "workflow") else 1)


def _of_lines(lines: "pl.DataFrame", question: "Asked") -> str:
    import polars as pl

    from tokenpnl_analytics.frames import known_sum
    from tokenpnl_dashboard import words

    cut = f", the {SHOWN_LINES} dearest (--csv has all)" if lines.height > SHOWN_LINES else ""
    cost = words.exact_usd(lines.select(known_sum(pl.col("cost_usd"))).item())
    return f"lines, {question.period.label}: {words.counted(lines.height, 'line item')} of {cost} in all{cut}"
