from datetime import UTC, datetime

import sqlalchemy as sa
from tests.ingest.control.conftest import Place

from tokenpnl_ingest.control.engines import engine_of
from tokenpnl_ingest.control.migrations import MIGRATIONS, migrate
from tokenpnl_ingest.control.tables import METADATA


def test_a_new_database_takes_every_step_once(place: Place) -> None:
    engine = engine_of(place.url)
    with engine.begin() as connection:
        assert migrate(connection) == [step.__name__ for step in MIGRATIONS]
        assert migrate(connection) == []
        found = set(sa.inspect(connection).get_table_names())
    assert set(METADATA.tables) < found
    engine.dispose()


def test_a_database_from_before_closed_months_could_be_read_anew_is_brought_up(place: Place) -> None:
    engine = engine_of(place.url)
    with engine.begin() as connection:
        migrate(connection)
        connection.execute(sa.text("ALTER TABLE schedules DROP COLUMN into_closed"))
        connection.execute(sa.text("DELETE FROM migrations WHERE name = 'let_schedules_reach_closed_months'"))
        version = {"version": "v1", "content": b"", "content_sha256": "", "sources": "{}", "recorded_by": "ann"}
        connection.execute(
            METADATA.tables["price_versions"].insert().values(version | {"recorded_at": datetime.now(UTC)})
        )
        values = "('v1', 'first', '2026-11-24T00:00:00.000000Z', 'ann')"
        connection.execute(sa.text(f"INSERT INTO schedules (version, reason, posted_at, posted_by) VALUES {values}"))
        assert migrate(connection) == ["let_schedules_reach_closed_months"]
        assert connection.scalars(sa.select(METADATA.tables["schedules"].c.into_closed)).all() == [False]
    engine.dispose()


def test_the_steps_have_names_and_say_what_they_make() -> None:
    assert len({step.__name__ for step in MIGRATIONS}) == len(MIGRATIONS)
    assert all(step.__doc__ for step in MIGRATIONS)
