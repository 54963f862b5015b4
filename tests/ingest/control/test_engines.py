from pathlib import Path

import pytest
import sqlalchemy as sa

from tokenpnl.errors import ConfigurationError
from tokenpnl_ingest.control.engines import engine_of


def pragma(engine: sa.Engine, name: str) -> object:
    with engine.connect() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_sqlite_is_made_durable_and_patient(tmp_path: Path) -> None:
    engine = engine_of(f"sqlite:///{tmp_path / 'control.sqlite'}")
    full = 2
    told = {name: pragma(engine, name) for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")}
    assert told == {"journal_mode": "wal", "synchronous": full, "busy_timeout": 30_000, "foreign_keys": 1}
    engine.dispose()


def test_the_file_is_for_its_owner_alone_also_when_it_was_not(tmp_path: Path) -> None:
    file = tmp_path / "control.sqlite"
    file.touch(mode=0o644)
    engine_of(f"sqlite:///{file}").dispose()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("control.sqlite", "cannot be read; expected sqlite:"),
        ("mysql://user:secret@host/db", "cannot be kept by 'mysql'; expected sqlite:"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:////nowhere/at/all/control.sqlite", "No such file or directory"),
    ],
)
def test_a_wrong_url_is_explained(url: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        engine_of(url)
    assert "secret" not in str(caught.value)


def test_plain_postgresql_means_the_driver_that_is_installed() -> None:
    engine = engine_of("postgresql://user@host/db")
    assert engine.url.drivername == "postgresql+psycopg"
