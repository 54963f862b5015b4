"""The collector: what is acknowledged is durable, loaded once, and loaded again after any accident."""

import gzip
import json
import shutil

import pyarrow as pa
import pytest
from tests.ingest.telemetry import PROTOBUF, TRACES, request, span_keys

from tokenpnl.errors import OverloadedError, RefusedInputError, StoreHeldError, TooLargeError
from tokenpnl_ingest import limits
from tokenpnl_ingest.batch import Ack, Batch
from tokenpnl_ingest.collector import Collector
from tokenpnl_ingest.home import Home
from tokenpnl_ingest.otlp import Signal
from tokenpnl_ingest.statements import decoded_statements


def stored(collector: Collector) -> list[tuple[str, str]]:
    assert collector.drain()
    found = collector.store.query("table", name="spans", columns=["trace_id", "span_id"]).to_pylist()
    return [(row["trace_id"], row["span_id"]) for row in found]


def test_acknowledged_spans_are_in_the_store(collector: Collector):
    body = request(5)
    assert collector.submit(TRACES, body, PROTOBUF).result() == Ack()
    assert set(stored(collector)) == span_keys(body)


def test_gzip_json_and_small_requests_share_one_store(collector: Collector):
    compressed = collector.submit(TRACES, gzip.compress(request(2)), PROTOBUF, encoding="gzip")
    plain = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "chat", "startTimeUnixNano": "1790000000000000000"}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [plain]}]}]}).encode()
    as_json = collector.submit(TRACES, body, "application/json")
    assert [compressed.result(), as_json.result()] == [Ack(), Ack()]
    assert len(stored(collector)) == 3


def test_a_large_request_is_decoded_in_a_process_and_stored_alike(home: Home):
    bodies = [request(300) for _ in range(4)]
    with Collector(home, processes=True) as collector:
        for body in bodies:
            collector.submit(TRACES, body, PROTOBUF).result()
        with pytest.raises(RefusedInputError):
            collector.submit(TRACES, b"\xff" * 100_000, PROTOBUF).result()
        assert set(stored(collector)) == set().union(*map(span_keys, bodies))


def test_an_undecodable_body_is_refused_and_the_next_is_taken(collector: Collector):
    with pytest.raises(RefusedInputError):
        collector.submit(TRACES, b"\x0a\xff", PROTOBUF).result()
    assert collector.submit(TRACES, request(1), PROTOBUF).result() == Ack()


def test_a_bomb_is_too_large(collector: Collector):
    bomb = gzip.compress(bytes(limits.HTTP_BODY_BYTES + 1))
    with pytest.raises(TooLargeError):
        collector.submit(TRACES, bomb, PROTOBUF, encoding="gzip").result()


def test_a_span_without_ids_is_refused_alone_and_kept_in_quarantine(collector: Collector):
    body = request(2, span_ids=[bytes(8), b"s" * 8])
    ack = collector.submit(TRACES, body, PROTOBUF).result()
    assert (ack.refused, len(stored(collector))) == (1, 1)
    quarantined = collector.store.query("table", name="quarantine", where={"refused": [True]}).to_pylist()
    assert [row["reason"] for row in quarantined] == ["span_id_invalid"]
    assert ack.message


def test_an_empty_request_is_a_success_without_a_batch(collector: Collector):
    assert [collector.submit(signal, b"", PROTOBUF).result() for signal in Signal] == [Ack()] * 3
    assert collector.health()["durable_batch_no"] == 0


def test_posted_outcomes_go_the_same_way(collector: Collector):
    collector.submit_rows(decoded_statements(b'{"run_id": "r", "status": "success", "value_usd": "0.10"}')).result()
    assert collector.drain()
    assert str(collector.store.query("table", name="outcomes")["value_usd"][0]) == "0.100000000000"


def test_a_home_has_one_collector(home: Home, collector: Collector):
    with pytest.raises(StoreHeldError):
        Collector(home)


def test_a_deleted_database_is_rebuilt_from_the_journal(home: Home):
    body = request(7)
    with Collector(home) as first:
        first.submit(TRACES, body, PROTOBUF).result()
    home.database.unlink()
    with Collector(home) as second:
        assert set(stored(second)) == span_keys(body)


def test_a_database_that_is_older_than_the_journal_catches_up(home: Home):
    first_body, second_body = request(2), request(3)
    with Collector(home) as first:
        first.submit(TRACES, first_body, PROTOBUF).result()
    backup = shutil.copy(home.database, home.path / "backup")
    with Collector(home) as second:
        second.submit(TRACES, second_body, PROTOBUF).result()
    shutil.move(backup, home.database)
    with Collector(home) as third:
        found = stored(third)
    assert sorted(found) == sorted(span_keys(first_body) | span_keys(second_body))


def test_a_damaged_batch_is_said_in_the_health(home: Home):
    with Collector(home) as first:
        first.submit(TRACES, request(1), PROTOBUF).result()
        first.submit(TRACES, request(1), PROTOBUF).result()
    file = next(home.journal.glob("*.log"))
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    home.database.unlink()
    with Collector(home) as second:
        assert len(stored(second)) == 1
        health = second.health()
    assert health["status"] == "degraded"
    assert "are damaged" in health["faults"][0]


def test_too_many_pending_bytes_are_refused_as_retryable(collector: Collector, monkeypatch):
    monkeypatch.setattr(limits, "PENDING_BYTES", 10)
    alone = collector.submit(TRACES, request(1), PROTOBUF)
    with pytest.raises(OverloadedError, match="send again later"):
        collector.submit(TRACES, request(1), PROTOBUF).result()
    assert alone.result() == Ack()


def test_a_collector_that_leaves_refuses_as_retryable(collector: Collector):
    collector.stop_taking()
    assert collector.health()["status"] == "draining"
    with pytest.raises(OverloadedError, match="shutting down"):
        collector.submit(TRACES, request(1), PROTOBUF).result()


def test_whoever_keeps_the_books_hears_of_touched_traces(home: Home):
    heard: list[str] = []
    with Collector(home, on_loaded=heard.extend) as collector:
        collector.submit(TRACES, request(2, trace_id=b"k" * 16), PROTOBUF).result()
        assert collector.drain()
    assert heard == [(b"k" * 16).hex()]


def test_a_database_that_is_closed_is_opened_again(collector: Collector):
    body = request(3)
    collector.store._connection.close()
    assert collector.submit(TRACES, body, PROTOBUF).result() == Ack()
    assert set(stored(collector)) == span_keys(body)
    assert collector.health()["faults"] == []


def test_a_batch_that_the_store_cannot_take_does_not_stop_the_others(collector: Collector):
    # Decoding gives no such rows; a journal of another release might.
    collector._commit.write(Batch(1, {"spans": pa.table({"trace_id": ["t"]})})).result()
    body = request(1)
    collector.submit(TRACES, body, PROTOBUF).result()
    assert set(stored(collector)) == span_keys(body)
    assert "cannot be loaded" in collector.health()["faults"][0]


def test_a_store_that_is_built_again_says_how_many_batches_its_books_lack(home: Home):
    with Collector(home) as collector:
        for _ in range(2):
            collector.submit(TRACES, request(1), PROTOBUF).result()
        assert collector.drain()
    home.database.unlink()
    rebuilt = Collector(home)  # not started: nothing of the journal is loaded yet
    health = rebuilt.health()
    rebuilt.close()
    assert (health["durable_batch_no"], health["loaded_batch_no"], health["booked_batch_no"]) == (2, 0, 0)
    assert health["batches_behind"] == 2
