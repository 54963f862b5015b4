"""How the command line prints: one frame or document, as a table for eyes, or as JSON, CSV or Markdown for programs."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import click
import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tokenpnl_dashboard.shapes.table_cells import broken_head, for_eyes

if TYPE_CHECKING:
    from tokenpnl_dashboard.questions.disclosure import Disclosure

_PIPED_WIDTH = 160
_MAY_FOLD, _WIDEST_WORD, _BORDER = 6, 24, 3
_HEAD = 9
_FORMULA = r"^([=+\-@\t\r])"


def plain(value: object) -> object:
    """Return a value as JSON holds it: money as a decimal string without trailing zeros, times as ISO text."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value


def print_json(document: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(plain(document), indent=2, ensure_ascii=False))


NOTHING = "nothing to show: no such usage or runs in the data"


def print_frame(
    frame: pl.DataFrame, form: str, *, title: str = "", names: int = 0, exact: bool = False, nothing: str = NOTHING
) -> None:
    """Print a frame as table, json, csv or md; NULL is an empty cell in CSV, null in JSON and a dash elsewhere.

    A table is for eyes and rounds; the others keep every digit.

    Args:
        frame: what to print.
        form: table, json, csv or md.
        title: stands above a table.
        names: how many columns lead that name a row; the rest are then figures, which a table aligns to the right,
            even where they are text. By default that goes by type.
        exact: a table keeps every digit too, as prices need it.
        nothing: what a table says that has no row.
    """
    rows = [[plain(cell) for cell in row] for row in frame.iter_rows()]
    if form == "json":
        print_json([dict(zip(frame.columns, row, strict=True)) for row in rows])
    elif form == "csv":
        click.echo(csv_text(frame), nl=False)
    elif form == "md":
        click.echo(_markdown(frame.columns, rows))
    else:
        _print_table(frame, for_eyes(frame, exact=exact), _Words(title, names, nothing))


def print_disclosed(  # noqa: PLR0913 - those of print_frame
    frame: pl.DataFrame,
    form: str,
    rests_on: "Disclosure",
    *,
    also: Sequence[str] = (),
    title: str = "",
    names: int = 0,
    nothing: str = NOTHING,
) -> None:
    """Print a frame with what it rests on: in JSON beside its rows, under a table, else in words on standard error.

    Args:
        frame: what to print.
        form: table, json, csv or md.
        rests_on: what it rests on; JSON is then one object of `rows` and `disclosure`.
        also: what else is to be said of the figures, in sentences.
        title: see `print_frame`.
        names: see `print_frame`.
        nothing: see `print_frame`.
    """
    if form == "json":
        print_json({"rows": frame.to_dicts(), "disclosure": rests_on.document()})
        return
    print_frame(frame, form, title=title, names=names, nothing=nothing)
    click.echo(" ".join((rests_on.sentence(), *also)), err=form != "table")


def inert(text: str) -> str:
    """Return the text so that a spreadsheet does not run it as a formula."""
    return re.sub(_FORMULA, r"'\1", text)


def csv_text(frame: pl.DataFrame) -> str:
    """Return a frame as CSV: money with all its digits, text that a spreadsheet would run as a formula made inert."""
    made_inert = pl.col(pl.String).str.replace(_FORMULA, "'$1")
    return frame.with_columns(made_inert).with_columns(pl.col(pl.Decimal).cast(pl.String)).write_csv()


def _markdown(columns: list[str], rows: list[list[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(cell: object) -> str:
    return "–" if cell is None else str(cell).replace("|", "\\|")


@dataclass(frozen=True)
class _Words:
    title: str
    names: int
    nothing: str


def _print_table(frame: pl.DataFrame, rows: list[list[object]], told: _Words) -> None:
    console = Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False)
    if told.title:
        console.print(told.title, style="bold", markup=False, soft_wrap=True)
    if not rows:
        console.print(told.nothing)
        return
    heads = _heads(frame.columns, rows)
    shown = _fitting(heads, rows, console.width)
    table = Table(header_style="bold", pad_edge=False)
    for place, (column, dtype) in enumerate(list(frame.schema.items())[:shown]):
        right = dtype.is_numeric() or column.endswith(("_usd", "usd")) or 0 < told.names <= place
        table.add_column(heads[place], justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(cell) for cell in row[:shown]))
    console.print(table, markup=False)
    if shown < len(frame.columns):
        left_out = ", ".join(frame.columns[shown:])
        console.print(f"no room for {left_out}: a wider window shows them, so does --csv", markup=False, soft_wrap=True)


def _heads(columns: list[str], rows: list[list[object]]) -> list[str]:
    """Return the names of columns, those of many cut over lines so that no head is much wider than its cells."""
    if len(columns) <= _MAY_FOLD:
        return columns
    widths = [max(len(_cell(row[place])) for row in rows) for place in range(len(columns))]
    return [broken_head(name, max(width, _HEAD)) for name, width in zip(columns, widths, strict=True)]


def _fitting(columns: list[str], rows: list[list[object]], width: int) -> int:
    # A few columns may fold their words. Of many, rich would squeeze each to a heap of letters.
    if len(columns) <= _MAY_FOLD:
        return len(columns)
    taken = 1
    for place, column in enumerate(columns):
        words = [word for cell in (column, *(row[place] for row in rows)) for word in _cell(cell).split()]
        taken += min(max(map(len, words), default=0), _WIDEST_WORD) + _BORDER
        if taken > width:
            return max(place, 2)
    return len(columns)


def progress() -> Progress:
    """Return a progress bar on standard error; silent where nobody looks."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
