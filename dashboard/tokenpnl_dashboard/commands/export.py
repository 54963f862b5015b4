"""`tokenpnl export`: the books as files for other systems and other readers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenpnl_dashboard.cli import CHECK_FAILED, OK, Group
from tokenpnl_dashboard.commands.options import HOME, formats

if TYPE_CHECKING:
    import polars as pl

    from tokenpnl_analytics.periods import Period
    from tokenpnl_dashboard.book import Book
    from tokenpnl_dashboard.closing.posted import Reading
    from tokenpnl_dashboard.exports.pack import Pack
    from tokenpnl_dashboard.questions.disclosure import Disclosure
    from tokenpnl_dashboard.rules.configuration import Configuration
    from tokenpnl_ingest.home import Home

FOCUS_VERSION = "1.2"


@dataclass(frozen=True)
class Source:
    """What an export reads."""

    home: "Home"
    book: "Book"
    rules: "Configuration"
    period: "Period"
    as_of: datetime
    zone: str

    def lines(self) -> "pl.DataFrame":
        """Return the line items of the period."""
        from tokenpnl_dashboard.questions.lines import line_items

        return line_items(self.book, since=self.period.since, until=self.period.until)

    def reading(self, *, posted: bool) -> "Reading":
        """Return what a file of the period is made of, and say on standard error which months are closed."""
        from tokenpnl_dashboard.closing.posted import reading

        found = reading(self.home, self.book, self.period, posted=posted)
        if found.closed:
            click.echo(found.closed, err=True)
        return found

    def rests_on(
        self,
        *,
        where: Mapping[str, Any] | None = None,
        lines: "pl.DataFrame | None" = None,
        runs: "pl.DataFrame | None" = None,
    ) -> "Disclosure":
        """Return what the figures of the period rest on.

        Args:
            where: accepted values of columns of line items.
            lines: the line items as posted; None: those of the books.
            runs: result of `cohort` where a cost per success stands beside; None: nothing is said of runs.
        """
        from tokenpnl_dashboard.questions.disclosure import Known, Summed, disclosure_of

        summed = Summed(self.period, where or {}, lines=lines, runs=runs, unit="workflow")
        return disclosure_of(Known.of(self.book, self.home), summed)


@click.group("export", cls=Group)
def command() -> None:
    """Write the books for other systems: FOCUS, general ledger, XLSX, PDF, CSV, Parquet.

    Every file sums to the same P&L, to the last digit. Usage without a price is in none of them, and is said. With
    --posted closed months are read as closed, after their hash was computed again, and the open month carries what
    changed in them since; without it every month is read from the books of today. The journal is always as posted.
    """


def _of_period(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Add period, zone, output and home to a verb."""
    verb = HOME(verb)
    out = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
    verb = click.option("-o", "--output", type=out, help="File to write; - is standard output.")(verb)
    told = "Time zone of days and months.  [default: UTC; as posted the zone of close.yaml]"
    verb = click.option("--zone", help=told)(verb)
    return click.option("--period", default="all", show_default=True, help="Such as 2026-10, last-30d, mtd.")(verb)


POSTED = click.option(
    "--posted", is_flag=True, help="Closed months as closed; corrections of them in the open month.  [default: now]"
)


@contextmanager
def opened(home: Path | None, period: str, zone: str | None, *, posted: bool = False) -> Iterator[Source]:
    """Give what an export reads: the book, its rule files, and the period that the text names.

    Args:
        home: where it lies.
        period: in words.
        zone: of days and months; None: UTC, but as posted the one whose months are closed.
        posted: whether closed months are read as closed.
    """
    from tokenpnl_analytics.periods import parse_period, reading_moment
    from tokenpnl_analytics.rules.close import CLOSE
    from tokenpnl_dashboard.book import open_book
    from tokenpnl_dashboard.rules.configuration import Configuration
    from tokenpnl_ingest.home import Home

    place = Home.at(home)
    rules = Configuration.of(place)
    zone = zone or (rules.read(CLOSE).zone if posted else "UTC")
    with open_book(place) as book:
        now = reading_moment(book.version().newest_at, now=datetime.now(UTC))
        yield Source(place, book, rules, parse_period(period, now=now, zone=zone), now, zone)


