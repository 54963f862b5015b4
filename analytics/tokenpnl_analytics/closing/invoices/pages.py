"""Pages of buckets of results, the shape in which OpenAI and Anthropic report cost and usage."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from tokenpnl_analytics.closing.invoices.form import INVOICE_LINES, Fault, Invoice, invoice_lines, refuse

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Bucketed:
    """Where a result stands: its row in words and its UTC day."""

    row: str
    day: date


Reader = Callable[[Bucketed, dict[str, Any]], list[dict[str, Any]] | Fault]


def pages_of(document: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every result with its place in words, over all pages and buckets; what is none is passed by."""
    for place, _, result in _results(document):
        if isinstance(result, dict):
            yield place, result


def gather(document: object, line: Reader, *, name: str, source: str) -> Invoice:
    """Return the lines of every result.

    Args:
        document: one page, or a list of pages.
        line: from a result to its lines, or what is wrong with it.
        name: what to call the file.
        source: name of the format.

    Raises:
        RefusedInputError: a bucket has no UTC day, or `line` found faults.
    """
    rows: list[dict[str, Any]] = []
    faults = _twice(document)
    for place, bucket, result in _results(document):
        day = _day_of(bucket)
        if isinstance(day, str) or not isinstance(result, dict):
            faults.append(Fault(place, day if isinstance(day, str) else f"a result is an object, got {result!r}"))
            continue
        found = line(Bucketed(place, day), result)
        if isinstance(found, Fault):
            faults.append(found)
        else:
            rows += [{"source": source, "row": place, **each} for each in found]
    refuse(faults, name=name, source=source)
    schema = {column: dtype for column, dtype in INVOICE_LINES.items() if any(column in row for row in rows)}
    notes: tuple[str, ...] = ()
    if _cut_short(document):
        notes = (f"{name} ends with has_more: there are pages that it does not hold, and the month may lack charges",)
    return Invoice(invoice_lines(pl.DataFrame(rows, schema=schema)), source, notes)


def _results(document: object) -> Iterator[tuple[str, dict[str, Any], object]]:
    pages = document if isinstance(document, list) else [document]
    for p, page in enumerate(pages):
        data = page.get("data") if isinstance(page, dict) else None
        for b, bucket in enumerate(data if isinstance(data, list) else []):
            results = bucket.get("results") if isinstance(bucket, dict) else None
            for r, result in enumerate(results if isinstance(results, list) else []):
                yield f"page {p + 1}, data[{b}].results[{r}]", bucket, result


def _twice(document: object) -> list[Fault]:
    """Return the results that stand on two pages: a page that was fetched again would count twice."""
    seen: dict[str, str] = {}
    faults = []
    for place, bucket, result in _results(document):
        key = json.dumps({**bucket, "results": result}, sort_keys=True, default=str)
        page = place.split(",")[0]
        if seen.setdefault(key, page) != page:
            faults.append(Fault(place, f"the same result stands on {seen[key]} already; give each page once"))
    return faults


def _cut_short(document: object) -> bool:
    pages = document if isinstance(document, list) else [document]
    return bool(pages) and isinstance(pages[-1], dict) and bool(pages[-1].get("has_more"))


def _day_of(bucket: dict[str, Any]) -> date | str:
    """Return the UTC day of a bucket, or why it has none."""
    since = _moment(bucket.get("start_time", bucket.get("starting_at")))
    until = _moment(bucket.get("end_time", bucket.get("ending_at")))
    if since is None:
        came = bucket.get("start_time", bucket.get("starting_at"))
        return f"the bucket starts at {came!r}, expected start_time in Unix seconds or starting_at in RFC 3339"
    if until is not None and until > since.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY:
        return f"the bucket spans {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M}, expected no more than one UTC day"
    return since.date()


def _moment(value: object) -> datetime | None:
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None
