"""Homes, collectors and servers in temporary folders, on free ports."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tokenpnl_ingest.collector import Collector
from tokenpnl_ingest.home import Home, Running
from tokenpnl_ingest.serve import CollectorPorts, serving


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


@pytest.fixture
def collector(home: Home) -> Iterator[Collector]:
    with Collector(home) as opened:
        yield opened


@pytest.fixture
def served(home: Home) -> Iterator[tuple[Collector, Running]]:
    with serving(home, CollectorPorts(0, 0)) as pair:
        yield pair
