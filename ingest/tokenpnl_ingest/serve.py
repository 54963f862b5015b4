"""The collector process: receivers around a collector, until a signal."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from tokenpnl_ingest.collector import Collector
from tokenpnl_ingest.home import GRPC_PORT, HTTP_PORT, LOOPBACK, Home, Running
from tokenpnl_ingest.loader import OnLoaded
from tokenpnl_ingest.receiver_grpc import GrpcReceiver
from tokenpnl_ingest.receiver_http import HttpReceiver
from tokenpnl_ingest.store import Store

log = logging.getLogger(__name__)
Bookkeeping = Callable[[Store], AbstractContextManager[OnLoaded]]


@dataclass(frozen=True)
class CollectorPorts:
    """Where to listen on loopback; 0 takes a free port."""

    grpc: int = GRPC_PORT
    http: int = HTTP_PORT


@contextmanager
def serving(
    home: Home,
    ports: CollectorPorts,
    *,
    on_loaded: OnLoaded | None = None,
    bookkeeping: Bookkeeping | None = None,
    host: str = LOOPBACK,
) -> Iterator[tuple[Collector, Running]]:
    """Serve the home as long as the block runs; give the collector and the addresses, announced in `collector.json`.

    Args:
        home: what to serve.
        ports: where to listen.
        host: a loopback address.
        on_loaded: called after each load with the traces whose books are out of date.
        bookkeeping: builds the keeper of the books around the store and gives its `on_loaded`; left last.

    Raises:
        StoreHeldError: another process holds the home.
        ConfigurationError: an address is not loopback, or a port is taken.
    """
    with ExitStack() as stack:
        collector = Collector(home, processes=True)
        stack.callback(collector.close)
        if bookkeeping is not None:
            on_loaded = stack.enter_context(bookkeeping(collector.store))
        # Before the bookkeeper leaves, so that it hears of the last loads; after the receivers have stopped.
        stack.callback(collector.finish)
        collector.start(on_loaded)
        grpc, http = (
            GrpcReceiver(collector, host=host, port=ports.grpc),
            HttpReceiver(collector, host=host, port=ports.http),
        )
        for receiver in (grpc, http):
            receiver.start()
            stack.callback(receiver.stop)
        running = Running(os.getpid(), f"http://{host}:{http.port}", f"{host}:{grpc.port}")
        home.announce(running)
        stack.callback(home.withdraw)
        yield collector, running


def run_collector(
    home: Home,
    ports: CollectorPorts,
    *,
    on_loaded: OnLoaded | None = None,
    bookkeeping: Bookkeeping | None = None,
    host: str = LOOPBACK,
) -> None:
    """Serve the home until SIGTERM or SIGINT, then finish what was taken; for the main thread of a process."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with serving(home, ports, on_loaded=on_loaded, bookkeeping=bookkeeping, host=host) as (collector, running):
        log.info("%s is served at %s and %s", home.path, running.http, running.grpc)
        stop.wait()
        collector.stop_taking()
