"""The SQL that takes Arrow rows in: each once, whatever its sender repeats, in one transaction."""

from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tokenpnl.model import Flag
from tokenpnl.schema import Table, Type
from tokenpnl.tables import BATCHES, EVALUATIONS, METRICS, OUTCOMES, RESOURCES, SPANS
from tokenpnl_ingest.batch import Batch
from tokenpnl_ingest.store.schema import CATALOG

_ARROW = {
    Type.TEXT: pa.string(),
    Type.INT: pa.int64(),
    Type.FLOAT: pa.float64(),
    Type.BOOL: pa.bool_(),
    Type.MONEY: pa.decimal128(38, 12),
    Type.TIME: pa.timestamp("ns"),  # without a zone: with one, DuckDB would cut it to microseconds
}
# Equal in all of these is the same statement again.
_SAME = {
    SPANS.name: ("tenant", "trace_id", "span_id", "content_hash"),
    RESOURCES.name: ("tenant", "resource_hash"),
    OUTCOMES.name: ("tenant", "outcome_id", "content_hash"),
    EVALUATIONS.name: ("tenant", "trace_id", "span_id", "content_hash"),
    METRICS.name: ("tenant", "resource_hash", "name", "content_hash"),
}

# The time by which DuckDB finds out which row groups cannot hold a replay.
_TIMED = {SPANS.name: "started_at", METRICS.name: "measured_at"}


def storable(rows: pa.Table, table: Table) -> pa.Table:
    """Return the rows with the contract's columns in order and in the store's types; an absent column is NULL."""
    length = rows.num_rows
    columns = []
    for column in table.columns:
        arrow = _ARROW[column.type]
        if column.name in rows.column_names:
            found = rows[column.name]
            columns.append(found if found.type == arrow else found.cast(arrow))
        else:
            columns.append(pa.chunked_array([pa.nulls(length, arrow)]))
    return pa.table(dict(zip(table.names, columns, strict=True)))


def insert(connection: duckdb.DuckDBPyConnection, rows: pa.Table, table: Table) -> None:
    """Append the rows; the caller holds a transaction."""
    connection.register("incoming", rows)
    try:
        connection.execute(f"INSERT INTO {CATALOG}.{table.name} SELECT * FROM incoming").fetchall()  # noqa: S608 - contract names
    finally:
        connection.unregister("incoming")


def insert_new(connection: duckdb.DuckDBPyConnection, rows: pa.Table, table: Table) -> pa.Table:
    """Append the rows that are not stored yet and occur first among the incoming; return those.

    The caller holds a transaction.
    """
    key = _SAME[table.name]
    fresh = _first_of_each(rows, key)
    known = _known(connection, fresh, table)
    if len(known):
        fresh = fresh.filter(pa.array(~np.isin(np.arange(fresh.num_rows), known)))
    if fresh.num_rows:
        insert(connection, fresh, table)
    return fresh


def _first_of_each(rows: pa.Table, key: tuple[str, ...]) -> pa.Table:
    numbered = rows.select(key).append_column("position", pa.array(np.arange(rows.num_rows)))
    first = numbered.group_by(list(key)).aggregate([("position", "min")])["position_min"].to_numpy()
    return rows if len(first) == rows.num_rows else rows.take(pa.array(np.sort(first)))


def _known(connection: duckdb.DuckDBPyConnection, rows: pa.Table, table: Table) -> "np.ndarray[Any, Any]":
    """Return the positions of the rows that the table has already."""
    key = _SAME[table.name]
    asked = rows.select(key).append_column("position", pa.array(np.arange(rows.num_rows)))
    same = " AND ".join(f"k.{name} IS NOT DISTINCT FROM a.{name}" for name in key)
    window, bounds = _window(rows, _TIMED[table.name]) if table.name in _TIMED else ("", [])
    connection.register("asked", asked)
    try:
        found = connection.execute(
            f"SELECT DISTINCT a.position FROM {CATALOG}.{table.name} k JOIN asked a ON {same} {window}",  # noqa: S608 - contract names
            bounds,
        ).fetchnumpy()
    finally:
        connection.unregister("asked")
    return found["position"]


