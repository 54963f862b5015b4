"""The table contract in Polars: schemas, empty frames, and the check that a frame keeps its promise."""

import polars as pl

from tokenpnl.schema import Table, Type

MONEY = pl.Decimal(38, 12)
TIME = pl.Datetime("ns", "UTC")

_POLARS = {
    Type.TEXT: pl.String(),
    Type.INT: pl.Int64(),
    Type.FLOAT: pl.Float64(),
    Type.BOOL: pl.Boolean(),
    Type.MONEY: MONEY,
    Type.TIME: TIME,
}


def schema_of(table: Table) -> pl.Schema:
    """Return the Polars schema of a table, columns in contract order."""
    return pl.Schema({column.name: _POLARS[column.type] for column in table.columns})


def empty(table: Table) -> pl.DataFrame:
    """Return a frame of the table without rows."""
    return pl.DataFrame(schema=schema_of(table))


def known_sum(amounts: pl.Expr, lacking: pl.Expr | None = None) -> pl.Expr:
    """Return the sum of the amounts that are known; NULL where some are lacking and none is known.

    The sum of nothing is 0; the sum of what nobody knows is not.

    Args:
        amounts: money, NULL where it is unknown or where there is none.
        lacking: tells of each amount whether it is unknown; default: every NULL is.
    """
    unknown = amounts.is_null() if lacking is None else lacking
    return pl.when((amounts.count() > 0) | ~unknown.any()).then(amounts.sum())


def conform(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Return the table's columns in order and type; a nullable column that is absent becomes NULL.

    Raises:
        ValueError: when a required column is absent or holds a NULL; the message names the column.
    """
    schema = schema_of(table)
    missing = [c.name for c in table.columns if c.required and c.name not in frame.columns]
    if missing:
        raise ValueError(f"{table.name} needs the columns {missing}; it has {frame.columns}")
    result = frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    )
    holes = [c.name for c in table.columns if c.required and result[c.name].null_count()]
    if holes:
        raise ValueError(f"{table.name} promises no NULL in {holes}")
    return result
