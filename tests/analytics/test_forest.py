"""Spans as a forest: versions, parents, ancestors."""

from typing import Any

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analytics.spans import chat, frame, run, span

from tokenpnl_analytics.resolving.forest import Forest, counting_versions, forest
from tokenpnl_analytics.resolving.resolve import resolve


def parents(trees: Forest) -> dict[str, str | None]:
    names = trees.at(trees.parent[: trees.size], "span_id")["span_id"]
    return dict(zip(trees.spans["span_id"], names, strict=True))


def test_the_version_that_ended_last_counts_and_is_flagged() -> None:
    early, late = chat("a", took=1, usage=(5, 5)), chat("a", took=2, usage=(7, 7))
    (row,) = counting_versions(frame(late, early)).to_dicts()
    assert (row["input_tokens"], row["flags"]) == (7, ",conflicting_versions")
    assert resolve(frame(early, late)).attempts["flags"].to_list() == ["conflicting_versions"]


def test_of_versions_that_ended_together_the_one_with_more_usage_counts() -> None:
    rich, poor = chat("a", usage=(7, 7), cache_read_tokens=1), chat("a", usage=(9, 9))
    assert counting_versions(frame(poor, rich))["input_tokens"].to_list() == [7]


def test_a_version_that_never_ended_counts_least() -> None:
    assert counting_versions(frame(chat("a", ended_at=None), chat("a")))["ended_at"].null_count() == 0


def test_a_repeated_span_is_no_conflict() -> None:
    (row,) = counting_versions(frame(chat("a"), chat("a"), chat("a"))).to_dicts()
    assert row["flags"] == ""


def test_missing_parents_self_parents_and_cycles_are_no_parents() -> None:
    trees = forest(frame(span("a", "gone"), span("b", "b"), span("c", "d"), span("d", "c"), span("e", "d")))
    assert parents(trees) == {"a": None, "b": None, "c": None, "d": None, "e": "d"}


def test_a_parent_is_sought_in_its_own_trace_only() -> None:
    assert parents(forest(frame(span("a"), span("b", "a", trace_id="t2")))) == {"a": None, "b": None}


def test_money_in_a_cycle_is_not_lost() -> None:
    books = resolve(frame(chat("a", "b"), chat("b", "a", at=5)))
    assert books.attempts["input_total_tokens"].sum() == 200


def test_a_value_is_inherited_from_the_nearest_that_has_it() -> None:
    trees = forest(
        frame(run(customer_id="far"), span("s", "run", customer_id="near"), span("t", "s"), span("u", "run"))
    )
    told = trees.inherited(np.arange(trees.size), "customer_id", "feature")
    assert dict(zip(trees.spans["span_id"], told["customer_id"], strict=True)) == {
        "run": "far",
        "s": "near",
        "t": "near",
        "u": "far",
    }
    assert told["feature"].null_count() == 4


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 19), st.booleans()), min_size=1, max_size=20))
def test_the_nearest_marked_ancestor_is_what_a_walk_finds(drawn: list[tuple[int, bool]]) -> None:
    rows: list[dict[str, Any]] = [
        span(f"s{n:02}", f"s{parent:02}", feature="x" if marked else None) for n, (parent, marked) in enumerate(drawn)
    ]
    trees = forest(frame(*rows))
    marked = trees.mask(pl.col("feature").is_not_null())
    above = trees.above(marked)
    for row in range(trees.size):
        step = int(trees.parent[row])
        while step != trees.size and not marked[step]:
            step = int(trees.parent[step])
        assert above[row] == step


def test_a_chain_of_ten_thousand_spans_is_walked_by_doubling() -> None:
    deep = pl.DataFrame({"n": range(10_000)}).with_columns(
        span_id=pl.format("s{}", "n"), parent_span_id=pl.format("s{}", pl.col("n") - 1)
    )
    template = frame(span("x")).drop("span_id", "parent_span_id")
    trees = forest(deep.drop("n").join(template, how="cross"))
    assert len(trees.jumps) == 15
    assert (
        trees.nearest(trees.parent[: trees.size] == trees.size)[: trees.size] == trees.at(np.array([0]), "row").item()
    ).all()
