"""Amounts as files write them: text or numbers to exact decimals, units to tokens, and the faults of a column."""

import re
from decimal import ROUND_HALF_EVEN, Decimal

import polars as pl

from tokenpnl_analytics.closing.invoices.form import Fault
from tokenpnl_analytics.frames import MONEY

_NUMBER = r"^-?\d+(\.\d*)?([eE][-+]?\d{1,2})?$"
_PLACES = Decimal("1e-12")
_LARGEST = Decimal("1e20")
MOST_UNITS = Decimal("9e12")  # of a million tokens each they still fit into 64 bits
_TOKENS_A_UNIT = {
    "token": 1, "tokens": 1, "1ktoken": 1_000, "1ktokens": 1_000, "ktoken": 1_000, "ktokens": 1_000,
    "thousandtokens": 1_000, "1000tokens": 1_000, "1mtoken": 1_000_000, "1mtokens": 1_000_000, "mtoken": 1_000_000,
    "mtokens": 1_000_000, "milliontokens": 1_000_000, "1milliontokens": 1_000_000, "1000000tokens": 1_000_000,
}  # fmt: skip
_COUNTED_UNITS = frozenset(
    {"request", "requests", "search", "searches", "query", "queries", "count", "1count", "page", "pages", "executions"}
)


def money(value: object) -> Decimal | None:
    """Return an amount exactly, half-even at twelve decimals; None where it is no plain number.

    Args:
        value: text, int or Decimal as JSON was read with `parse_float=Decimal`; a formula, a float or a bool is none.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    text = str(value).strip()
    if not re.match(_NUMBER, text):
        return None
    amount = Decimal(text)
    return exact(amount) if abs(amount) < _LARGEST else None


def exact(amount: Decimal) -> Decimal:
    """Return an amount at twelve decimals, half-even."""
    return amount.quantize(_PLACES, ROUND_HALF_EVEN)


def whole(value: object) -> int | None:
    """Return a count; None where it is no whole number of 0 or more."""
    amount = money(value)
    return int(amount) if amount is not None and amount >= 0 and amount == int(amount) else None


def units_in(unit: str | None) -> int | None:
    """Return how many tokens, requests or searches one unit is; None for a unit of something else."""
    word = re.sub(r"[\s,_-]", "", (unit or "").lower())
    return 1 if word in _COUNTED_UNITS else _TOKENS_A_UNIT.get(word)


def to_money(column: pl.Expr) -> pl.Expr:
    """Return a column of text as exact amounts; null where it is empty or no plain number."""
    text = column.str.strip_chars()
    return pl.when(text.str.contains(_NUMBER)).then(text).cast(MONEY, strict=False)


def bad_amounts(frame: pl.DataFrame, column: str, *, most: Decimal = _LARGEST) -> list[Fault]:
    """Return a fault for each row whose text is neither empty nor a plain number, or beyond what can be meant.

    Args:
        frame: `row` (text that names the row) and the column, both text.
        column: to look at.
        most: no amount is as large, whatever its sign.
    """
    text, amount = pl.col(column).str.strip_chars(), to_money(pl.col(column))
    bad = frame.filter((text != "") & amount.is_null()).select("row", column)
    large = frame.filter(amount.abs() >= pl.lit(most, MONEY)).select("row", column)
    expected = "expected a plain number such as 12.40 (a formula is not evaluated)"
    return [
        *(Fault(row, f"{column} is {value!r}, {expected}") for row, value in bad.iter_rows()),
        *(Fault(row, f"{column} is {value!r}, expected less than {most:,f}") for row, value in large.iter_rows()),
    ]
