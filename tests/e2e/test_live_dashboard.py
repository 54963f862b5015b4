"""The example against `tokenpnl serve`, watched on an open page in a real browser: its runs, their exact cost."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from tests.conftest import BROWSER_FLAGS, ROOT

from staged_double import staged_double
from tokenpnl_dashboard.book import ServedBook
from tokenpnl_dashboard.words import exact_usd
from tokenpnl_ingest.home import Home

EXAMPLE = ROOT / "examples" / "support_reply.py"
PATIENCE_MS = 90_000
APPEARS_WITHIN_MS = 5_000


@dataclass
class Served:
    """`tokenpnl serve` with its dashboard, on free ports."""

    home: Path
    addresses: dict[str, str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("live")
    ports = ["--port", "0", "--http-port", "0", "--grpc-port", "0", "--json"]
    command = [Path(sys.executable).with_name("tokenpnl"), "serve", "--home", home, *ports]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Served(home, json.loads(process.stdout.readline()))
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def page(chromium: Path, served: Served) -> Iterator[Page]:
    """An open Runs page; it is opened before anything arrived."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=BROWSER_FLAGS)
        opened = browser.new_context(viewport={"width": 1440, "height": 1200}).new_page()
        opened.set_default_timeout(PATIENCE_MS)
        opened.goto(f"{served.addresses['dashboard']}/runs")
        expect(opened.locator("h1")).to_be_visible()
        yield opened
        browser.close()


def run_example(protocol: str, endpoint: str) -> list[str]:
    """Run the example to its end and return its run ids; everything it sent is acknowledged then."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TOKENPNL_"))}
    environment |= {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    with staged_double() as double:
        environment |= {"OPENAI_API_KEY": "key", "OPENAI_BASE_URL": double.openai_url}
        environment |= {"ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": double.url}
        done = subprocess.run([sys.executable, EXAMPLE], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [line.split()[1] for line in done.stdout.splitlines() if line.startswith("run ")]


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_runs_appear_on_an_open_page_with_their_cost_to_the_last_digit(
    served: Served, page: Page, protocol: str
) -> None:
    endpoint = f"http://{served.addresses['otlp_grpc']}" if protocol == "grpc" else served.addresses["otlp_http"]
    run_ids = run_example(protocol, endpoint)
    sent = time.monotonic()
    cells = page.locator("[role=gridcell]")
    for run_id in run_ids:
        left = APPEARS_WITHIN_MS - (time.monotonic() - sent) * 1000
        expect(cells.filter(has_text=run_id[:8]).first).to_be_attached(timeout=max(left, 1))
    booked = ServedBook(Home.at(served.home)).query("table", name="runs", where={"run_id": run_ids})
    assert booked.height == len(run_ids) == 5
    dearest = booked.sort("cost_usd", descending=True).row(0, named=True)
    beside = page.context.new_page()
    beside.set_default_timeout(PATIENCE_MS)
    beside.goto(f"{served.addresses['dashboard']}/run?run={dearest['run_id']}")
    exact = beside.get_by_text("Cost to the last digit:")
    expect(exact).to_have_text(f"Cost to the last digit: {exact_usd(dearest['cost_usd'])}")
    beside.close()
