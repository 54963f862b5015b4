"""The DuckDB instance: opened locked down, found stale or broken, moved aside, opened again."""

import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from tokenpnl.errors import StoreError
from tokenpnl_ingest.store.schema import CATALOG, CONTRACT, create_statements

log = logging.getLogger(__name__)
# The loader checkpoints between loads; DuckDB doing so inside a commit would turn a full disk into a dead instance.
_CHECKPOINT_THRESHOLD = "1TB"


def open_database(file: Path, *, memory_mib: int) -> duckdb.DuckDBPyConnection:
    """Open or create the database, with every table of the contract and no way out to files or network.

    Raises:
        StoreError: the file is broken, or was made for another table contract.
    """
    connection = duckdb.connect(":memory:")
    try:
        _configure(connection, file.parent, memory_mib)
        connection.execute(f"ATTACH '{_quoted(file)}' AS {CATALOG}")
        _lock_down(connection)
        for statement in create_statements():
            connection.execute(statement)
        _check_contract(connection)
        connection.execute(f"CHECKPOINT {CATALOG}")
    except duckdb.Error as error:
        connection.close()
        raise StoreError(f"{file} cannot be opened: {error}") from error
    except StoreError:
        connection.close()
        raise
    return connection


def move_aside(file: Path) -> Path:
    """Rename the database and its write-ahead log out of the way and return where the database went."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    aside = file.with_name(f"{file.name}.unreadable-{stamp}")
    for suffix in ("", ".wal"):
        source = file.with_name(file.name + suffix)
        if source.exists():
            source.rename(aside.with_name(aside.name + suffix))
    return aside


def _configure(connection: duckdb.DuckDBPyConnection, folder: Path, memory_mib: int) -> None:
    connection.execute(f"SET memory_limit = '{memory_mib}MiB'")
    connection.execute(f"SET threads = {max(1, min(4, os.cpu_count() or 1))}")
    connection.execute(f"SET temp_directory = '{_quoted(folder / 'spill')}'")
    connection.execute(f"SET checkpoint_threshold = '{_CHECKPOINT_THRESHOLD}'")
    connection.execute("SET preserve_insertion_order = false")


def _lock_down(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _check_contract(connection: duckdb.DuckDBPyConnection) -> None:
    found: dict[str, list[str]] = {}
    rows = connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = $1 ORDER BY column_index",
        [CATALOG],
    ).fetchall()
    for table, column in rows:
        found.setdefault(table, []).append(column)
    for name, table in CONTRACT.items():
        if found.get(name) != list(table.names):
            raise StoreError(f"table {name} was made for another version of the table contract")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
