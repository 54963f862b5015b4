"""From a figure to the line items behind it: any dollar of a report, down to its runs and spans."""

from collections.abc import Iterable, Mapping

import polars as pl

from tokenpnl.errors import ConfigurationError
from tokenpnl.schema import Type
from tokenpnl.tables import LINE_ITEMS
from tokenpnl_analytics.frames import known_sum
from tokenpnl_analytics.periods import Period
from tokenpnl_dashboard.book import Book
from tokenpnl_dashboard.questions.lines import line_items

NOBODY = "(none)"
OWNED_BY = ("workflow", "customer_id")
COLUMN_OF = {
    "customer": "customer_id",
    "run": "run_id",
    "trace": "trace_id",
    "span": "span_id",
    "category": "cost_category",
    "kind": "usage_kind",
}
"""Short names of columns; every other column of text goes by its own."""

Where = Mapping[str, list[str | None]]
_SHOWN = ("started_at", "run_id", "span_id", "step", "model", "usage_kind", "quantity", "cost_usd", "cost_category")
_TEXTS = [column.name for column in LINE_ITEMS.columns if column.type is Type.TEXT]


def narrowed(texts: Iterable[str]) -> dict[str, list[str | None]]:
    """Return accepted values by column, from texts such as `category=retry`; several of one column are alternatives.

    Raises:
        ConfigurationError: a text is not written COLUMN=VALUE, or there is no such column.
    """
    found: dict[str, list[str | None]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        column = COLUMN_OF.get(name, name)
        if not equals or column not in _TEXTS:
            known = ", ".join(sorted({*COLUMN_OF, *_TEXTS} - set(COLUMN_OF.values())))
            raise ConfigurationError(
                f"--where is written COLUMN=VALUE, such as category=retry or customer={NOBODY}, not {text!r}; "
                f"the columns are {known}"
            )
        found.setdefault(column, []).append(None if value == NOBODY else value)
    return found


def lines_behind(book: Book, where: Where, period: Period) -> pl.DataFrame:
    """Return the line items of the period that a figure adds up, the dearest first; table `line_items`.

    Args:
        book: the books.
        where: accepted values by column, None for NULL.
        period: when they started.
    """
    found = line_items(book, where=dict(where), since=period.since, until=period.until)
    return found.sort("cost_usd", "line_id", descending=[True, False], nulls_last=True)


def for_eyes(lines: pl.DataFrame, most: int) -> pl.DataFrame:
    """Return the first lines with what leads on: when, run, span, step, model, kind, quantity, cost, category."""
    return lines.head(most).select(_SHOWN).with_columns(pl.col("started_at").dt.strftime("%Y-%m-%d %H:%M:%S"))


def without_owner(sums: pl.DataFrame) -> pl.DataFrame:
    """Return cost that lacks a workflow or a customer, the largest source first.

    Args:
        sums: sums of line items by `OWNED_BY` and `provider, model, step`.

    Returns:
        `lacks` (workflow, customer, or both), `provider, model, step, cost_usd, n_lines`.
    """
    lacking = {"workflow": pl.col("workflow").is_null(), "customer": pl.col("customer_id").is_null()}
    told = pl.concat_str(
        [pl.when(missing).then(pl.lit(name)) for name, missing in lacking.items()], separator=", ", ignore_nulls=True
    )
    keys = ["lacks", "provider", "model", "step"]
    return (
        sums.filter(pl.any_horizontal(*lacking.values()))
        .with_columns(told.alias("lacks"))
        .group_by(keys)
        .agg(known_sum(pl.col("cost_usd")), pl.col("n_lines").sum())
        .sort("cost_usd", *keys, descending=[True, *[False] * 4], nulls_last=True)
    )
