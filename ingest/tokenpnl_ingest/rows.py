"""Rows to Arrow: the table contract as Arrow schemas, and rows with their arrival stamped on."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import pyarrow as pa

from tokenpnl.schema import Column, Table, Type

_ARROW = {
    Type.TEXT: pa.string(),
    Type.INT: pa.int64(),
    Type.FLOAT: pa.float64(),
    Type.BOOL: pa.bool_(),
    Type.MONEY: pa.decimal128(38, 12),
    Type.TIME: pa.timestamp("ns", tz="UTC"),
}
_ARRIVED = ("received_at", "recorded_at")


@cache
def arrow_schema(table: Table) -> pa.Schema:
    """Return the Arrow schema of a table, columns in contract order, required columns not nullable."""
    return pa.schema(
        [pa.field(column.name, _ARROW[column.type], nullable=not column.required) for column in table.columns]
    )


def arrow_table(table: Table, rows: Sequence[dict[str, Any]], received_at_ns: int, batch_no: int) -> pa.Table:
    """Return rows of one batch as an Arrow table, its arrival stamped on.

    Args:
        table: whose columns the rows have; an absent one is NULL.
        rows: times as integer nanoseconds, money as Decimal.
        received_at_ns: when the batch was taken; becomes `received_at` or `recorded_at`.
        batch_no: journal batch.
    """
    columns = [_array(column, rows, received_at_ns, batch_no) for column in table.columns]
    return pa.Table.from_arrays(columns, schema=arrow_schema(table))


def _array(column: Column, rows: Sequence[dict[str, Any]], received_at_ns: int, batch_no: int) -> pa.Array:
    kind = _ARROW[column.type]
    if column.name in _ARRIVED:
        return pa.array([received_at_ns] * len(rows), pa.int64()).cast(kind)
    if column.name == "batch_no":
        return pa.array([batch_no] * len(rows), kind)
    name = column.name
    values = [row.get(name) for row in rows]
    return pa.array(values, pa.int64()).cast(kind) if column.type is Type.TIME else pa.array(values, kind)
