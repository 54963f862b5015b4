"""A control database by its URL: SQLite made safe for several processes, or PostgreSQL; anything else is refused."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tokenpnl.errors import ConfigurationError

WRITES = "tokenpnl_writes"
_BUSY_MS = 30_000
_EXPECTED = "sqlite:////path/control.sqlite or postgresql+psycopg://user:password@host/database"
# Writers of PostgreSQL queue here, as those of SQLite do at its one write lock: the audit chain has one end.
_ADVISORY_LOCK = 0x746F6B656E706E6C


def engine_of(url: str) -> sa.Engine:
    """Return an engine for the URL; nothing is connected yet, but the file of SQLite exists, for its owner alone.

    Raises:
        ConfigurationError: the URL cannot be read, names another database, or a file that cannot be made.
    """
    parsed = parsed_url(url)
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return _sqlite(parsed)
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        engine = sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, hide_parameters=True)
        sa.event.listen(engine, "begin", _begin_postgresql)
        return engine
    raise ConfigurationError(f"the control store cannot be kept by {parsed.drivername!r}; expected {_EXPECTED}")


def parsed_url(url: str) -> sa.URL:
    """Return the parts of a URL.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return sa.make_url(url)
    except sa.exc.ArgumentError:
        # The text may hold a password; it is not repeated.
        raise ConfigurationError(f"the control store's URL cannot be read; expected {_EXPECTED}") from None


def _sqlite(url: sa.URL) -> sa.Engine:
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(f"the control store needs a file, because several processes share it: {_EXPECTED}")
    file = Path(url.database)
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise ConfigurationError(f"no control store can be kept at {file}: {error.strerror}") from error
    with suppress(PermissionError):  # a file of another owner who lets us in stays as they keep it
        file.chmod(0o600)
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_MS / 1000}, hide_parameters=True)
    sa.event.listen(engine, "connect", _configure_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver's guess
    for pragma in (f"busy_timeout = {_BUSY_MS}", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _begin_sqlite(connection: sa.Connection) -> None:
    # A reader that turns writer half-way is refused when another wrote meanwhile; a writer therefore says so at once.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: sa.Connection) -> None:
    if connection.get_execution_options().get(WRITES, False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
