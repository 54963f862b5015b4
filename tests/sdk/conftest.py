"""One fixture for the SDK's tests: everything recorded in memory, faults raised."""

from collections.abc import Iterator

import pytest

from tokenpnl import testing
from tokenpnl.testing import Recording


@pytest.fixture
def recorded() -> Iterator[Recording]:
    with testing.recording() as recording:
        yield recording
