"""Breaches of contracts: what was broken where, and what ran past the limit at the price of its line items."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analytics.contracts.desk import agent, asked, checked, cost_usd, facts, told, tool
from tests.analytics.spans import chat, run

from tokenpnl_analytics.contracts.breaches import check, standing
from tokenpnl_analytics.rules.agents import AGENTS

CALL = Decimal("0.00045")  # 1,000 x 0.25 + 100 x 2.00 USD a million


def test_steps_past_the_limit_are_priced_by_their_line_items() -> None:
    rows = asked("a", at=1), tool("b", at=2, fee_usd=Decimal("0.01")), asked("c", at=3), asked("d", at=5)
    found = checked("limits: {max_steps: 2}", *rows)
    columns = "run_id", "clause", "limit", "value", "n_past", "span_id", "over_limit_usd"
    assert told(found, *columns) == [("t1", "max_steps", "2", "4", 2, "c", 2 * CALL)]
    assert set(found.lines["span_id"]) == {"c", "d"}


def test_a_fee_of_a_tool_past_the_limit_counts() -> None:
    found = checked("limits: {max_steps: 1}", asked("a", at=1), tool("b", at=2, fee_usd=Decimal("0.01")))
    assert cost_usd(found.lines) == Decimal("0.01")


def test_within_its_limits_a_run_is_no_breach_and_costs_nothing_past_them() -> None:
    found = checked("limits: {max_steps: 2, max_usd: 1, max_wall_s: 60}", asked("a", at=1), asked("b", at=3))
    assert found.breaches.is_empty()
    assert standing(found).rows() == [("buyer", 1, 0, 1.0, Decimal(0))]


def test_of_a_limit_in_dollars_only_what_lies_above_it_counts() -> None:
    found = checked("limits: {max_usd: 0.001}", *(asked(name, at=at) for at, name in enumerate("abc")))
    # Three calls of 0.00045 are 0.00135; the third carries the run past 0.001.
    assert told(found, "value", "n_past", "span_id", "over_limit_usd") == [("0.00135", 1, "c", Decimal("0.00035"))]


def test_past_its_time_counts_what_began_later_and_where_it_was_at_work() -> None:
    rows = asked("a", at=1, took=12), asked("b", at=20)
    found = checked("limits: {max_wall_s: 10}", *rows)
    assert told(found, "value", "n_past", "span_id", "over_limit_usd") == [("50.0", 2, "a", CALL)]


def test_tokens_past_the_limit_of_a_request_cost_their_share_of_it() -> None:
    found = checked("limits: {max_input_tokens: 800, max_output_tokens: 80}", asked("a", at=1), asked("b", at=3))
    # 200 of 1,000 tokens at 0.25 and 20 of 100 at 2.00 USD a million, twice.
    assert told(found, "clause", "value", "n_past", "over_limit_usd") == [
        ("max_input_tokens", "1000", 2, Decimal("0.0001")),
        ("max_output_tokens", "100", 2, Decimal("0.00008")),
    ]


def test_a_line_past_several_limits_is_priced_once() -> None:
    found = checked("limits: {max_steps: 1, max_usd: 0.0005, max_input_tokens: 500}", asked("a"), asked("b", at=2))
    assert cost_usd(found.lines) == CALL + Decimal("0.000125")  # the second call, and half the input of the first


def test_another_model_is_a_breach_without_a_price() -> None:
    found = checked("model: gpt-5", asked("a"))
    assert told(found, "clause", "limit", "value", "over_limit_usd") == [("model", "gpt-5", "gpt-5-mini", None)]


def test_a_dated_version_of_the_model_fits_and_so_does_what_a_tool_asks() -> None:
    dated = asked("a", request_model="gpt-5-mini-2025-08-07", response_model="gpt-5-mini-2025-08-07")
    assert checked("model: gpt-5-mini", dated, tool("t", at=2), asked("b", "t", at=2, request_model="gpt-5",
                   response_model="gpt-5")).breaches.is_empty()  # fmt: skip


def test_a_tool_that_is_not_listed_is_a_breach() -> None:
    found = checked("tools: [{name: lookup}]", asked("a"), tool("b", at=2), tool("c", at=3, tool_name="lookup"))
    assert told(found, "clause", "limit", "value", "span_id") == [("tools", "lookup", "search", "b")]


def test_a_tool_that_takes_too_long_is_a_breach() -> None:
    found = checked("tools: [{name: search, timeout_ms: 1500}]", asked("a"), tool("b", at=2, took=2))
    assert told(found, "clause", "limit", "value") == [("timeout_ms", "search 1500 ms", "search took 2000 ms")]


def test_more_retries_than_agreed_are_a_breach() -> None:
    again = {"arguments_hash": "x", "status_code": "error"}
    rows = tool("b", at=2, **again), tool("c", at=3, **again), tool("d", at=4, arguments_hash="x")
    assert told(checked("tools: [{name: search, retries: 1}]", asked("a"), *rows), "clause", "value", "span_id") == [
        ("retries", "search again 2 times", "d")
    ]
    assert checked("tools: [{name: search, retries: 2}]", asked("a"), *rows).breaches.is_empty()


def test_the_same_arguments_after_a_success_are_no_retry() -> None:
    rows = tool("b", at=2, arguments_hash="x"), tool("c", at=3, arguments_hash="x")
    assert checked("tools: [{name: search, retries: 0}]", asked("a"), *rows).breaches.is_empty()


def test_an_invalid_answer_breaks_the_schema() -> None:
    found = checked("output_schema: Order", asked("a", output_valid=False), asked("b", at=2))
    assert told(found, "clause", "limit", "value", "span_id") == [("output_schema", "Order", "invalid answer", "a")]


def test_steps_without_a_price_make_the_cost_past_the_limit_unknown_not_zero() -> None:
    unknown = chat("b", "agent", at=2, provider=None, request_model="house-7b", response_model="house-7b")
    found = checked("limits: {max_steps: 1}", asked("a"), unknown)
    assert told(found, "clause", "over_limit_usd") == [("max_steps", None)]


def test_two_agents_of_one_run_are_told_apart() -> None:
    clerk = agent("clerk", "run", agent_name="clerk", at=10)
    known = facts(run(), agent(), asked("a", at=1), clerk, asked("b", "clerk", at=11), asked("c", "clerk", at=13))
    contracts = AGENTS.parse("agents: [{agent: buyer, limits: {max_steps: 1}}, {agent: clerk, limits: {max_steps: 1}}]")
    found = check(known, contracts.agents)
    assert standing(found).select("agent", "n_runs", "n_broken", "over_limit_usd").rows() == [
        ("buyer", 1, 0, Decimal(0)),
        ("clerk", 1, 1, CALL),
    ]


@settings(max_examples=12)
@given(n_calls=st.integers(1, 8), most=st.integers(1, 8), mills=st.integers(1, 5))
def test_what_ran_past_is_never_more_than_what_was_paid(n_calls: int, most: int, mills: int) -> None:
    rows = [asked(f"s{number}", at=number) for number in range(n_calls)]
    found = checked(f"limits: {{max_steps: {most}, max_usd: {mills / 1000}}}", *rows)
    by_steps, by_usd = max(0, n_calls - most) * CALL, max(Decimal(0), n_calls * CALL - Decimal(mills) / 1000)
    assert max(by_steps, by_usd) <= cost_usd(found.lines) <= n_calls * CALL
