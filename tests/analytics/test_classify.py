from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl.model import CostCategory
from tokenpnl_analytics.classify import causes, classify, totals_in_both_orders
from tokenpnl_analytics.pricing.prices import charge

TIMED_OUT = {"status": "timeout", "superseded": True}
INVALID = {"output_valid": False, "superseded": True}
FAILED = {"status": "error", "superseded": True}
EVALUATED = {"evaluation": "inline"}


def reasons(rows, attempts, outcome="success", **options):
    judged = classify(rows.attempts(*attempts), rows.runs({"outcome": outcome}), **options)
    return judged["cost_category"].to_list()


@pytest.mark.parametrize(
    ("attempt", "outcome", "category"),
    [
        (EVALUATED | TIMED_OUT, "failure", "evaluation"),
        (TIMED_OUT | {"output_valid": False}, "success", "timeout"),
        ({"status": "cancelled"}, "success", "timeout"),
        (INVALID | {"rejected": True}, "success", "schema_violation"),
        ({"output_valid": False, "gave_up": True}, "failure", "schema_violation"),
        (FAILED, "success", "retry"),
        ({"status": "error", "gave_up": True}, "failure", "retry"),
        ({"superseded": True}, "success", "retry"),
        ({"superseded": True, "rejected": True, "looped": True}, "success", "escalation"),
        ({"looped": True}, "failure", "loop"),
        ({}, "failure", "failed_run"),
        ({"served_reason": "fallback"}, "abandoned", "abandoned_run"),
        ({"served_reason": "fallback"}, None, "pending"),
        ({"served_reason": "fallback"}, "success", "fallback"),
        ({}, "success", "productive"),
        ({"run_id": None} | FAILED, "success", "unattributed"),
        ({"run_id": None, "evaluation": "offline"}, "success", "evaluation"),
    ],
)
def test_the_first_rule_that_matches_is_the_reason(rows, attempt, outcome, category):
    assert reasons(rows, [attempt], outcome) == [category]


def test_the_stronger_model_that_answered_is_productive_though_it_was_an_escalation(rows):
    rejected = {"superseded": True, "rejected": True}
    answered = {"served_reason": "escalation", "attempt_reason": "escalation"}
    assert reasons(rows, [rejected, answered]) == ["escalation", "productive"]


def test_invalid_output_that_code_repaired_is_productive(rows):
    assert reasons(rows, [{"output_valid": False, "flags": "repaired"}]) == ["productive"]


@pytest.mark.parametrize("outcome", ["failure", "abandoned"])
def test_invalid_output_that_nobody_asked_again_was_given_up_where_the_run_was_lost(rows, outcome):
    assert reasons(rows, [{"output_valid": False}], outcome) == ["schema_violation"]


@pytest.mark.parametrize(
    ("attempt", "cause"),
    [
        (TIMED_OUT, "timeout"),
        (INVALID, "invalid_output"),
        (FAILED, "provider_error"),
        (FAILED | {"finish_reason": "content_filter"}, "refusal"),
        ({"superseded": True, "finish_reason": "length"}, "limit"),
        ({"superseded": True}, None),
        ({}, None),
    ],
)
def test_the_cause_is_told_where_it_is_known(rows, attempt, cause):
    judged = classify(rows.attempts(attempt), rows.runs({"outcome": "success"}))
    assert judged["cause"].to_list() == [cause]


def test_whatever_the_category_a_line_knows_the_provider_at_which_it_went_wrong(rows):
    call = {"call_key": "c"}
    attempts = rows.attempts(
        call | FAILED | {"provider": "openai", "attempt_number": 1},
        call | {"provider": "anthropic", "attempt_number": 2, "served_reason": "fallback"},
        {"call_key": "d", "provider": "openai"},
        {"call_key": "e", "provider": "mistral", "output_valid": False, "evaluation": "inline"},
        {"call_key": "f", "provider": "google", "served_reason": "fallback"},
    )
    judged = classify(attempts, rows.runs({"outcome": "success"}))
    assert judged["cause_provider"].to_list() == ["openai", "openai", None, "mistral", None]
    assert classify(rows.fees({}), rows.runs({}))["cause_provider"].to_list() == [None]


