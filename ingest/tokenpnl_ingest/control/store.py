"""The control store: what people decided. Kept apart from the facts, in SQLite or PostgreSQL."""

import hashlib
import re
from pathlib import Path
from typing import Self

import sqlalchemy as sa

from tokenpnl.errors import ConfigurationError, StoreError
from tokenpnl_ingest.control.alerts import Alerts
from tokenpnl_ingest.control.chain import GENESIS, Head
from tokenpnl_ingest.control.connected import Clock, utc_now
from tokenpnl_ingest.control.engines import WRITES, engine_of, parsed_url
from tokenpnl_ingest.control.headfile import HeadFile
from tokenpnl_ingest.control.migrations import migrate
from tokenpnl_ingest.control.months import Months
from tokenpnl_ingest.control.reconciliations import Reconciliations
from tokenpnl_ingest.control.scenarios import Scenarios
from tokenpnl_ingest.control.tables import ABOUT
from tokenpnl_ingest.control.versions import Versions
from tokenpnl_ingest.home import Home

_KEY_ID = "key_id"


class ControlStore(Versions, Months, Reconciliations, Alerts, Scenarios):
    """Price versions, schedules, closes, sign-offs, alerts, scenarios, and the audit chain over all of them.

    Several processes may hold one open: the command line, the collector, the dashboard. Every change is one transaction
    with its audit row; the end of the chain is noted in a file of the home.
    """

    @classmethod
    def of(cls, home: Home, *, clock: Clock = utc_now) -> "ControlStore":
        """Open the control store of a home, made when it is absent; close it after use.

        Raises:
            ConfigurationError: its URL is wrong, nobody answers there, or the database belongs to another home.
            StoreError: the database is broken or of a newer release.
        """
        head = home.path / f"audit-{_name_of(home.control_url)}.head"
        return cls.open(home.control_url, key=home.secret(), head=head, clock=clock)

    @classmethod
    def open(cls, url: str, *, key: bytes, head: Path, clock: Clock = utc_now) -> "ControlStore":
        """Open or make the store at a SQLAlchemy URL.

        Args:
            url: `sqlite:////path/control.sqlite` or `postgresql+psycopg://user:password@host/database`.
            key: signs the audit chain.
            head: file that notes the end of the chain.
            clock: gives the time of every deed.

        Raises:
            ConfigurationError: the URL is wrong, nobody answers there, or the database was signed with another key.
            StoreError: the database is broken or of a newer release.
        """
        engine, note = engine_of(url), HeadFile(head)
        try:
            _prepare(engine, key, note)
        except BaseException as error:
            engine.dispose()
            if isinstance(error, sa.exc.OperationalError):
                raise ConfigurationError(
                    f"the control store cannot be opened: {' '.join(str(error.orig).split())}; check $TOKENPNL_CONTROL"
                ) from None
            if isinstance(error, sa.exc.SQLAlchemyError):
                raise StoreError(f"the control store is not usable: {getattr(error, 'orig', error)}") from None
            raise
        return cls(engine, key, note, clock)

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.shut()

    def shut(self) -> None:
        """Let every connection go; `close` is for months."""
        self._engine.dispose()


def _prepare(engine: sa.Engine, key: bytes, note: HeadFile) -> None:
    with note.alone(), engine.execution_options(**{WRITES: True}).begin() as connection:
        if migrate(connection) and connection.scalar(sa.select(ABOUT.c.value)) is None:
            connection.execute(ABOUT.insert().values(name=_KEY_ID, value=_key_id(key)))
            if note.read() is None:
                note.write(Head(0, GENESIS))
        _check_key(connection, key)


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"tokenpnl control store" + key).hexdigest()[:16]


def _check_key(connection: sa.Connection, key: bytes) -> None:
    owner = connection.scalar(sa.select(ABOUT.c.value).where(ABOUT.c.name == _KEY_ID))
    if owner != _key_id(key):
        raise ConfigurationError(
            "the control store was made by another home, whose secret signs its audit chain; "
            "give each home a database of its own, or bring the file `secret` of the home that made it"
        )


def _name_of(url: str) -> str:
    """Return a name for the note of a database's audit chain, which outlives the database itself."""
    parsed = parsed_url(url)
    if parsed.get_backend_name() == "sqlite":
        return Path(parsed.database or "").name
    readable = re.sub(r"[^A-Za-z0-9]+", "-", f"{parsed.host or ''}-{parsed.database or ''}").strip("-")
    place = parsed.set(password=None).render_as_string()
    return f"{readable}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"
