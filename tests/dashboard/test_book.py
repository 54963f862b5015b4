"""One door to the data: the collector that holds the store, or the store itself."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.analytics.desk import desk_at, run, traces
from tests.ingest.telemetry import PROTOBUF, TRACES, request

from tokenpnl.errors import RefusedInputError, StoreError
from tokenpnl_dashboard.book import ServedBook, StoredBook, newest_at, open_book
from tokenpnl_dashboard.processes.collect import bookkeeping
from tokenpnl_ingest.home import Home
from tokenpnl_ingest.serve import CollectorPorts, serving


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def test_a_served_book_finds_a_collector_that_came_back_elsewhere(home: Home) -> None:
    book = ServedBook(home)
    with serving(home, CollectorPorts(0, 0)) as (collector, first):
        collector.submit(TRACES, request(3), PROTOBUF).result(30)
        assert collector.drain()
        assert book.query("count", name="spans")["rows"].to_list() == [3]
    with serving(home, CollectorPorts(0, 0)) as (_, second):
        assert second.http != first.http
        assert book.query("count", name="spans")["rows"].to_list() == [3]


def test_a_served_book_without_a_collector_says_how_to_start_one(home: Home) -> None:
    with pytest.raises(StoreError, match="tokenpnl serve"):
        ServedBook(home).query("version")


def test_an_unknown_question_is_refused_with_those_that_exist(home: Home) -> None:
    with serving(home, CollectorPorts(0, 0)), pytest.raises(RefusedInputError, match="line_item_sums"):
        ServedBook(home).query("everything")


def test_times_travel_as_they_are(home: Home) -> None:
    with serving(home, CollectorPorts(0, 0)) as (collector, _):
        collector.submit(TRACES, request(1), PROTOBUF).result(30)
        assert collector.drain()
        book = ServedBook(home)
        start = book.query("table", name="spans", columns=["started_at"])["started_at"][0]
        assert start.tzinfo is not None
        assert book.query("count", name="spans", until=start)["rows"][0] == 0
        assert book.query("count", name="spans", since=start)["rows"][0] == 1


def test_the_version_grows_with_the_data_and_knows_the_newest_of_them(home: Home) -> None:
    with serving(home, CollectorPorts(0, 0), bookkeeping=bookkeeping) as (collector, _):
        book = ServedBook(home)
        empty = book.version()
        assert empty.newest_at is None
        collector.submit(TRACES, request(1), PROTOBUF).result(30)
        assert collector.drain()
        assert book.version().data_version > empty.data_version


def test_without_a_collector_the_store_is_opened_loaded_and_booked(home: Home) -> None:
    with serving(home, CollectorPorts(0, 0)) as (collector, _):
        collector.submit(TRACES, request(2), PROTOBUF).result(30)
        assert collector.drain()
    with open_book(home) as book:
        assert book.query("count", name="attempts")["rows"][0] == 2
        newest = newest_at(book)
    assert newest is not None
    assert (datetime.now(UTC) - newest).total_seconds() < 600


def test_where_a_collector_serves_its_book_is_the_one_that_opens(home: Home) -> None:
    with serving(home, CollectorPorts(0, 0)), open_book(home) as book:
        assert isinstance(book, ServedBook)


def test_a_book_says_how_many_batches_arrived_and_are_not_booked(tmp_path: Path) -> None:
    with desk_at(tmp_path / "home") as desk:
        book = StoredBook(desk.collector.store)
        for trace in (1, 2):
            desk.collector.submit(TRACES, traces([run(trace, f"r{trace}")]), "application/json").result(30)
        assert desk.collector.drain()
        assert book.version().batches_behind == 2
        desk.keeper.catch_up()
        assert book.version().batches_behind == 0


def test_a_served_book_counts_what_is_not_booked_too(home: Home) -> None:
    with serving(home, CollectorPorts(0, 0)) as (collector, _):  # nobody keeps the books
        collector.submit(TRACES, request(1), PROTOBUF).result(30)
        assert collector.drain()
        assert ServedBook(home).version().batches_behind == 1
