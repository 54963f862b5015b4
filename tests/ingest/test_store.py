"""The store takes each span once, answers named questions, and is rebuilt when it cannot be read."""

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from tests.ingest.telemetry import PROTOBUF, TRACES, request

from tokenpnl.errors import RefusedInputError, StoreError
from tokenpnl.schema import Type
from tokenpnl.tables import ATTEMPTS, LINE_ITEMS
from tokenpnl_ingest.batch import Batch, batch_of
from tokenpnl_ingest.home import Home
from tokenpnl_ingest.otlp import Decoded, decode
from tokenpnl_ingest.rows import arrow_table
from tokenpnl_ingest.store import Store

NOON = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()) * 10**9


@pytest.fixture
def store(home: Home):
    opened = Store.open(home)
    yield opened
    opened.close()


def batch(body: bytes) -> Batch:
    return batch_of(decode(TRACES, body, PROTOBUF), NOON)


def outcome_batch(**changes: object) -> Batch:
    row = {
        "tenant": "default",
        "outcome_id": "o1",
        "run_id": "r1",
        "status": "success",
        "value_given": False,
        "effective_at": NOON,
        "content_hash": "h1",
    }
    return batch_of(Decoded(outcomes=[row | changes]), NOON)


def line(cost: str | None, **changes: object) -> dict[str, object]:
    texts = ("line_id", "trace_id", "span_id", "step", "charge_category", "usage_kind", "cost_source", "cost_category")
    row: dict[str, object] = dict.fromkeys((*texts, "category_rule", "served_reason"), "x")
    row |= {"cost_source": "computed" if cost else "unpriced"}
    row |= {"tenant": "default", "flags": "", "started_at": NOON, "quantity": 10}
    return row | {"cost_usd": None if cost is None else Decimal(cost)} | changes


def book(store: Store, trace_ids: list[str], lines: list[dict[str, object]]) -> None:
    store.replace_derived(trace_ids, {"line_items": arrow_table(LINE_ITEMS, lines, 0, 0)})


def rows(store: Store, name: str, **params: object) -> list[dict[str, object]]:
    return store.query("table", name=name, **params).to_pylist()


def test_a_repeated_request_is_stored_once_and_counted(store: Store):
    body = request(3)
    store.load([(1, batch(body))])
    again = store.load([(2, batch(body))])
    assert (again.spans, again.replayed, again.trace_ids) == (0, 3, [])
    assert [(row["spans"], row["replayed"]) for row in rows(store, "batches", order_by="batch_no")] == [(3, 0), (3, 3)]


def test_a_span_repeated_within_one_load_is_stored_once(store: Store):
    body = request(2)
    loaded = store.load([(1, batch(body)), (2, batch(body))])
    assert (loaded.spans, loaded.replayed) == (2, 2)
    assert [row["replayed"] for row in rows(store, "batches", order_by="batch_no")] == [0, 2]


def test_other_content_under_the_same_ids_is_kept_beside(store: Store):
    trace, span = b"t" * 16, [b"s" * 8]
    for number in (1, 2):
        store.load([(number, batch(request(1, trace_id=trace, span_ids=span)))])
    assert store.query("count", name="spans")["rows"].to_pylist() == [2]


def test_times_keep_their_nanoseconds(store: Store):
    decoded = decode(TRACES, request(1), PROTOBUF)
    store.load([(1, batch_of(decoded, NOON + 1))])
    found = store.query("table", name="spans", columns=["started_at", "received_at"])
    assert found["started_at"].cast(pa.int64()).to_pylist() == [decoded.spans[0]["started_at"]]
    assert found["received_at"].cast(pa.int64()).to_pylist() == [NOON + 1]


def test_an_outcome_is_stored_once_per_content_and_touches_the_run_s_traces(store: Store):
    first = store.load([(1, outcome_batch(run_id="a" * 32))])
    again = store.load([(2, outcome_batch(run_id="a" * 32)), (3, outcome_batch(run_id="a" * 32, content_hash="h2"))])
    assert store.query("count", name="outcomes")["rows"].to_pylist() == [2]
    assert first.trace_ids == again.trace_ids == ["a" * 32]


def test_a_bad_batch_leaves_nothing_behind(store: Store):
    good = batch(request(1))
    bad = Batch(NOON, {"spans": good.tables["spans"].set_column(0, "tenant", pa.array([None], pa.string()))})
    with pytest.raises(StoreError):
        store.load([(1, good), (2, bad)])
    assert (store.loaded_batch_no, store.query("count", name="spans")["rows"].to_pylist()) == (0, [0])


def test_the_store_knows_after_a_restart_what_it_loaded(home: Home, store: Store):
    store.load([(4, batch(request(1)))])
    store.close()
    reopened = Store.open(home)
    assert (reopened.loaded_batch_no, reopened.rebuilt_because) == (4, None)
    reopened.close()


def test_an_unreadable_database_is_moved_aside_and_said(home: Home):
    home.database.write_bytes(b"no database at all" * 1000)
    opened = Store.open(home)
    assert opened.loaded_batch_no == 0
    assert "built again from the journal" in str(opened.rebuilt_because)
    assert len(list(home.path.glob("tokenpnl.duckdb.unreadable-*"))) == 1
    opened.close()


