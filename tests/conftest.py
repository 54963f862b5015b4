"""Fixtures every folder shares: where the captured telemetry lies, and how an absent tool is reported."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"
BROWSER_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
CHROMIUM = Path(os.environ.get("TOKENPNL_CHROMIUM", "/usr/bin/chromium"))


def need(tool: str, *, present: bool, reason: str) -> None:
    """Skip with the reason when a tool is absent, or fail where `TOKENPNL_REQUIRE` names it."""
    if present:
        return
    if tool in os.environ.get("TOKENPNL_REQUIRE", "").split(","):
        pytest.fail(f"{tool} is required here, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of captured telemetry, or skip."""
    need("shared", present=SHARED_DATA.is_dir(), reason=f"no captured telemetry at {SHARED_DATA.parent}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Return the system's Chromium, or skip."""
    need("browser", present=CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}; install Debian's chromium")
    return CHROMIUM
