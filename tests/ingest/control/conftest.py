"""A control store in each of the engines that it supports; the PostgreSQL server is private to the test run."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.conftest import need

from tokenpnl_ingest.control import ControlStore

KEY = b"k" * 32
_START_PATIENCE_S = 30


@dataclass
class Clock:
    """A clock that moves a second with every look, so that deeds have an order."""

    now: datetime = field(default=datetime(2026, 11, 3, 9, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@dataclass(frozen=True)
class Place:
    """Where one test's control store lives."""

    url: str
    head: Path

    def open(self, clock: Callable[[], datetime] | None = None, *, key: bytes = KEY) -> ControlStore:
        return ControlStore.open(self.url, key=key, head=self.head, clock=clock or Clock())


def _binaries() -> Path | None:
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    found = packaged[-1] if packaged else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _unprivileged() -> dict[str, Any]:
    """Return how to run a program that refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name for entry in pwd.getpwall()}
    owner = pwd.getpwnam("postgres" if "postgres" in known else "nobody")
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def _wait_for(server: "subprocess.Popen[bytes]", socket: Path, log: Path) -> None:
    give_up = time.monotonic() + _START_PATIENCE_S
    while True:
        try:
            psycopg.connect(host=str(socket), user="tokenpnl", dbname="postgres").close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > give_up:
                pytest.fail(f"the private PostgreSQL server did not start:\n{log.read_text()}")
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Path]:
    """Give the socket folder of a PostgreSQL server that listens nowhere else."""
    binaries = _binaries()
    need("postgres", present=binaries is not None, reason="no initdb is installed; install Debian's postgresql")
    assert binaries is not None
    # Not below pytest's own folder: that is closed to the server's user, and too deep for a socket.
    folder = Path(tempfile.mkdtemp(prefix="tokenpnl-pg-"))
    who = _unprivileged()
    if who:
        os.chown(folder, who["user"], who["group"])
    data, log = folder / "data", folder / "log"
    initdb = [binaries / "initdb", "-D", data, "-U", "tokenpnl", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **who)
    settings = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB"]
    with log.open("wb") as sink:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-k", folder, *settings], stderr=sink, stdout=sink, cwd=folder, **who
        )
    try:
        _wait_for(server, folder, log)
        yield folder
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=_START_PATIENCE_S)
        shutil.rmtree(folder)


@pytest.fixture
def postgresql_url(postgresql: Path) -> str:
    """Give an empty database; emptying one is ten times as fast as making one."""
    with psycopg.connect(host=str(postgresql), user="tokenpnl", dbname="postgres", autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return f"postgresql+psycopg://tokenpnl@/postgres?host={postgresql}"


@pytest.fixture
def sqlite_place(tmp_path: Path) -> Place:
    return Place(f"sqlite:///{tmp_path / 'control.sqlite'}", tmp_path / "audit.head")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A new database of each engine."""
    if request.param == "sqlite":
        return Place(f"sqlite:///{tmp_path / 'control.sqlite'}", tmp_path / "audit.head")
    return Place(request.getfixturevalue("postgresql_url"), tmp_path / "audit.head")


@pytest.fixture
def control(place: Place) -> Iterator[ControlStore]:
    with place.open() as store:
        yield store
