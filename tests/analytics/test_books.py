import random
from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenpnl.schema import Table
from tokenpnl.tables import ATTEMPTS, CALLS, DUPLICATES, FEES, LINE_ITEMS, OUTCOMES, RUNS, SPANS
from tokenpnl_analytics.books import Books, book, keep_books
from tokenpnl_analytics.frames import empty, schema_of
from tokenpnl_analytics.resolving.resolve import Resolution

OUT = {"output_text_tokens": 100_000}  # 1 USD on gpt-4o
TABLES: dict[str, Table] = {
    "attempts": ATTEMPTS,
    "calls": CALLS,
    "fees": FEES,
    "runs": RUNS,
    "line_items": LINE_ITEMS,
    "duplicates": DUPLICATES,
}


@pytest.fixture
def keep(rows, card):
    def kept(attempts, runs=({},), fees=(), outcomes=()) -> Books:
        resolution = Resolution(
            attempts=rows.attempts(*attempts),
            calls=rows.calls(),
            fees=rows.fees(*fees),
            runs=rows.runs(*runs),
            duplicates=rows.duplicates(),
        )
        return book(resolution, rows.outcomes(*outcomes), card)

    return kept


def test_every_frame_is_in_the_shape_of_its_table(keep):
    books = keep([OUT])
    for name, table in TABLES.items():
        assert getattr(books, name).schema == schema_of(table)


def test_no_spans_make_empty_books(card):
    books = keep_books(empty(SPANS), empty(OUTCOMES), card)
    assert [getattr(books, name).height for name in TABLES] == [0] * 6


def test_a_runs_cost_is_the_sum_of_its_lines(keep):
    attempts = [OUT, OUT, OUT | {"run_id": "r2"}, OUT | {"run_id": None}]
    books = keep(attempts, [{}, {}], [{"fee_usd": Decimal("0.5")}])
    assert books.runs["cost_usd"].to_list() == [Decimal("2.5"), Decimal(1)]


def test_a_runs_cost_joined_to_its_lines_is_not_multiplied(keep):
    books = keep([OUT] * 163, [{"n_spans": 163}])
    joined = books.runs.select("run_id", "n_spans").join(books.line_items, on="run_id")
    assert books.runs["cost_usd"].sum() == joined["cost_usd"].sum() == Decimal(163)


def test_evaluation_and_lost_cost_are_told_apart(keep):
    attempts = [
        OUT | {"evaluation": "inline"},
        OUT | {"evaluation": "offline"},
        OUT | {"status": "timeout"},
        OUT,
    ]
    row = keep(attempts, outcomes=[{"run_id": "r1"}]).runs.row(0, named=True)
    parts = ("inline_evaluation_usd", "offline_evaluation_usd", "without_result_usd", "cost_usd")
    assert [row[part] for part in parts] == [1, 1, 1, 4]


def test_a_run_with_unpriced_usage_alone_has_no_cost(keep):
    row = keep([OUT | {"model": "house-model"}]).runs.row(0, named=True)
    assert (row["cost_usd"], row["n_unpriced"]) == (None, 1)


def test_a_run_with_missing_usage_alone_has_no_cost_and_one_without_calls_costs_nothing(keep):
    books = keep([], [{"n_usage_missing": 1}, {}])
    assert books.runs["cost_usd"].to_list() == [None, Decimal(0)]


def test_a_late_outcome_moves_the_rest_of_the_run_to_another_category(rows, keep):
    def category(*outcomes):
        return keep([OUT], outcomes=outcomes).line_items["cost_category"].item()

    won = {"run_id": "r1", "status": "success"}
    lost = {"run_id": "r1", "status": "failure", "effective_at": rows.start + timedelta(days=9)}
    assert [category(), category(won), category(won, lost)] == ["pending", "productive", "failed_run"]


def test_a_timeout_without_usage_is_in_no_cost_and_is_counted(keep):
    books = keep([{"status": "timeout", "usage_missing": True}], [{"n_usage_missing": 1}])
    assert books.line_items.is_empty()
    assert books.runs["n_usage_missing"].to_list() == [1]


ATTEMPT = st.fixed_dictionaries(
    {
        "run_id": st.sampled_from(["r1", "r2", None]),
        "model": st.sampled_from(["gpt-4o", "o3", "house-model"]),
        "status": st.sampled_from(["ok", "error", "timeout"]),
        "superseded": st.booleans(),
        "output_text_tokens": st.one_of(st.none(), st.integers(0, 10**9)),
    }
)


@pytest.fixture(scope="module")
def kept(rows, card):
    def keep_turned(attempts, order):
        """Books of the attempts in the given order; the runs and outcomes are turned with them."""
        runs = rows.runs({}, {})
        outcomes = rows.outcomes({"run_id": "r1"}, {"run_id": "r2", "status": "failure"})
        turned = order[:1] != [0]
        resolution = Resolution(
            attempts=rows.attempts(*attempts)[order],
            calls=rows.calls(),
            fees=rows.fees(),
            runs=runs.reverse() if turned else runs,
            duplicates=rows.duplicates(),
        )
        return book(resolution, outcomes.reverse() if turned else outcomes, card)

    return keep_turned


@settings(max_examples=40)
@given(st.lists(ATTEMPT, min_size=1, max_size=10), st.integers())
def test_any_order_of_rows_gives_equal_books_and_money_is_conserved(kept, attempts, seed):
    straight = list(range(len(attempts)))
    one, other = kept(attempts, straight), kept(attempts, random.Random(seed).sample(straight, len(straight)))
    for name in TABLES:
        assert getattr(one, name).equals(getattr(other, name))
    owned = one.line_items.filter(pl.col("run_id").is_not_null())
    assert one.runs.select(pl.col("cost_usd").sum()).item() == owned.select(pl.col("cost_usd").sum()).item()