@command.command("focus")
@click.option("--version", "version", type=click.Choice([FOCUS_VERSION]), default=FOCUS_VERSION, show_default=True)
@click.option("--grain", type=click.Choice(["hour", "day"]), default="day", show_default=True, help="Charge period.")
@click.option("--check", is_flag=True, help="Print our checks of the rows; exit code 1 when one fails.")
@POSTED
@_of_period
@formats
def focus(version: str, form: str, *, check: bool, output: Path | None, **asked: Any) -> int:
    """Write FOCUS rows: CSV, or Parquet where the file's name says so; checked, never certified.

    With --check the rows go to -o alone and the checks to standard output.
    """
    from tokenpnl_analytics.finance.focus import focus_rows, unpriced_usage
    from tokenpnl_dashboard.output import print_disclosed

    grain, posted = asked.pop("grain"), asked.pop("posted")
    with opened(**asked, posted=posted) as source:
        read = source.reading(posted=posted)
        lines, outcomes = read.lines, _outcomes(source, read, posted=posted)
        rows = focus_rows(lines, outcomes, grain=grain)
        told = source.rests_on(lines=lines if posted else None)
    if output is not None or not check:
        _write(_table(rows, output), output, f"{rows.height} rows of FOCUS {version}")
    _say_total(rows["EffectiveCost"].sum(), unpriced_usage(lines))
    if not check:
        click.echo(told.sentence(), err=True)
        return OK
    from tokenpnl_dashboard.exports.checked import checked

    judged = checked(rows, lines)
    shown = judged if form != "table" else _for_eyes(judged)
    print_disclosed(shown, form, told, title=f"FOCUS {version}, checked", names=3)
    return CHECK_FAILED if (judged["status"] == "failed").any() else OK


@command.command("gl")
@click.option("--template", is_flag=True, help="Print an accounts.yaml to begin with.")
@click.option("--cents", is_flag=True, help="Whole cents, still balanced; a month is off by half a cent at most.")
@_of_period
def ledger(output: Path | None, *, template: bool, cents: bool, **asked: Any) -> int:
    """Write the journal for the general ledger by accounts.yaml: balanced debits and credits, as CSV.

    Closed months are posted as closed, by the map of then; the open month also carries what changed in them since, with
    its origin period. Prepaid credit that was bought or used and exchange differences of reconciled invoices have
    entries of their own. Amounts have twelve decimals; --cents is for ledgers that take cents only. Exit code 1 when a
    cost has no account.
    """
    import polars as pl

    from tokenpnl_analytics.finance.cents import in_cents
    from tokenpnl_analytics.finance.gl import journal, unmapped
    from tokenpnl_analytics.rules.accounts import ACCOUNTS, TEMPLATE
    from tokenpnl_dashboard.closing import settlements
    from tokenpnl_dashboard.closing.months import Closing
    from tokenpnl_dashboard.output import csv_text
    from tokenpnl_ingest.control import ControlStore
    from tokenpnl_ingest.home import Home

    if template:
        _write(TEMPLATE.encode(), output, "an account map")
        return OK
    place = Home.at(asked["home"])
    with opened(**asked, posted=True) as source, ControlStore.of(place) as control:
        closing, period = Closing(place, source.book, control), (source.period.since, source.period.until)
        lines, accounts = closing.posted(*period), closing.rules_of(*period).read(ACCOUNTS)
        settled = settlements.entries(closing, source.period, accounts)
        told = source.rests_on(lines=lines)
    lacking = unmapped(lines, accounts)
    if lacking.height:
        click.echo(csv_text(lacking), err=True, nl=False)
        click.echo(
            f"{lacking.height} kinds of cost have no account; nothing was written. Add rules to accounts.yaml, "
            "or begin with `tokenpnl export gl --template`",
            err=True,
        )
        return CHECK_FAILED
    entries = pl.concat([journal(lines, accounts, zone=source.zone), *settled])
    entries = in_cents(entries) if cents else entries
    _write(_table(entries, output), output, f"{entries.height} journal entries")
    click.echo(told.sentence(), err=True)
    return OK


@command.command("csv")
@POSTED
@_of_period
def as_csv(output: Path | None, *, posted: bool, **asked: Any) -> int:
    """Write the line items as CSV: every digit, ISO times, text that no spreadsheet runs as a formula."""
    return _lines_to(output, "csv", asked, posted=posted)


@command.command("parquet")
@POSTED
@_of_period
def as_parquet(output: Path | None, *, posted: bool, **asked: Any) -> int:
    """Write the line items as Parquet, money as Decimal(38, 12)."""
    return _lines_to(output, "parquet", asked, posted=posted)


@command.command("xlsx")
@POSTED
@_of_period
def as_workbook(output: Path | None, *, posted: bool, **asked: Any) -> int:
    """Write the P&L as a workbook whose figures are formulas over its lines."""
    from tokenpnl_dashboard.exports.xlsx import workbook

    with opened(**asked, posted=posted) as source:
        pack = _pack(source, posted=posted)
    _write(workbook(pack), _binary(output, "tokenpnl.xlsx"), "a workbook")
    return OK


@command.command("pdf")
@POSTED
@_of_period
def as_page(output: Path | None, *, posted: bool, **asked: Any) -> int:
    """Write the P&L on one page of PDF."""
    from tokenpnl_dashboard.exports.pdf import one_pager

    with opened(**asked, posted=posted) as source:
        pack = _pack(source, posted=posted)
    _write(one_pager(pack), _binary(output, "tokenpnl.pdf"), "a page")
    return OK