def test_a_repeated_tool_fee_is_a_loop_and_the_rest_follows_the_run(rows):
    fees = rows.fees({}, {"looped": True}, {"evaluation": "inline"})
    judged = classify(fees, rows.runs({"outcome": "failure"}))
    assert judged["cost_category"].to_list() == ["failed_run", "loop", "evaluation"]


def test_a_reversed_reading_gives_the_cost_to_the_last_rule_that_matches(rows):
    for outcome, turned in (("failure", ["failed_run", "failed_run"]), ("success", ["retry", "productive"])):
        judged = classify(rows.attempts(FAILED, {}), rows.runs({"outcome": outcome}))
        assert judged["reversed_category"].to_list() == turned


def test_runs_of_another_tenant_decide_nothing(rows):
    attempts = rows.attempts({"tenant": "b"})
    assert classify(attempts, rows.runs({"outcome": "failure"}))["cost_category"].to_list() == ["pending"]


ATTEMPT = st.fixed_dictionaries(
    {
        "run_id": st.sampled_from(["r1", "r2", "r3", None]),
        "status": st.sampled_from(["ok", "error", "timeout", "cancelled"]),
        "superseded": st.booleans(),
        "gave_up": st.booleans(),
        "rejected": st.booleans(),
        "looped": st.booleans(),
        "output_valid": st.sampled_from([True, False, None]),
        "evaluation": st.sampled_from([None, None, "inline", "offline"]),
        "served_reason": st.sampled_from(["primary", "fallback", "escalation"]),
        "billed": st.sampled_from([None, True, False]),
        "model": st.sampled_from(["gpt-4o", "gpt-4o-mini", "house-model"]),
        "input_uncached_tokens": st.integers(0, 10**9),
        "output_text_tokens": st.one_of(st.none(), st.integers(0, 10**9)),
    }
)


@given(st.lists(ATTEMPT, min_size=1, max_size=12), st.sampled_from(["cost_category", "reversed_category"]))
def test_categories_sum_exactly_to_the_traced_cost(rows, card, attempts, order):
    runs = rows.runs({"outcome": "success"}, {"outcome": "failure"}, {"outcome": None})
    judged = classify(rows.attempts(*attempts), runs)
    lines = charge(judged, rows.fees(), card)
    by_category = lines.group_by(order).agg(pl.col("cost_usd").sum())
    assert by_category["cost_usd"].sum() == sum((c for c in lines["cost_usd"] if c is not None), Decimal(0))
    assert set(by_category[order]) <= set(CostCategory)


def test_the_totals_under_the_reverse_order_sum_to_the_same_cost(rows, card):
    tokens = {"output_text_tokens": 100_000}  # 1 USD on gpt-4o
    attempts = rows.attempts(tokens | FAILED, tokens | TIMED_OUT, tokens, tokens | {"run_id": "r2"})
    fees = rows.fees({"fee_usd": Decimal("0.5"), "looped": True})
    runs = rows.runs({"outcome": "failure"}, {"outcome": "success"})
    lines = charge(classify(attempts, runs), classify(fees, runs), card)
    assert totals_in_both_orders(lines).rows() == [
        ("timeout", Decimal(1), None),
        ("retry", Decimal(1), None),
        ("loop", Decimal("0.5"), None),
        ("failed_run", Decimal(1), Decimal("3.5")),
        ("productive", Decimal(1), Decimal(1)),
    ]


def test_cost_without_direct_result_is_told_by_cause_and_fewer_attempts_avoid_at_most_all_of_it(rows, card):
    tokens = {"output_text_tokens": 100_000}  # 1 USD on gpt-4o
    attempts = rows.attempts(tokens | TIMED_OUT, tokens | TIMED_OUT, tokens | FAILED, tokens)
    lines = charge(classify(attempts, rows.runs({"outcome": "success"})), rows.fees(), card)
    assert causes(lines).rows() == [
        ("timeout", "timeout", Decimal(2), 0.5, Decimal(2), "assumed", 2),
        ("retry", "provider_error", Decimal(1), 0.25, Decimal(1), "assumed", 1),
    ]
