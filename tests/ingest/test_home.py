"""The home: private, held by one process, and found by the others."""

import json
import os
import stat
from pathlib import Path

import pytest

from tokenpnl.errors import ConfigurationError, StoreHeldError
from tokenpnl_ingest.home import HOME_VARIABLE, Home, Running, running_collector


def test_a_home_is_made_readable_by_its_owner_alone(home: Home):
    home.secret()
    modes = [stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (home.path, home.journal, home.path / "secret")]
    assert modes == [0, 0, 0]


def test_a_folder_that_cannot_be_made_is_said_with_what_to_do(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="no store can be kept at .*Not a directory.*--home"):
        Home.at(tmp_path / "file" / "home")


def test_the_environment_names_the_home_when_nobody_else_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "elsewhere"))
    assert Home.at().path == tmp_path / "elsewhere"


def test_the_secret_never_changes(home: Home):
    assert home.secret() == Home(home.path).secret()
    assert len(home.secret()) == 32


def test_a_second_holder_is_told_who_holds_the_home(home: Home):
    with home.hold():
        home.announce(Running(4711, "http://127.0.0.1:4318", "127.0.0.1:4317"))
        with pytest.raises(StoreHeldError, match=r"pid 4711 at http://127\.0\.0\.1:4318"), home.hold():
            pass


def test_a_held_home_is_found_with_its_addresses_and_a_free_one_is_not(home: Home):
    announced = Running(os.getpid(), "http://127.0.0.1:1", "127.0.0.1:2")
    assert running_collector(home) is None
    with home.hold():
        home.announce(announced)
        assert running_collector(home) == announced
    assert running_collector(home) is None


def test_the_announcement_is_plain_json(home: Home):
    home.announce(Running(1, "http://a", "b"))
    assert json.loads(home.collector_file.read_text()) == {"pid": 1, "http": "http://a", "grpc": "b"}


def test_a_withdrawn_announcement_is_gone(home: Home):
    home.announce(Running(1, "http://a", "b"))
    home.withdraw()
    assert not home.collector_file.exists()
