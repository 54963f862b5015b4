"""One connection to the control database: transactions, and the audit row that every deed writes with itself."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from tokenpnl.errors import ConfigurationError, StoreError
from tokenpnl_ingest.control.chain import GENESIS, AuditRow, Head, canonical, faults, signed
from tokenpnl_ingest.control.engines import WRITES
from tokenpnl_ingest.control.headfile import HeadFile
from tokenpnl_ingest.control.tables import (
    AUDIT,
    CLOSES,
    PRICE_VERSIONS,
    RECONCILIATIONS,
    SCHEDULES,
    SIGN_OFFS,
    utc_text,
)
from tokenpnl_ingest.control.witness import contradictions

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time now, aware."""
    return datetime.now(UTC)


@dataclass
class Deed:
    """An open transaction that will write at least one audit row."""

    connection: sa.Connection
    at: datetime
    key: bytes
    last: Head
    noted: list[AuditRow] = field(default_factory=list)

    def note(self, actor: str, action: str, detail: dict[str, Any]) -> None:
        """Write the audit row."""
        if not actor.strip():
            raise ConfigurationError(f"{action!r} needs the name of who does it; the name is empty")
        told = (self.last.seq + 1, utc_text(self.at), actor, action, canonical(detail), self.last.mac)
        row = AuditRow(*told, mac=signed(AuditRow(*told, mac=""), self.key))
        self.connection.execute(AUDIT.insert().values(vars(row)))
        self.last = Head(row.seq, row.mac)
        self.noted.append(row)


class Connected:
    """What the parts of the control store share; `ControlStore` is the door.

    Args:
        engine: of `engine_of`, migrated.
        key: the home's secret.
        head: where the end of the audit chain is noted.
        clock: gives the time of every deed, aware.
    """

    def __init__(self, engine: sa.Engine, key: bytes, head: HeadFile, clock: Clock) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**{WRITES: True})
        self._key = key
        self._head = head
        self._clock = clock

    def audit(self, actor: str, action: str, detail: dict[str, Any]) -> None:
        """Write a row of the audit chain for a deed that is done elsewhere."""
        with self._deed() as deed:
            deed.note(actor, action, detail)

    def audit_trail(self) -> list[AuditRow]:
        """Return every row of the audit chain, by number."""
        with self._reading() as connection:
            return [AuditRow(**row) for row in connection.execute(sa.select(AUDIT).order_by(AUDIT.c.seq)).mappings()]

    def verify(self) -> list[str]:
        """Return what is wrong with the audit chain, and where tables say otherwise; empty: nobody has touched them."""
        # Who writes waits, so that tables and chain are of one moment.
        with self._head.alone():
            head, trail, tables = self._head.read(), self.audit_trail(), self._tables()
        return faults(trail, self._key, head) + contradictions(trail, tables)

    def _tables(self) -> dict[str, list[dict[str, Any]]]:
        with self._reading() as connection:
            return {
                table.name: [_as_told(row) for row in connection.execute(_without_content(table)).mappings()]
                for table in (CLOSES, SCHEDULES, RECONCILIATIONS, SIGN_OFFS, PRICE_VERSIONS)
            }

    def accept_chain(self, *, actor: str, reason: str) -> list[str]:
        """Go on with a chain that was found broken, under somebody's name, and return the faults; they stay on record.

        Until then nothing can be written, because the next note would hide that the end of the chain was cut off.
        """
        told = self.verify()
        with self._deed(trusting=True) as deed:
            deed.note(actor, "accept_chain", {"faults": told, "reason": reason})
        return told

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with _said_as_store_error(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _deed(self, *, trusting: bool = False) -> Iterator[Deed]:
        """Give a transaction that commits together with its audit rows, or not at all."""
        with _said_as_store_error(), self._head.alone():
            head = self._head.read()
            with self._writing.begin() as connection:
                last = _last(connection)
                if not trusting:
                    _check_end(connection, head, last)
                deed = Deed(connection, self._clock(), self._key, last)
                yield deed
            if deed.noted:
                self._head.write(deed.last)


def _without_content(table: sa.Table) -> sa.Select[Any]:
    order = next(iter(table.primary_key.columns))
    return sa.select(*(column for column in table.c if column.name not in ("content", "detail"))).order_by(order)


def _as_told(row: sa.RowMapping) -> dict[str, Any]:
    """Return a row with times and money spelled as the audit chain spells them."""
    spelled = {datetime: utc_text, Decimal: "{:f}".format}
    return {name: spelled.get(type(value), _same)(value) for name, value in row.items()}


def _same(value: Any) -> Any:
    return value


def _last(connection: sa.Connection) -> Head:
    row = connection.execute(sa.select(AUDIT.c.seq, AUDIT.c.mac).order_by(AUDIT.c.seq.desc()).limit(1)).first()
    return Head(row.seq, row.mac) if row else Head(0, GENESIS)


def _check_end(connection: sa.Connection, head: Head | None, last: Head) -> None:
    at_head = None
    if head is not None:
        at_head = connection.scalar(sa.select(AUDIT.c.mac).where(AUDIT.c.seq == head.seq)) if head.seq else head.mac
    if head is None or head.seq > last.seq or at_head != head.mac:
        noted = "no note of its end" if head is None else f"row {head.seq} noted as its end"
        raise StoreError(
            f"the audit chain ends at row {last.seq}, with {noted} outside the database; nothing is written to it: "
            "restore the control database from a backup, or accept the chain as it is with "
            "`tokenpnl close verify --accept --by NAME --reason WHY`"
        )


def object_of(text: str) -> dict[str, Any]:
    """Return the JSON object that a column holds."""
    told = json.loads(text)
    assert isinstance(told, dict)
    return told


@contextmanager
def _said_as_store_error() -> Iterator[None]:
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        # The statement may carry what a contract says; only the driver's own words are repeated.
        why = getattr(error, "orig", None) or type(error).__name__
        raise StoreError(f"the control store refused: {why}") from error