def _window(rows: pa.Table, time: str) -> tuple[str, list[int]]:
    """Return the condition on the time by which DuckDB skips row groups: a replay has the start of the original.

    The exception are spans with an implausible clock, which are booked at their arrival; for them all rows are read.
    """
    if "flags" in rows.column_names and pc.any(pc.match_substring(rows["flags"], Flag.TIME_IMPLAUSIBLE)).as_py():
        return "", []
    extremes = pc.min_max(rows[time].cast(pa.int64())).as_py()
    condition = f"WHERE k.{time} BETWEEN make_timestamp_ns($1) AND make_timestamp_ns($2)"
    return condition, [extremes["min"], extremes["max"]]


def delete_traces(connection: duckdb.DuckDBPyConnection, trace_ids: Sequence[str], tables: Sequence[Table]) -> None:
    """Remove every row of these traces from the tables; the caller holds a transaction."""
    connection.register("settled", pa.table({"trace_id": pa.array(trace_ids, pa.string())}))
    try:
        for table in tables:
            connection.execute(
                f"DELETE FROM {CATALOG}.{table.name} WHERE trace_id IN (SELECT trace_id FROM settled)"  # noqa: S608 - contract names
            ).fetchall()
    finally:
        connection.unregister("settled")


def delete_spans(connection: duckdb.DuckDBPyConnection, spans: Sequence[tuple[int, int]], table: Table) -> None:
    """Remove every row that starts in a span [since, until), UTC nanoseconds; the caller holds a transaction."""
    for span in spans:
        connection.execute(
            f"DELETE FROM {CATALOG}.{table.name} "  # noqa: S608 - contract names
            "WHERE started_at >= make_timestamp_ns($1) AND started_at < make_timestamp_ns($2)",
            list(span),
        ).fetchall()


def delete_all(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Remove every row; the caller holds a transaction."""
    connection.execute(f"DELETE FROM {CATALOG}.{table.name}").fetchall()  # noqa: S608 - contract names


def rows_of(batches: Sequence[tuple[int, Batch]], table: Table) -> pa.Table | None:
    """Return the rows that the batches carry for the table, each with its batch number; None when there are none."""
    found = [(number, batch.tables[table.name]) for number, batch in batches if table.name in batch.tables]
    if not found:
        return None
    # A journal may hold batches of an earlier table contract: what a batch lacks is NULL.
    rows = pa.concat_tables([rows for _, rows in found], promote_options="default")
    if "batch_no" in table.names:
        numbers = np.repeat([number for number, _ in found], [rows.num_rows for _, rows in found])
        column = pa.array(numbers, pa.int64())
        if "batch_no" in rows.column_names:
            rows = rows.set_column(rows.column_names.index("batch_no"), "batch_no", column)
        else:
            rows = rows.append_column("batch_no", column)
    return storable(rows, table)


def batch_rows(batches: Sequence[tuple[int, Batch]], fresh_spans: pa.Table) -> pa.Table:
    """Return one row of `batches` per batch: what arrived, and how much of it was there before."""
    counted = fresh_spans["batch_no"].value_counts()
    fresh = dict(zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True))
    spans = [batch.tables[SPANS.name].num_rows if SPANS.name in batch.tables else 0 for _, batch in batches]
    rows = {
        "batch_no": [number for number, _ in batches],
        "received_at": pa.array([batch.received_at_ns for _, batch in batches], pa.timestamp("ns")),
        "spans": spans,
        "replayed": [n - fresh.get(number, 0) for n, (number, _) in zip(spans, batches, strict=True)],
        "log_records": [batch.log_records for _, batch in batches],
        "metric_points": [batch.metric_points for _, batch in batches],
        "refused": [batch.refused for _, batch in batches],
    }
    return storable(pa.table(rows), BATCHES)
