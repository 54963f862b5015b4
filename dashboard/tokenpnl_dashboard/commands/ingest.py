"""`tokenpnl ingest`: telemetry files into a store, through the collector where one holds it."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenpnl_dashboard.cli import OK, UNTRUSTED
from tokenpnl_dashboard.commands.options import FILES, HOME, JSON

if TYPE_CHECKING:
    from tokenpnl_ingest.files import Request
    from tokenpnl_ingest.home import Home

_IN_FLIGHT = 16
_SENDERS = 8
Send = Callable[["Request"], "Future[tuple[int, str]]"]


@click.command("ingest")
@FILES
@HOME
@JSON
def command(files: tuple[Path, ...], home: Path | None, *, as_json: bool) -> int:
    """Load telemetry files into a store: OTLP as JSON lines, one JSON document, or protobuf frames, each also gzipped.

    Loading a file twice changes no total. Where a collector serves the store the files go through it, else the store is
    opened here. The exit code is 3 when records were refused; the reasons are in the store's quarantine.
    """
    from tokenpnl_dashboard.output import print_json
    from tokenpnl_ingest.home import Home

    loaded = load_files(Home.at(home), files)
    if as_json:
        print_json(loaded)
    else:
        click.echo(f"{loaded['requests']} requests of {len(files)} files loaded, {loaded['refused']} records refused")
        for message in loaded["messages"]:
            click.echo(message, err=True)
    return UNTRUSTED if loaded["refused"] else OK


def load_files(home: "Home", files: tuple[Path, ...]) -> dict[str, Any]:
    """Load files and return `requests`, `refused` and the distinct `messages`; all of it is durable and booked."""
    from tokenpnl_dashboard.output import progress
    from tokenpnl_ingest.files import requests_in
    from tokenpnl_ingest.limits import PENDING_BYTES

    requests, refused, messages = 0, 0, set()
    with _sender(home) as send, progress() as bar:
        flying: deque[tuple[int, Future[tuple[int, str]]]] = deque()

        def land(most: int, most_bytes: int = 0) -> None:
            nonlocal refused
            while len(flying) > most or sum(size for size, _ in flying) > most_bytes:
                count, message = flying.popleft()[1].result()
                refused += count
                messages.update({message} - {""})

        task = bar.add_task("loading", total=len(files))
        for path in files:
            for request in requests_in(path):
                bar.update(task, description=f"{path.name}, {requests:,} requests")
                # Before it is sent: the collector would refuse what is beyond its room.
                land(_IN_FLIGHT - 1, max(0, PENDING_BYTES - len(request.body)))
                flying.append((len(request.body), send(request)))
                requests += 1
            bar.advance(task)
        bar.update(task, description="waiting for the last of them")
        land(0)
    return {"files": len(files), "requests": requests, "refused": refused, "messages": sorted(messages)}


@contextmanager
def _sender(home: "Home") -> Iterator[Send]:
    from tokenpnl_ingest.home import running_collector

    running = running_collector(home)
    with _over_http(running.http) if running else _in_process(home) as send:
        yield send


@contextmanager
def _in_process(home: "Home") -> Iterator[Send]:
    from tokenpnl_dashboard.processes.collect import bookkeeping
    from tokenpnl_ingest.batch import Ack
    from tokenpnl_ingest.collector import Collector

    def result(ack: "Future[Ack]") -> "Future[tuple[int, str]]":
        answer: Future[tuple[int, str]] = Future()

        def settle(done: "Future[Ack]") -> None:
            error = done.exception()
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result((done.result().refused, done.result().message))

        ack.add_done_callback(settle)
        return answer

    with Collector(home) as collector, bookkeeping(collector.store):
        yield lambda request: result(collector.submit(request.signal, request.body, request.content_type))
        collector.drain(600.0)


@contextmanager
def _over_http(address: str) -> Iterator[Send]:
    from tokenpnl_dashboard.deliver import deliver

    with ThreadPoolExecutor(_SENDERS) as pool:
        yield lambda request: pool.submit(deliver, address, request)
