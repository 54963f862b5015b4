"""Laws of resolution: the set of spans decides, never their order, batches or repetitions."""

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from tests.analytics.spans import chat, frame, run, span

from tokenpnl.tables import ATTEMPTS, CALLS, DUPLICATES, FEES, RUNS
from tokenpnl_analytics.frames import empty
from tokenpnl_analytics.resolving.links import components, link_keys
from tokenpnl_analytics.resolving.resolve import Resolution, resolve
from tokenpnl_analytics.resolving.usage import KIND_NAMES

TABLES = {"attempts": ATTEMPTS, "calls": CALLS, "fees": FEES, "runs": RUNS, "duplicates": DUPLICATES}
SORTED = {
    name: [c for c in ("tenant", "attempt_id", "call_key", "trace_id", "span_id") if c in table.names]
    for name, table in TABLES.items()
}
NAMES = [f"s{number}" for number in range(6)]

counts = st.sampled_from([None, 0, 7, 100])
rows = st.fixed_dictionaries(
    {
        "trace_id": st.sampled_from(["t1", "t2", "t3"]),
        "parent_span_id": st.sampled_from([None, None, *NAMES, "gone"]),
        "operation": st.sampled_from(
            ["inference"] * 6 + ["embedding", "http", "tool", "agent", "workflow", "evaluation"]
        ),
        "scope_name": st.sampled_from(["one", "one", "two", None]),
        "signal": st.sampled_from(["span"] * 5 + ["log"]),
        "name": st.sampled_from(["a", "a fallback", "b"]),
        "status_code": st.sampled_from(["unset", "ok", "error", "error"]),
        "started_at": st.integers(0, 12).map(lambda step: 10**18 + step * 10**7),
        "response_id": st.sampled_from([None, None, None, "r1", "r2"]),
        "request_model": st.sampled_from(["m", "m", "n", None]),
        "run_id": st.sampled_from([None] * 6 + ["run1"]),
        "call_id": st.sampled_from([None] * 6 + ["call1"]),
        "prompt_hash": st.sampled_from([None, "p", "q"]),
        "input_tokens": counts,
        "output_tokens": counts,
        "cache_read_tokens": st.sampled_from([None, None, 5, 500]),
        "reasoning_tokens": st.sampled_from([None, None, 3, 300]),
        "cache_reported": st.booleans(),
        "cache_hit": st.sampled_from([None] * 8 + [True]),
        "customer_id": st.sampled_from([None, None, "c1", "c2"]),
        "attempts_reported": st.sampled_from([None] * 5 + [3]),
        "attempt_number": st.sampled_from([None] * 5 + [1, 2]),
        "output_valid": st.sampled_from([None, None, None, False, True]),
        "finish_reason": st.sampled_from([None, "stop"]),
        "streamed": st.booleans(),
        "took": st.sampled_from([0.0, 0.01, 0.03, 0.1]),
    }
)


@st.composite
def span_frames(draw: st.DrawFn) -> pl.DataFrame:
    drawn = draw(st.lists(st.tuples(st.sampled_from(NAMES), rows), min_size=1, max_size=12))
    return frame(*(_row(name, dict(columns)) for name, columns in drawn))


def _row(name: str, columns: dict[str, Any]) -> dict[str, Any]:
    took = columns.pop("took")
    return span(name, **columns, ended_at=columns["started_at"] + int(took * 10**9))


def assert_same(left: Resolution, right: Resolution) -> None:
    for name in TABLES:
        order = SORTED[name]
        assert_frame_equal(getattr(left, name).sort(order), getattr(right, name).sort(order))


@settings(max_examples=25, deadline=None)
@given(span_frames(), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(spans: pl.DataFrame, random: Any) -> None:
    order = [random.randrange(spans.height) for _ in range(5)] + list(range(spans.height))
    random.shuffle(order)
    assert_same(resolve(spans), resolve(spans[order].with_columns(received_at=pl.col("started_at"), batch_no=2)))


@settings(max_examples=25, deadline=None)
@given(span_frames())
def test_component_by_component_is_the_same_as_all_at_once(spans: pl.DataFrame) -> None:
    linked = components(link_keys(spans)).select("trace_id", "component")
    parts = spans.join(linked, on="trace_id", how="left").with_columns(
        part=pl.coalesce(pl.col("component").cast(pl.String), "trace_id")
    )
    apart = [resolve(part.select(spans.columns)) for part in parts.partition_by("part")]
    together = Resolution(**{name: pl.concat(getattr(one, name) for one in apart) for name in TABLES})
    assert_same(resolve(spans), together)


@settings(max_examples=25, deadline=None)
@given(span_frames())
def test_kinds_sum_to_totals_and_every_call_has_its_attempts(spans: pl.DataFrame) -> None:
    books = resolve(spans)
    for side in ("input", "output"):
        kinds = [name for name in KIND_NAMES if name.startswith(side)]
        told = books.attempts.filter(pl.col(f"{side}_total_tokens").is_not_null())
        assert told.filter(pl.sum_horizontal(kinds) != pl.col(f"{side}_total_tokens")).is_empty()
        assert told.filter(pl.any_horizontal(pl.col(kinds) < 0)).is_empty()
    asked = books.calls.filter(~pl.col("cached"))
    assert books.attempts.height == asked["n_attempts"].sum()
    assert (asked["n_attempts"] >= 1).all()
    assert books.attempts["attempt_id"].is_unique().all()
    assert books.calls["call_key"].is_unique().all()
    assert set(books.attempts["run_id"].drop_nulls()) <= set(books.runs["run_id"])


@settings(max_examples=25, deadline=None)
@given(span_frames())
def test_every_record_with_usage_carries_a_bill_or_repeats_one(spans: pl.DataFrame) -> None:
    books = resolve(spans)
    told = spans.filter(pl.sum_horizontal("input_tokens", "output_tokens") > 0)
    accounted = pl.concat(
        [table.select("trace_id", "span_id") for table in (books.attempts, books.calls, books.duplicates)]
    )
    carried = books.attempts.filter(pl.col("flags").str.contains("usage_inferred"))
    lost = told.join(accounted, on=["trace_id", "span_id"], how="anti")
    # A parent that fills the gap of a call below it is told by that call.
    assert lost.is_empty() or carried.height or lost.select("trace_id", "span_id").n_unique() < told.height


def test_nothing_resolves_to_nothing() -> None:
    books = resolve(frame())
    for name, table in TABLES.items():
        assert_frame_equal(getattr(books, name), empty(table))


def test_tenants_never_meet() -> None:
    one = frame(run(), chat("a", "run", response_id="r"))
    books = resolve(pl.concat([one, one.with_columns(tenant=pl.lit("other"))]))
    assert books.runs["tenant"].to_list() == ["default", "other"]
    assert books.attempts["input_total_tokens"].to_list() == [100, 100]
    assert books.duplicates.is_empty()
