from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.unit_cost.outcomes import attach_outcomes, current_outcomes, known_at


def now(rows, *statements, runs=None):
    return current_outcomes(rows.outcomes(*statements), runs if runs is not None else rows.runs({}))


def test_the_newest_effective_time_wins_whatever_came_last(rows):
    late = {"run_id": "r1", "status": "failure", "effective_at": rows.start + timedelta(days=2), "batch_no": 1}
    early = {"run_id": "r1", "status": "success", "effective_at": rows.start, "batch_no": 2}
    assert now(rows, late, early)["outcome"].to_list() == ["failure"]


@pytest.mark.parametrize("key", ["outcome_id", "content_hash"])
def test_ties_are_broken_by_id_then_by_hash(rows, key):
    same = {"outcome_id": "o", "content_hash": "h"}
    first = same | {key: "a", "status": "success"}
    second = same | {key: "b", "status": "abandoned"}
    assert now(rows, second, first)["outcome"].to_list() == ["abandoned"]


def test_a_revision_changes_only_what_it_carries(rows):
    told = {"value_usd": Decimal(5), "value_given": True, "score": 0.5, "source": "user"}
    later = {"status": "failure", "effective_at": rows.start + timedelta(hours=1)}
    row = now(rows, told, later).row(0, named=True)
    assert (row["outcome"], row["value_usd"], row["score"], row["outcome_source"]) == ("failure", 5, 0.5, "user")


def test_a_value_of_null_removes_the_value(rows):
    told = {"value_usd": Decimal(5), "value_given": True}
    removed = {"value_usd": None, "value_given": True, "effective_at": rows.start + timedelta(hours=1)}
    assert now(rows, told, removed)["value_usd"].to_list() == [None]


def test_the_outcome_became_true_when_its_status_last_changed(rows):
    hours = [rows.start + timedelta(hours=n) for n in range(4)]
    status = ["success", "failure", "success", "success"]
    told = [{"status": s, "effective_at": at} for s, at in zip(status, hours, strict=True)]
    assert now(rows, *told)["outcome_at"].to_list() == [hours[2]]


def test_a_success_that_was_revised_later_was_one_until_then(rows):
    days = [rows.start + timedelta(days=n) for n in range(4)]
    told = rows.outcomes(
        {"run_id": "r1", "status": "success", "value_usd": Decimal(5), "value_given": True, "effective_at": days[0]},
        {"run_id": "r1", "status": "failure", "effective_at": days[2]},
        {"run_id": "r2", "status": "success", "effective_at": days[3]},
    )
    runs = attach_outcomes(rows.runs({}, {}), told)
    assert runs["outcome"].to_list() == ["failure", "success"]
    then = known_at(runs, told, days[1])
    assert then.select("outcome", "value_usd", "outcome_at").rows() == [("success", 5, days[0]), (None, None, None)]
    assert known_at(runs, told, days[3]).equals(runs)


def test_a_statement_by_trace_finds_the_only_run_of_the_trace(rows):
    by_trace = {"run_id": None, "trace_id": "t1", "span_id": "somewhere"}
    assert now(rows, by_trace)["run_id"].to_list() == ["r1"]


def test_in_a_trace_of_several_runs_only_the_run_span_says_which(rows):
    runs = rows.runs({"trace_id": "t1"}, {"trace_id": "t1"})
    at_span = {"run_id": None, "trace_id": "t1", "span_id": "span_id2"}
    somewhere = {"run_id": None, "trace_id": "t1", "span_id": "inner"}
    assert now(rows, at_span, somewhere, runs=runs)["run_id"].to_list() == ["r2"]


def test_a_statement_about_another_tenant_or_an_unknown_run_is_left_out(rows):
    assert now(rows, {"tenant": "b"}, {"run_id": "r9"}).is_empty()


def test_runs_without_a_statement_have_no_outcome(rows):
    runs = attach_outcomes(rows.runs({}, {}), rows.outcomes({}))
    assert runs["outcome"].to_list() == ["success", None]
    assert runs.columns == rows.runs({}).columns


STATEMENT = st.fixed_dictionaries(
    {
        "outcome_id": st.sampled_from("abc"),
        "content_hash": st.sampled_from("xyz"),
        "status": st.sampled_from(["success", "failure", "abandoned"]),
        "score": st.sampled_from([None, 0.25, 0.75]),
        "minute": st.integers(0, 2),
    }
)


@given(
    st.lists(STATEMENT, min_size=1, max_size=6, unique_by=lambda s: (s["outcome_id"], s["content_hash"])), st.randoms()
)
def test_any_order_of_arrival_and_any_repetition_gives_the_same_outcome(rows, statements, chance):
    told = [
        {k: v for k, v in s.items() if k != "minute"} | {"effective_at": rows.start + timedelta(minutes=s["minute"])}
        for s in statements
    ]
    turned = told + told[:2]
    chance.shuffle(turned)
    assert now(rows, *told).equals(now(rows, *turned))
