"""The loader gets what is durable into the store, also one that has too little memory for it at first."""

from pathlib import Path

from tests.ingest.telemetry import request

from tokenpnl_ingest.batch import batch_of, to_payload
from tokenpnl_ingest.home import Home
from tokenpnl_ingest.journal import Journal
from tokenpnl_ingest.loader import Loader
from tokenpnl_ingest.otlp import Signal, decode
from tokenpnl_ingest.store import Store

SPANS = 2000


def test_a_store_with_too_little_memory_is_opened_again_with_more_and_loses_nothing(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    journal, store = Journal(home.journal), Store.open(home, memory_mib=12)
    decoded = decode(Signal.TRACES, request(SPANS), "application/x-protobuf")
    number = journal.append(to_payload(batch_of(decoded, 1_795_000_000_000_000_000)))
    journal.sync()
    loader = Loader(journal, store)
    assert loader.wait_until_loaded(number, 60)
    loader.close()
    assert store.query("count", name="spans")["rows"].to_pylist() == [SPANS]
    assert journal.faults == []
    store.close()
    journal.close()
