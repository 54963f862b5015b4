"""Answers that were used: what may be said of them from fingerprints alone."""

from datetime import timedelta
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from tests.analytics.conftest import START, attempts_of

from tokenpnl_analytics.verdict.answers import answers

DETAILS = {
    "trace_id": pl.String(),
    "span_id": pl.String(),
    "output_hash": pl.String(),
    "output_schema": pl.String(),
    "output_type": pl.String(),
    "temperature": pl.Float64(),
    "blocks": pl.List(pl.String),
    "messages": pl.List(pl.String),
}
OF_SPAN = set(DETAILS) - {"trace_id", "span_id"}


def answered(*calls: dict[str, Any]) -> pl.DataFrame:
    """Return the answers of calls a minute apart, in run r1 unless said otherwise, in order of time."""
    attempts, details = [], []
    for place, call in enumerate(calls):
        of_call = {name: value for name, value in call.items() if name not in OF_SPAN}
        at = {"span_id": f"s{place}", "started_at": START + timedelta(minutes=place)}
        attempts.append(at | of_call)
        details.append({"trace_id": "t1", "span_id": f"s{place}"} | {name: call.get(name) for name in OF_SPAN})
    return answers(attempts_of(*attempts), pl.DataFrame(details, schema=DETAILS)).sort("started_at")


def test_an_answer_that_a_later_step_is_handed_as_a_message_is_copied_forward() -> None:
    read = {"step": "read", "prompt_hash": "q", "output_hash": "fields"}
    found = answered(read, {"step": "book", "messages": ["rules", "fields"], "output_hash": "booked"})
    assert found["copied"].to_list() == [True, False]


def test_an_answer_that_is_the_whole_text_of_a_later_prompt_is_copied_forward() -> None:
    found = answered({"step": "read", "output_hash": "fields"}, {"step": "book", "prompt_hash": "fields"})
    assert found["copied"].to_list() == [True, None]


def test_a_conversation_that_goes_on_does_not_copy_its_own_answers() -> None:
    plan = {"step": "plan", "messages": ["system", "q"], "output_hash": "p"}
    found = answered(plan, {"step": "act", "messages": ["system", "q", "p"], "output_hash": "a"})
    assert found["copied"].to_list() == [False, False]


def test_another_run_or_the_same_step_copies_nothing() -> None:
    first = {"step": "read", "output_hash": "fields"}
    elsewhere = answered(first, {"step": "book", "messages": ["fields"], "run_id": "r2"})
    assert elsewhere["copied"].to_list() == [False, None]
    assert answered(first, {"step": "read", "messages": ["fields"]})["copied"].to_list() == [False, None]


def test_the_share_of_context_sent_again_is_that_of_blocks_and_else_of_messages() -> None:
    # Three of four blocks, then two of three messages, were there before; the first call has none before it.
    by_blocks = answered({"blocks": ["a", "b", "c"]}, {"blocks": ["a", "b", "c", "d"], "messages": ["x"]})
    assert by_blocks["context_overlap"].to_list() == [None, 0.75]
    by_messages = answered({"messages": ["s", "q"]}, {"messages": ["s", "q", "n"]})
    assert by_messages["context_overlap"].to_list() == [None, 2 / 3]


def test_near_duplicates_are_looked_for_in_other_runs_of_the_step() -> None:
    found = answered({"blocks": ["a", "b"]}, {"blocks": ["a", "c"], "run_id": "r2"}, {"blocks": ["z"], "step": "x"})
    assert found["near_overlap"].to_list() == [None, 0.5, None]


def test_an_answer_after_another_steps_invalid_one_repairs_it() -> None:
    bad = {"step": "read", "output_valid": False, "rejected": True}
    found = answered(bad, {"step": "mend", "output_valid": True}, {"step": "book"})
    assert found["repair"].to_list() == [True, False]


def test_what_was_not_used_is_no_answer() -> None:
    unused = [{"evaluation": "inline"}, {"looped": True}, {"superseded": True}, {"rejected": True}, {"status": "error"}]
    assert answered({"step": "kept"}, *unused)["step"].to_list() == ["kept"]


def test_structure_is_known_only_where_schema_or_type_is_told() -> None:
    found = answered({"output_schema": "v1"}, {"output_type": "JSON"}, {"output_type": "text"}, {})
    assert found["structured"].to_list() == [True, True, False, None]


@given(st.permutations(list(range(6))))
def test_the_order_in_which_rows_arrive_changes_nothing(order: list[int]) -> None:
    calls = [
        {"step": f"s{k % 2}", "prompt_hash": f"p{k % 3}", "output_hash": f"o{k % 4}", "messages": [f"o{k - 1}", "m"]}
        for k in range(6)
    ]
    attempts = attempts_of(*({"span_id": f"s{k}", "started_at": START + timedelta(minutes=k)} | {
        name: call[name] for name in ("step", "prompt_hash")} for k, call in enumerate(calls)))  # fmt: skip
    details = pl.DataFrame(
        [{"trace_id": "t1", "span_id": f"s{k}"} | {n: call.get(n) for n in OF_SPAN} for k, call in enumerate(calls)],
        schema=DETAILS,
    )
    assert answers(attempts[order], details[order[::-1]]).equals(answers(attempts, details))
