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


def test_the_steps_have_names_and_say_what_they_make() -> None:
    assert len({step.__name__ for step in MIGRATIONS}) == len(MIGRATIONS)
    assert all(step.__doc__ for step in MIGRATIONS)
