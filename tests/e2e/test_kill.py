"""Nothing that was acknowledged is lost, nothing is stored twice: kill -9 and SIGTERM under load."""

import http.client
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import pytest
from tests.e2e.collector_process import CollectorProcess
from tests.ingest.telemetry import PROTOBUF, request, span_keys

from tokenpnl_dashboard.book import open_book
from tokenpnl_ingest.collector import Collector
from tokenpnl_ingest.home import Home, Running

KILLS = 20
WITH_BOOKKEEPER = "tokenpnl_dashboard.processes.collect"
CLIENTS = 3
Key = tuple[str, str]


class Clients:
    """Clients that send each request until it is acknowledged, as exporters do, and note what was."""

    def __init__(self) -> None:
        self.acked: set[Key] = set()
        self.sent: set[Key] = set()
        self.running: Running | None = None
        self._stop = threading.Event()
        self._noting = threading.Lock()
        self._threads = [threading.Thread(target=self._client, args=(number,)) for number in range(CLIENTS)]

    @contextmanager
    def sending(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()

    def _client(self, number: int) -> None:
        send = post if number % 2 else export
        dice = random.Random(number)
        while not self._stop.is_set():
            body = request(dice.choice((1, 5, 120)))
            keys = span_keys(body)
            with self._noting:
                self.sent |= keys
            while not self._stop.is_set():
                target = self.running
                if target is not None and send(target, body):
                    with self._noting:
                        self.acked |= keys
                    break
                time.sleep(0.01)


def post(running: Running, body: bytes) -> bool:
    where = urlsplit(running.http)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)
    try:
        connection.request("POST", "/v1/traces", body, {"Content-Type": PROTOBUF})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def export(running: Running, body: bytes) -> bool:
    with grpc.insecure_channel(running.grpc, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        try:
            channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")(body, timeout=10)
        except grpc.RpcError:
            return False
        return True


def stored(home: Home) -> tuple[Counter[Key], list[str]]:
    with Collector(home) as collector:
        assert collector.drain(60)
        found = collector.store.query("table", name="spans", columns=["trace_id", "span_id"]).to_pylist()
        return Counter((row["trace_id"], row["span_id"]) for row in found), collector.health()["faults"]


GPUS = "pools: [{name: house, usd_per_hour: 3.6, replicas: 2, from: 2024-02-28, to: 2024-03-01}]"
OUTCOMES = "workflows: [{workflow: '*', owner: ann, success: it ended well, window: 4d}]"
DERIVED = ("attempts", "calls", "runs", "line_items", "capacity_items")


def books(home: Home) -> dict[str, list[tuple[object, ...]]]:
    """Return every derived row, each table in order."""
    with open_book(home) as book:
        tables = {name: book.query("table", name=name) for name in DERIVED}
    return {name: sorted(rows.rows(), key=str) for name, rows in tables.items()}


def rebuilt(home: Home) -> Home:
    """Return a copy of the home whose database is gone."""
    copy = home.path.with_name("rebuilt")
    shutil.copytree(home.path, copy, ignore=shutil.ignore_patterns("tokenpnl.duckdb*", "collector.json"))
    return Home.at(copy)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def test_kill_9_under_load_loses_no_acknowledged_span_and_stores_none_twice(home: Home):
    clients, dice = Clients(), random.Random(4)
    home.config.mkdir()
    (home.config / "gpus.yaml").write_text(GPUS)
    (home.config / "outcomes.yaml").write_text(OUTCOMES)
    with clients.sending():
        for _ in range(KILLS):
            collector = CollectorProcess(home, WITH_BOOKKEEPER)
            clients.running = collector.wait_until_served()
            time.sleep(dice.uniform(0.05, 0.9))
            clients.running = None
            collector.kill()
    found, faults = stored(home)
    assert len(clients.acked) > 1000
    assert clients.acked - set(found) == set()
    assert set(found) - clients.sent == set()
    assert [key for key, times in found.items() if times > 1] == []
    assert faults == []
    # The bookkeeper was killed as often, between any two of its steps: each call is in the books once.
    with open_book(home) as book:
        booked = book.query("table", name="attempts", columns=["trace_id", "span_id"])
    assert Counter(booked.iter_rows()) == found
    assert books(home) == books(rebuilt(home))


def test_sigterm_under_load_finishes_what_was_taken_and_ends_with_0(home: Home):
    clients = Clients()
    with clients.sending():
        collector = CollectorProcess(home)
        clients.running = collector.wait_until_served()
        time.sleep(2)
        assert collector.terminate() == 0
        clients.running = None
    assert "Traceback" not in collector.log
    assert not home.collector_file.exists()
    found, faults = stored(home)
    assert clients.acked
    assert clients.acked - set(found) == set()
    assert max(found.values()) == 1
    assert faults == []


def test_a_second_collector_on_the_same_home_ends_with_2_and_says_who_holds_it(home: Home):
    first = CollectorProcess(home)
    running = first.wait_until_served()
    second = CollectorProcess(home)
    assert second.process.wait(30) == 2
    assert f"held by pid {running.pid}" in second.log
    assert first.terminate() == 0
