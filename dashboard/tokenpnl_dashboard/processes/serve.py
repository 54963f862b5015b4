"""The composition root: a collector with its bookkeeper and a dashboard that reads from it, a process each."""

import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tokenpnl.errors import ConfigurationError, StoreError, StoreHeldError
from tokenpnl_dashboard.processes.supervise import DRAIN_S, Child, python_module
from tokenpnl_ingest.home import GRPC_PORT, HTTP_PORT, LOOPBACK, Home, Running, running_collector
from tokenpnl_ingest.limits import refuse_beyond_loopback

DASHBOARD_PORT = 8501
READY_WITHIN_S = 60.0
# Bookkeeping may take one core, the others belong to ingest. Many threads that allocate and free large frames would
# otherwise each keep their own arena: a hundred megabytes that nobody uses.
COLLECTOR_ENVIRONMENT = {
    "POLARS_MAX_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}


@dataclass(frozen=True)
class Ports:
    """Where to listen; 0 takes a free port, `dashboard` None serves no pages, `host` is a loopback address."""

    grpc: int = GRPC_PORT
    http: int = HTTP_PORT
    dashboard: int | None = DASHBOARD_PORT
    host: str = LOOPBACK


@dataclass(frozen=True)
class Served:
    """The running processes and the addresses to give to people and programs."""

    children: tuple[Child, ...]
    addresses: dict[str, str]


class StoppedError(Exception):
    """A signal came before everything had started."""


def start(home: Home, ports: Ports, *, say: Callable[[str], None], asked: Sequence[int] = ()) -> Served:
    """Start the collector and the dashboard of a home, and return when both answer.

    Args:
        home: what to serve.
        ports: where to listen.
        say: prints one line for the operator.
        asked: signals noted so far; one ends the start.

    Raises:
        StoppedError: a signal came.
        StoreHeldError: another collector holds the home.
        ConfigurationError: a port is taken, or the host is not loopback.
        StoreError: a process did not become ready.
    """
    holder = running_collector(home)
    if holder is not None:
        raise StoreHeldError(f"{home.path} is already served by pid {holder.pid} at {holder.http}; use it, or stop it")
    refuse_beyond_loopback(ports.host)
    for port, option in ((ports.grpc, "--grpc-port"), (ports.http, "--http-port"), (ports.dashboard, "--port")):
        if port:
            _refuse_taken(port, option)
    children: list[Child] = []
    try:
        addresses = _start_in_order(home, ports, children, say=say, asked=asked)
    except BaseException:
        # What has started must not outlive its parent.
        for child in reversed(children):
            child.stop(DRAIN_S)
        raise
    return Served(tuple(children), addresses)


def _start_in_order(
    home: Home, ports: Ports, children: list[Child], *, say: Callable[[str], None], asked: Sequence[int]
) -> dict[str, str]:
    collector = Child("collector", _collector_command(home, ports), COLLECTOR_ENVIRONMENT)
    collector.start()
    children.append(collector)
    running = _wait_for_collector(home, collector, asked)
    addresses = {"otlp_grpc": running.grpc, "otlp_http": running.http}
    if ports.dashboard is None:
        return addresses
    port = ports.dashboard or free_port()
    dashboard = Child(
        "dashboard",
        python_module(
            "tokenpnl_dashboard.processes.show", "--home", str(home.path), "--host", ports.host, "--port", str(port)
        ),
    )
    dashboard.start()
    children.append(dashboard)
    say("the collector answers; waiting for the dashboard")
    address = f"http://{ports.host}:{port}"
    _wait_for_page(f"{address}/_stcore/health", dashboard, asked)
    return {"dashboard": address, **addresses}


def _collector_command(home: Home, ports: Ports) -> list[str]:
    return python_module(
        "tokenpnl_dashboard.processes.collect",
        *("--home", str(home.path), "--host", ports.host),
        *("--grpc-port", str(ports.grpc), "--http-port", str(ports.http)),
    )


def free_port() -> int:
    """Return a port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def taken(port: int) -> bool:
    """Return whether somebody listens on the loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def _refuse_taken(port: int, option: str) -> None:
    if taken(port):
        raise ConfigurationError(
            f"port {port} of {LOOPBACK} is taken; stop what listens there, or give another by {option} (0: any)"
        )


def _refuse_stopped(asked: Sequence[int]) -> None:
    if asked:
        raise StoppedError


def _wait_for_collector(home: Home, collector: Child, asked: Sequence[int]) -> Running:
    give_up = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < give_up:
        _refuse_stopped(asked)
        running = running_collector(home)
        if running is not None and collector.process is not None and running.pid == collector.process.pid:
            return running
        if collector.exit_code() is not None:
            raise StoreError(f"the collector ended with code {collector.exit_code()}; its reason stands above")
        time.sleep(0.05)
    raise StoreError(f"the collector did not answer within {READY_WITHIN_S:.0f} s; see its messages above")


def _wait_for_page(url: str, dashboard: Child, asked: Sequence[int]) -> None:
    give_up = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < give_up and dashboard.exit_code() is None:
        _refuse_stopped(asked)
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310  # a loopback address built here
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise StoreError(f"the dashboard did not answer at {url}; its reason stands above")
