"""How the cells of a table read for eyes: money rounded, shares in percent, times to the minute, yes and no.

JSON and CSV never come here: programs get every digit.
"""

import re
from datetime import datetime, time
from decimal import Decimal

import polars as pl

from tokenpnl_dashboard import words

_SHARES = ("share", "coverage", "wape")
_CHANCES = ("p", "q")


def for_eyes(frame: pl.DataFrame, *, exact: bool = False) -> list[list[object]]:
    """Return the rows of a frame as text; NULL stays None.

    Args:
        frame: what a table shows.
        exact: money keeps its digits, as prices need it.
    """
    columns = [[_cell(column.name, value, exact=exact) for value in _days(column)] for column in frame.get_columns()]
    return [list(row) for row in zip(*columns, strict=True)]


def broken_head(name: str, width: int) -> str:
    """Return a column's name over lines cut after underscores and spaces, each no wider than `width` if it can be."""
    lines = [""]
    for part in re.findall(r"[^_ ]*[_ ]?", name):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def _days(column: pl.Series) -> list[object]:
    values = column.to_list()
    times = [value for value in values if isinstance(value, datetime)]
    if times and all(value.time() == time() for value in times):
        return [value.date() if isinstance(value, datetime) else value for value in values]
    return values


def _cell(name: str, value: object, *, exact: bool) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return words.count(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if exact and isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, (Decimal, float)):
        return _figure(name, value)
    return value


def _figure(name: str, value: Decimal | float) -> str:
    if name in _CHANCES:
        return f"{value:.2g}"
    if any(word in _SHARES for word in name.split("_")):
        return words.percent(value)
    return words.usd(value) if isinstance(value, Decimal) or "usd" in name.split("_") else f"{value:,.4g}"