def _lines_to(output: Path | None, form: str, asked: dict[str, Any], *, posted: bool) -> int:
    from tokenpnl_analytics.finance.focus import unpriced_usage
    from tokenpnl_dashboard.exports.tables import csv_bytes, parquet_bytes

    with opened(**asked, posted=posted) as source:
        lines = source.reading(posted=posted).lines
        told = source.rests_on(lines=lines if posted else None)
    content = csv_bytes(lines) if form == "csv" else parquet_bytes(lines)
    _write(content, output if form == "csv" else _binary(output, "tokenpnl.parquet"), f"{lines.height} line items")
    _say_total(lines["cost_usd"].sum(), unpriced_usage(lines))
    click.echo(told.sentence(), err=True)
    return OK


def _outcomes(source: Source, read: "Reading", *, posted: bool) -> "pl.DataFrame":
    """Return the outcome of every run, of closed months as it was known at the close."""
    import polars as pl

    columns = ["tenant", "run_id", "outcome"]
    every = source.book.query("table", name="runs", columns=columns)
    if not posted:
        return every
    return pl.concat([read.runs.select(columns), every.join(read.runs, on=["tenant", "run_id"], how="anti")])


def _pack(source: Source, *, posted: bool) -> "Pack":
    from tokenpnl_analytics.rules.agents import AGENTS
    from tokenpnl_analytics.rules.outcomes import OUTCOMES
    from tokenpnl_analytics.unit_cost.outcome_rules import windows_of
    from tokenpnl_analytics.unit_cost.units import cohort
    from tokenpnl_dashboard import words
    from tokenpnl_dashboard.closing.months import Closing
    from tokenpnl_dashboard.closing.statement_rows import Shown, with_rows
    from tokenpnl_dashboard.exports.pack import pack_of
    from tokenpnl_dashboard.questions.contracts import checked, over_limit
    from tokenpnl_ingest.control import ControlStore

    period, read = source.period, source.reading(posted=posted)
    windows = windows_of(source.rules.read(OUTCOMES))
    runs = cohort(read.runs, as_of=source.as_of, windows=windows, capacity=read.capacity)
    named = words.days_of(period) if source.zone == "UTC" else f"{period.label} in {source.zone}"
    told = source.rests_on(lines=read.lines if posted else None, runs=runs)
    past = checked(source.book, source.rules.read(AGENTS), period)
    over = None if past is None else over_limit(past, period, {})
    made = pack_of(read.lines, runs, told, period=named, as_of=source.as_of, closed=read.closed, over_limit=over)
    shown = Shown(period, source.as_of, zone=source.zone)
    with ControlStore.of(source.home) as control:
        return replace(made, total=with_rows(made.total, Closing(source.home, source.book, control), shown))


def _table(frame: "pl.DataFrame", output: Path | None) -> bytes:
    from tokenpnl_dashboard.exports.tables import csv_bytes, parquet_bytes

    return parquet_bytes(frame) if output is not None and output.suffix == ".parquet" else csv_bytes(frame)


def _binary(output: Path | None, usual: str) -> Path:
    """Return where a file goes that no terminal should be shown."""
    return Path(usual) if output is None else output


def _write(content: bytes, output: Path | None, what: str) -> None:
    if output is None or str(output) == "-":
        click.echo(content, nl=False)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        from tokenpnl.errors import ConfigurationError

        raise ConfigurationError(f"{output} cannot be written: {error.strerror}; name another file by -o") from error
    click.echo(f"wrote {what} to {output}", err=True)


def _say_total(total: Any, unpriced: "pl.DataFrame") -> None:
    from tokenpnl_dashboard import words

    click.echo(f"effective cost {words.exact_usd(total)}", err=True)
    if unpriced.height:
        n_lines, quantity = int(unpriced["n_lines"].sum()), int(unpriced["quantity"].sum())
        models = unpriced["model"].fill_null("(unknown)").unique(maintain_order=True).to_list()
        click.echo(
            f"{words.counted(n_lines, 'usage line')} ({quantity:,} units of {words.listed(models[:5])}) "
            "without a price cost an unknown amount; the total is a floor",
            err=True,
        )


def _for_eyes(judged: "pl.DataFrame") -> "pl.DataFrame":
    """Return the failed and skipped checks, and one row that counts the others."""
    import polars as pl

    from tokenpnl_analytics.finance.focus_checks import PASSED

    shown = judged.filter(pl.col("status") != PASSED).select("check", "status", "rule", "n_bad", "example")
    n_passed = judged.height - shown.height
    summed = {"check": f"{n_passed} of {judged.height} checks", "status": PASSED, "rule": "held", "n_bad": 0}
    return pl.concat([shown, pl.DataFrame([summed])], how="diagonal_relaxed")
