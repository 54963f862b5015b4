"""The spans of a run are read from the top: parents before children, on one clock."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_dashboard.shapes.run_tree import FOLD_FROM, run_tree

START = datetime(2026, 11, 24, 8, tzinfo=UTC)
COSTS = pl.DataFrame(schema={"span_id": pl.String, "cost_usd": pl.Decimal(38, 12), "cost_category": pl.String})
ATTEMPTS = pl.DataFrame(schema={"span_id": pl.String, "attempt_number": pl.Int64, "status": pl.String})


def spans(*rows: tuple[str, str | None, float, float | None], **more: Any) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "trace_id": "t", "span_id": span, "parent_span_id": parent, "name": more.get("name", f"span {span}"),
                "started_at": START + timedelta(seconds=start),
                "ended_at": None if end is None else START + timedelta(seconds=end),
                "error_type": None, "status_code": "unset",
            }
            for span, parent, start, end in rows
        ],
        schema_overrides={"parent_span_id": pl.String, "error_type": pl.String, "ended_at": pl.Datetime("us", "UTC")},
    )  # fmt: skip


def test_children_follow_their_parent_in_the_order_of_their_start() -> None:
    tree = run_tree(spans(("c", "a", 2, 3), ("a", None, 0, 5), ("b", "a", 1, 2), ("d", "b", 1, 2)), COSTS, ATTEMPTS)
    assert tree["span_id"].to_list() == ["a", "b", "d", "c"]
    assert tree["offset_ms"].to_list() == [0.0, 1000.0, 1000.0, 2000.0]


def test_depth_is_seen_in_the_label() -> None:
    labels = run_tree(spans(("a", None, 0, 5), ("b", "a", 1, 2)), COSTS, ATTEMPTS)["label"].to_list()
    assert labels == ["span a", "\u2002span b"]


def test_a_span_whose_parent_was_not_captured_stands_at_the_top() -> None:
    assert run_tree(spans(("b", "lost", 1, 2)), COSTS, ATTEMPTS)["label"].to_list() == ["span b"]


def test_a_span_that_never_ended_has_no_duration() -> None:
    assert run_tree(spans(("a", None, 0, None)), COSTS, ATTEMPTS)["duration_ms"].to_list() == [None]


def test_a_later_attempt_says_which_one_it_is() -> None:
    attempts = pl.DataFrame({"span_id": ["b"], "attempt_number": [2], "status": ["ok"]})
    tree = run_tree(spans(("a", None, 0, 5), ("b", "a", 1, 2)), COSTS, attempts)
    assert tree["note"].to_list() == [None, "attempt 2"]


def test_many_equal_siblings_become_one_row_that_keeps_their_cost() -> None:
    rows = [("a", None, 0.0, 400.0), *((f"s{n}", "a", float(n), n + 0.5) for n in range(FOLD_FROM))]
    costs = pl.DataFrame(
        {"span_id": [f"s{n}" for n in range(FOLD_FROM)], "cost_usd": [Decimal("0.01")] * FOLD_FROM,
         "cost_category": ["productive"] * FOLD_FROM}
    )  # fmt: skip
    tree = run_tree(spans(*rows, name="chat"), costs, ATTEMPTS)
    assert tree["label"].to_list() == ["chat", f"\u2002chat ×{FOLD_FROM}"]
    assert tree["cost_usd"].sum() == Decimal("3.00")


def test_no_spans_are_no_rows() -> None:
    assert run_tree(spans(("a", None, 0, 1)).clear(), COSTS, ATTEMPTS).is_empty()


@given(st.lists(st.integers(min_value=0, max_value=9), min_size=1, max_size=10))
def test_every_span_is_shown_once_whatever_the_parents(parents: list[int]) -> None:
    tree = run_tree(spans(*((str(n), str(p), n, n + 1) for n, p in enumerate(parents))), COSTS, ATTEMPTS)
    assert sorted(tree["span_id"]) == sorted(str(n) for n in range(len(parents)))


def test_a_wait_that_dwarfs_the_work_is_cut_short_and_told() -> None:
    # Ten seconds of work, then a judge that reads the run an hour later for two seconds.
    tree = run_tree(spans(("a", None, 0, 10), ("b", "a", 1, 2), ("judge", None, 3610, 3612)), COSTS, ATTEMPTS)
    # Twelve seconds of work: the wait is drawn as 1.2 of them.
    assert tree["offset_ms"].to_list() == [0.0, 1000.0, 11_200.0]
    assert tree["note"].to_list() == [None, None, "1 h 00 min later"]


def test_a_wait_of_the_size_of_the_work_is_drawn_as_it_was() -> None:
    tree = run_tree(spans(("a", None, 0, 100), ("b", None, 250, 300)), COSTS, ATTEMPTS)
    assert tree["offset_ms"].to_list() == [0.0, 250_000.0]
    assert tree["note"].null_count() == 2
