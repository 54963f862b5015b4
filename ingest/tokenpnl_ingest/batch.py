"""A batch: what one or more requests brought, as Arrow tables, and its bytes in the journal."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson
import pyarrow as pa

from tokenpnl.tables import EVALUATIONS, METRICS, OUTCOMES, QUARANTINE, RESOURCES, SPANS
from tokenpnl_ingest.otlp import Decoded
from tokenpnl_ingest.rows import arrow_table

_LENGTH = struct.Struct("<I")
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")
_PLAIN = pa.ipc.IpcWriteOptions()


@dataclass(frozen=True)
class Ack:
    """What was not refused of a request is on disk; `message` says why `refused` records were not taken."""

    refused: int = 0
    message: str = ""


@dataclass(frozen=True)
class Batch:
    """Rows and counts on their way from a request to the store; the journal gives the number.

    Attributes:
        tables: by table name, only those with rows; `batch_no` in them is set when they are loaded.
    """

    received_at_ns: int
    tables: dict[str, pa.Table] = field(default_factory=dict)
    log_records: int = 0
    metric_points: int = 0
    refused: int = 0

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.num_rows for table in self.tables.values())

    @property
    def empty(self) -> bool:
        """Whether nothing arrived that is worth a record: no row and no count."""
        return not (self.tables or self.log_records or self.metric_points or self.refused)


def batch_of(decoded: Decoded, received_at_ns: int) -> Batch:
    """Return the decoded request as a batch."""
    rows = {
        SPANS: decoded.spans,
        RESOURCES: decoded.resources,
        OUTCOMES: decoded.outcomes,
        EVALUATIONS: decoded.evaluations,
        METRICS: decoded.metrics,
        QUARANTINE: decoded.quarantined,
    }
    tables = {table.name: arrow_table(table, found, received_at_ns, 0) for table, found in rows.items() if found}
    return Batch(received_at_ns, tables, decoded.log_records, decoded.metric_points, decoded.refused)


def merged(batches: Iterable[Batch]) -> Batch:
    """Return one batch with the rows of all, as received when the last of them was."""
    every = list(batches)
    names = dict.fromkeys(name for batch in every for name in batch.tables)
    return Batch(
        max(batch.received_at_ns for batch in every),
        {name: pa.concat_tables(batch.tables[name] for batch in every if name in batch.tables) for name in names},
        sum(batch.log_records for batch in every),
        sum(batch.metric_points for batch in every),
        sum(batch.refused for batch in every),
    )


def to_payload(batch: Batch, *, compress: bool = True) -> bytes:
    """Return the batch as journal bytes: a JSON head with the counts, then one Arrow IPC stream per table."""
    options = _COMPRESSED if compress else _PLAIN
    streams = {name: _to_stream(table, options) for name, table in batch.tables.items()}
    head = orjson.dumps(
        {
            "received_at_ns": batch.received_at_ns,
            "log_records": batch.log_records,
            "metric_points": batch.metric_points,
            "refused": batch.refused,
            "tables": {name: stream.size for name, stream in streams.items()},
        }
    )
    return b"".join([_LENGTH.pack(len(head)), head, *streams.values()])


def from_payload(payload: bytes) -> Batch:
    """Return the batch of journal bytes."""
    (length,) = _LENGTH.unpack_from(payload)
    start = _LENGTH.size + length
    head = orjson.loads(payload[_LENGTH.size : start])
    tables = {}
    whole = pa.py_buffer(payload)
    for name, size in head.pop("tables").items():
        with pa.ipc.open_stream(whole.slice(start, size)) as stream:
            tables[name] = stream.read_all()
        start += size
    return Batch(tables=tables, **head)


def _to_stream(table: pa.Table, options: pa.ipc.IpcWriteOptions) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=options) as stream:
        stream.write_table(table.combine_chunks())
    return sink.getvalue()