def test_derived_rows_of_the_traces_are_replaced_and_the_others_stay(store: Store):
    book(store, ["a", "b"], [line("1", trace_id="a"), line("2", trace_id="b")])
    book(store, ["a"], [line("5", trace_id="a")])
    assert [row["cost_usd"] for row in rows(store, "line_items", order_by="trace_id")] == [Decimal(5), Decimal(2)]


def test_every_change_moves_the_version(store: Store):
    before = store.version
    store.load([(1, batch(request(1)))])
    loaded = store.version
    book(store, ["a"], [])
    assert before < loaded < store.version
    told = {"version": store.version, "loaded_batch_no": 1, "booked_batch_no": 0}
    assert store.query("version").to_pylist() == [told]


def test_line_items_are_summed_exactly_and_unpriced_quantity_is_told_apart(store: Store):
    third = "0.333333333333"
    book(store, ["a"], [line(third, model="m"), line(third, model="m"), line(None, model="m"), line(third)])
    sums = store.query("line_item_sums", by=["model", "day"]).to_pylist()
    told = [(row["model"], row["cost_usd"], row["quantity"], row["unpriced_quantity"], row["n_lines"]) for row in sums]
    assert told == [("m", Decimal("0.666666666666"), 30, 10, 3), (None, Decimal(third), 10, 0, 1)]
    assert sums[0]["day"].isoformat() == "2026-11-24T00:00:00+00:00"


def attempt(number: int, **changes: object) -> dict[str, object]:
    plain = {Type.TEXT: "x", Type.INT: 1, Type.BOOL: False, Type.TIME: NOON}
    row = {column.name: plain[column.type] for column in ATTEMPTS.columns if column.required}
    return row | {"tenant": "default", "attempt_id": f"a{number}", "model": "m"} | changes


def test_a_call_counts_once_at_the_model_that_ended_it(store: Store):
    tried = [attempt(1, superseded=True), attempt(2, model="fallback"), attempt(3)]
    store.replace_derived(["a"], {"attempts": arrow_table(ATTEMPTS, tried, 0, 0)})
    sums = store.query("call_sums", by=["model", "hour"]).to_pylist()
    assert [(row["model"], row["n_attempts"], row["n_calls"]) for row in sums] == [("fallback", 1, 1), ("m", 2, 1)]
    assert store.query("call_sums", where={"model": ["m"]}).to_pylist() == [{"n_attempts": 2, "n_calls": 1}]


def test_rows_are_found_by_time_value_and_null(store: Store):
    hour = 3600 * 10**9
    items = [line("1", model="m", line_id="1"), line("2", line_id="2"), line("3", line_id="3", started_at=NOON + hour)]
    book(store, ["a"], items)
    within = rows(store, "line_items", since="2026-11-24T12:00:00Z", until="2026-11-24T13:00:00Z")
    unknown = rows(store, "line_items", where={"model": [None]}, order_by="line_id", descending=True, limit=1)
    assert sorted(row["line_id"] for row in within) == ["1", "2"]
    assert [row["line_id"] for row in unknown] == ["3"]
    assert store.query("distinct", name="line_items", column="model").to_pylist() == [{"model": "m"}]


def test_spans_of_a_run_include_its_traces_other_spans(store: Store):
    store.load([(1, batch(request(3, trace_id=b"r" * 16))), (2, batch(request(2)))])
    found = store.query("spans_of_traces", trace_ids=[(b"r" * 16).hex()])
    assert found.num_rows == 3
    assert store.query("touched_traces", after=1).num_rows == 1


@pytest.mark.parametrize(
    ("question", "params"),
    [
        ("drop", {}),
        ("table", {"name": "spans; drop table spans"}),
        ("table", {"name": "spans", "columns": ["1; select 1"]}),
        ("table", {"name": "spans", "order_by": "name desc --"}),
        ("table", {"name": "spans", "where": {"name": "text"}}),
        ("table", {"name": "spans", "since": "yesterday"}),
        ("table", {"name": "spans", "since": "2026-11-24T12:00:00"}),
        ("table", {"name": "resources", "since": NOON}),
        ("table", {"name": "spans", "sql": "select 1"}),
        ("table", {}),
        ("table", {"name": "spans", "limit": "many"}),
        ("table", {"name": "spans", "where": ["trace_id"]}),
        ("line_item_sums", {"by": [1]}),
        ("line_item_sums", {"by": ["nothing"]}),
        ("distinct", {"name": "spans", "column": "nothing"}),
    ],
)
def test_what_is_no_question_is_refused_with_what_is(store: Store, question: str, params: dict[str, object]):
    with pytest.raises(RefusedInputError):
        store.query(question, **params)


def test_a_value_is_never_read_as_sql(store: Store):
    store.load([(1, batch(request(1)))])
    assert rows(store, "spans", where={"name": ["' OR 1=1 --"]}) == []


def test_the_database_reaches_no_file_beside_its_own(store: Store):
    with pytest.raises(Exception, match="disabled|permission|Permission"):
        store._connection.execute("SELECT * FROM read_text('/etc/passwd')")
    with pytest.raises(Exception, match="locked"):
        store._connection.execute("SET enable_external_access = true")


def test_a_dead_instance_is_opened_again_with_its_rows(store: Store):
    store.load([(1, batch(request(2)))])
    store.reopen()
    assert store.query("count", name="spans")["rows"].to_pylist() == [2]
