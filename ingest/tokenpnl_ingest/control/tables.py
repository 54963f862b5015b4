"""The tables of the control store. Times and money are text of one spelling, so that both engines keep them exactly."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

METADATA = sa.MetaData()


def utc_text(moment: datetime) -> str:
    """Return an aware time as UTC text of fixed width, such as `2026-11-24T08:41:00.000000Z`; it sorts as time does.

    Raises:
        ValueError: the time is naive.
    """
    if moment.tzinfo is None:
        raise ValueError(f"a time needs its zone; {moment.isoformat()} has none")
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


class UtcTime(TypeDecorator[datetime]):
    """An aware time in UTC, microseconds, as text of fixed width."""

    impl = sa.String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002  # their signature
        """Return the text."""
        return None if value is None else utc_text(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002  # the same
        """Return the time."""
        return None if value is None else datetime.fromisoformat(value)


class Exact(TypeDecorator[Decimal]):
    """A decimal as text: SQLite would make a binary float of a NUMERIC."""

    impl = sa.String(60)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002  # the same
        """Return the text, without exponent."""
        return None if value is None else f"{value:f}"

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Decimal | None:  # noqa: ARG002  # the same
        """Return the number with the digits that were stored."""
        return None if value is None else Decimal(value)


def _key() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True, autoincrement=True)


def _said(name: str = "reason", *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _at(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, UtcTime, nullable=nullable)


ABOUT = sa.Table(
    "about", METADATA, sa.Column("name", sa.String(40), primary_key=True), sa.Column("value", sa.Text, nullable=False)
)
PRICE_VERSIONS = sa.Table(
    "price_versions",
    METADATA,
    sa.Column("version", sa.String(200), primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("content_sha256", sa.String(64), nullable=False),
    _said("sources"),
    _at("recorded_at"),
    _said("recorded_by"),
)
SCHEDULES = sa.Table(
    "schedules",
    METADATA,
    _key(),
    sa.Column("version", sa.String(200), sa.ForeignKey("price_versions.version"), nullable=False),
    _at("since", nullable=True),
    _at("until", nullable=True),
    sa.Column("into_closed", sa.Boolean, nullable=False),
    _said(),
    _at("posted_at"),
    _said("posted_by"),
)
REBOOKS = sa.Table(
    "rebooks",
    METADATA,
    _key(),
    _at("since", nullable=True),
    _at("until", nullable=True),
    _said(),
    _at("requested_at"),
    _said("requested_by"),
    _at("finished_at", nullable=True),
)
CLOSES = sa.Table(
    "closes",
    METADATA,
    _key(),
    sa.Column("month", sa.String(7), nullable=False, index=True),
    sa.Column("state", sa.String(10), nullable=False),
    _at("since"),
    _at("until"),
    sa.Column("zone", sa.String(60), nullable=False),
    _at("at"),
    _said("preparer"),
    _said("approver", nullable=True),
    _said(nullable=True),
    sa.Column("snapshot_sha256", sa.String(64)),
    _said("detail"),
)
FX_RATES = sa.Table(
    "fx_rates",
    METADATA,
    sa.Column("close_id", sa.Integer, sa.ForeignKey("closes.id"), primary_key=True),
    sa.Column("currency", sa.String(3), primary_key=True),
    sa.Column("usd_per_unit", Exact, nullable=False),
    _said("source"),
)
RECONCILIATIONS = sa.Table(
    "reconciliations",
    METADATA,
    _key(),
    sa.Column("month", sa.String(7), nullable=False, index=True),
    sa.Column("provider", sa.String(100), nullable=False),
    sa.Column("account", sa.String(200), nullable=False),
    sa.Column("passed", sa.Boolean, nullable=False),
    sa.Column("billed_usd", Exact),
    sa.Column("traced_usd", Exact),
    sa.Column("unexplained_usd", Exact),
    _said("detail"),
    _at("recorded_at"),
    _said("recorded_by"),
    _at("signed_at", nullable=True),
    _said("signed_by", nullable=True),
    _said("signed_reason", nullable=True),
)
SIGN_OFFS = sa.Table(
    "sign_offs",
    METADATA,
    _key(),
    sa.Column("month", sa.String(7), nullable=False, index=True),
    sa.Column("subject", sa.String(60), nullable=False),
    _said(),
    _at("signed_at"),
    _said("signed_by"),
)
ALERTS = sa.Table(
    "alerts",
    METADATA,
    sa.Column("key", sa.String(300), primary_key=True),
    _at("first_sent_at"),
    _at("sent_at"),
    sa.Column("n_sent", sa.Integer, nullable=False),
    _said("detail"),
    _at("acknowledged_at", nullable=True),
    _said("acknowledged_by", nullable=True),
    _said(nullable=True),
)
SCENARIOS = sa.Table(
    "scenarios",
    METADATA,
    _key(),
    sa.Column("name", sa.String(200), nullable=False, index=True),
    _said("content"),
    _at("saved_at"),
    _said("saved_by"),
    sa.Column("dropped", sa.Boolean, nullable=False),
)
AUDIT = sa.Table(
    "audit",
    METADATA,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String(27), nullable=False),
    _said("actor"),
    _said("action"),
    _said("detail"),
    sa.Column("prev", sa.String(64), nullable=False),
    sa.Column("mac", sa.String(64), nullable=False),
)
