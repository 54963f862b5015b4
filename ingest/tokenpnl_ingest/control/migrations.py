"""How a control database comes to its present form: ordered, named steps, each done once and noted in `migrations`."""

from collections.abc import Callable

import sqlalchemy as sa

from tokenpnl.errors import StoreError
from tokenpnl_ingest.control import tables

_NOTED = sa.Table("migrations", sa.MetaData(), sa.Column("name", sa.String(60), primary_key=True))


def create_first_tables(connection: sa.Connection) -> None:
    """Price versions and their schedule, closes, reconciliations, sign-offs, alerts, the audit chain."""
    tables.METADATA.create_all(connection)


def let_schedules_reach_closed_months(connection: sa.Connection) -> None:
    """Add `schedules.into_closed` where the first tables were made without it; what was posted then reaches none."""
    if "into_closed" not in {column["name"] for column in sa.inspect(connection).get_columns("schedules")}:
        connection.execute(sa.text("ALTER TABLE schedules ADD COLUMN into_closed BOOLEAN DEFAULT FALSE NOT NULL"))


def keep_scenarios(connection: sa.Connection) -> None:
    """What-if scenarios that somebody saved."""
    tables.SCENARIOS.create(connection, checkfirst=True)


MIGRATIONS: tuple[Callable[[sa.Connection], None], ...] = (
    create_first_tables,
    let_schedules_reach_closed_months,
    keep_scenarios,
)


def migrate(connection: sa.Connection) -> list[str]:
    """Do the steps that this database has not seen, in order, and return their names.

    Raises:
        StoreError: the database knows a step that this release does not.
    """
    _NOTED.create(connection, checkfirst=True)
    seen = set(connection.scalars(sa.select(_NOTED.c.name)))
    if unknown := sorted(seen - {step.__name__ for step in MIGRATIONS}):
        raise StoreError(
            f"the control store has taken the step {unknown[0]!r}, which this release does not know; "
            "use the newer tokenpnl that made it"
        )
    missing = [step for step in MIGRATIONS if step.__name__ not in seen]
    for step in missing:
        step(connection)
        connection.execute(_NOTED.insert().values(name=step.__name__))
    return [step.__name__ for step in missing]
