"""Outcomes in a CSV file, as business systems export them: good rows as statements, bad ones with line and reason."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from tokenpnl.errors import RefusedInputError
from tokenpnl.model import OutcomeSource
from tokenpnl_ingest.statements import OutcomeStatement

COLUMNS = ("run_id", "trace_id", "business_id", "status", "value_usd", "score", "source", "at", "id", "reason")
SUBJECTS = COLUMNS[:3]
_REMOVED = ("null", "none")


@dataclass(frozen=True)
class BadRow:
    """One row that is no outcome: the line it begins on, counted from 1 with the head, and what is wrong."""

    line: int
    reason: str


@dataclass(frozen=True)
class CsvOutcomes:
    """What a file says: statements as `POST /v1/outcomes` takes them, and the rows that are none."""

    statements: list[dict[str, Any]]
    bad: list[BadRow]


def read_outcomes(content: bytes, *, zone: ZoneInfo, at: datetime | None = None) -> CsvOutcomes:
    """Return the outcomes of a CSV file.

    An empty cell says nothing; `null` in `value_usd` takes an earlier value back. Equal rows give equal statements, so
    that a file may be imported again.

    Args:
        content: UTF-8, with a head that names columns of `COLUMNS`; comma or semicolon between cells.
        zone: of times that state none; a date alone is its midnight there.
        at: aware; when the outcomes became true where a row does not say.

    Raises:
        RefusedInputError: it is no such file: not UTF-8, an unknown or a missing column.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusedInputError(f"expected a CSV file in UTF-8: {error}") from None
    found = CsvOutcomes([], [])
    for line, row in _rows(text):
        if isinstance(row, str):
            found.bad.append(BadRow(line, row))
            continue
        try:
            found.statements.append(_statement(row, zone, at))
        except ValidationError as error:
            found.bad.append(BadRow(line, "; ".join(_fault(fault) for fault in error.errors())))
        except ValueError as error:
            found.bad.append(BadRow(line, str(error)))
    return found


def _rows(text: str) -> Iterator[tuple[int, dict[str, str] | str]]:
    """Yield each row with its first line: its cells by column, or what is wrong with its shape."""
    head = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in head and "," not in head else ",")
    try:
        names = [name.strip() for name in next(reader, [])]
        _check(names)
        begins = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                fits = len(cells) == len(names)
                told = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if cell.strip()}
                yield begins, told if fits else f"expected {len(names)} cells, got {len(cells)}"
            begins = reader.line_num + 1
    except csv.Error as error:
        raise RefusedInputError(f"line {reader.line_num} is no CSV: {error}") from None


def _check(names: list[str]) -> None:
    known = f"the columns are {', '.join(COLUMNS)}"
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise RefusedInputError(f"unknown column {unknown[0]!r} in the head; {known}")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise RefusedInputError(f"the column {min(twice)!r} stands twice in the head")
    if "status" not in names or not set(SUBJECTS) & set(names):
        raise RefusedInputError(f"the head needs status and one of {', '.join(SUBJECTS)}; {known}")


def _statement(row: dict[str, str], zone: ZoneInfo, at: datetime | None) -> dict[str, Any]:
    """Return the row as a checked statement, ready for JSON."""
    moment = _moment(row["at"], zone) if "at" in row else at
    if moment is None:
        # Taken as "now" it would be another statement with every import.
        raise ValueError("at: expected when it became true, got nothing; fill the column or give one time for all")
    told: dict[str, Any] = {"source": OutcomeSource.IMPORT.value} | row | {"at": moment.isoformat()}
    if told.get("value_usd", "").lower() in _REMOVED:
        told["value_usd"] = None
    if "id" in told:
        told["outcome_id"] = told.pop("id")
    return OutcomeStatement.model_validate(told).model_dump(mode="json", exclude_unset=True)


def _moment(text: str, zone: ZoneInfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"at: expected an ISO time such as 2026-11-24T09:30:00Z, got {text!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _fault(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    told = "" if isinstance(fault["input"], dict) else f", got {fault['input']!r}"
    return f"{where}: {fault['msg']}{told}" if where else fault["msg"]
