"""Rows that bill usage of several days in one: each is spread over its days by hours of overlap, exactly.

A part says that it is one (`spread`): its day is known only as far as usage was even over the hours of the row.
"""

from datetime import date, datetime, time, timedelta
from decimal import Decimal, localcontext

import polars as pl

from tokenpnl_analytics.closing.invoices.form import INVOICE_LINES, Fault, invoice_lines
from tokenpnl_analytics.closing.invoices.tables import utc_moment
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.shares import split_money

BEGINS, ENDS = "begins", "ends"
MOST_DAYS = 366
_DAY = timedelta(days=1)
_DIGITS = 60  # dollars of 20 digits at 12 places times seconds of a year
Parts = list[tuple[date, Decimal | None, int | None]]


def too_long(frame: pl.DataFrame, since: str, until: str) -> list[Fault]:
    """Return a fault for each row whose usage spans more than a year: no month could be told from it.

    Args:
        frame: `row` and the two columns, ISO times as text; a row without end is passed by.
        since: column of the start.
        until: column of the end, not included.
    """
    span = utc_moment(until) - utc_moment(since)
    long = frame.filter(span > pl.lit(timedelta(days=MOST_DAYS))).select("row", since, until)
    return [
        Fault(row, f"usage of {start} to {end} spans more than {MOST_DAYS} days; export it by day or month")
        for row, start, end in long.iter_rows()
    ]


def over_days(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the lines with usage of more than a day as one line for each UTC day that it touches.

    Cost (twelve decimals) and tokens (whole) are split by hours of overlap, the rest by largest remainder, so that the
    parts of a row sum to it to the last digit.

    Args:
        lines: columns of `INVOICE_LINES` with `BEGINS` and `ENDS`, UTC; the end is not included, null: not told.

    Returns:
        Schema `INVOICE_LINES`, in the order of the file, parts by day with `spread` true.
    """
    long = (pl.col("charge_category") == "Usage") & ((pl.col(ENDS) - pl.col(BEGINS)) > pl.lit(_DAY))
    normal = invoice_lines(lines).with_columns(lines[BEGINS], lines[ENDS])
    marked = normal.with_row_index("place").with_columns(long.fill_null(value=False).alias("spread"))
    several = marked.filter("spread")
    if several.is_empty():
        return marked.select(INVOICE_LINES.names())
    known: dict[tuple[object, ...], Parts] = {}
    rows = []
    for place, *key in several.select("place", BEGINS, ENDS, "cost", "quantity").iter_rows():
        if tuple(key) not in known:
            known[tuple(key)] = _parts(*key)
        rows += [(place, *part) for part in known[tuple(key)]]
    schema = {"place": pl.UInt32(), "day": pl.Date(), "cost": MONEY, "quantity": pl.Int64()}
    parts_of = pl.DataFrame(rows, schema=schema, orient="row")
    told = several.drop("day", "cost", "quantity").join(parts_of, on="place", maintain_order="left_right")
    every = pl.concat([marked.filter(~pl.col("spread")).select(told.columns), told])
    return every.sort("place", "day", maintain_order=True).select(INVOICE_LINES.names())


def spread_note(lines: pl.DataFrame) -> tuple[str, ...]:
    """Return what a reader must know of rows that were spread; nothing where none was."""
    n = lines.filter("spread")["row"].n_unique()
    if not n:
        return ()
    return (f"{n:,} rows bill usage of more than a day; each was spread over its days by hours of overlap",)


def _parts(begins: datetime, ends: datetime, cost: Decimal | None, quantity: int | None) -> Parts:
    days, weights = _overlaps(begins, ends)
    with localcontext() as context:
        context.prec = _DIGITS
        costs = [None] * len(days) if cost is None else split_money(cost, weights)
        # Whole tokens are the smallest unit of a split at twelve places, when a token is taken for one.
        tokens = None if quantity is None else split_money(Decimal(quantity).scaleb(-12), weights)
        counts = [None] * len(days) if tokens is None else [int(part.scaleb(12)) for part in tokens]
    return list(zip(days, costs, counts, strict=True))


def _overlaps(begins: datetime, ends: datetime) -> tuple[list[date], list[Decimal]]:
    """Return each UTC day that a row touches, and its microseconds of it."""
    days, weights = [], []
    day = datetime.combine(begins.date(), time(), begins.tzinfo)
    while day < ends:
        until = day + _DAY
        days.append(day.date())
        weights.append(Decimal((min(ends, until) - max(begins, day)) // timedelta(microseconds=1)))
        day = until
    return days, weights
