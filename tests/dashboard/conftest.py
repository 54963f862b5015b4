"""The store with months in it that the tests of closing, pricing and reconciling share."""

import shutil
from pathlib import Path

import pytest
from tests.dashboard.months import furnished

from tokenpnl_ingest.home import CONFIG_VARIABLE, CONTROL_VARIABLE, Home


@pytest.fixture(scope="session")
def months_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a furnished home; nobody writes to it."""
    return furnished(tmp_path_factory.mktemp("months") / "home").path


@pytest.fixture
def home(months_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Return a copy of a store with two runs (three calls) in October and one (one call) in November."""
    for name in (CONFIG_VARIABLE, CONTROL_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    return Home.at(shutil.copytree(months_once, tmp_path / "home"))
