"""The settled readings about money, from spans to books: one test each, named by what is read."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.analytics.spans import EPOCH, chat, frame, run, span

from tokenpnl.tables import OUTCOMES
from tokenpnl_analytics.books import keep_books
from tokenpnl_analytics.frames import empty
from tokenpnl_analytics.summary import summary

OUT = (0, 1_000_000)  # gpt-5-mini: 2 USD for a million tokens of output
START = datetime.fromtimestamp(EPOCH / 10**9, tz=UTC)


@pytest.fixture(scope="module")
def kept(rows, card):
    def keep(*spans, outcomes=()):
        return keep_books(frame(*spans), rows.outcomes(*outcomes) if outcomes else empty(OUTCOMES), card)

    return keep


def costs(books):
    found: dict[str, Decimal] = {}
    for category, usd in books.line_items.select("cost_category", "cost_usd").iter_rows():
        found[category] = found.get(category, Decimal(0)) + usd
    return found


def won(rows, **more):
    return {"run_id": None, "trace_id": "t1", "span_id": "run"} | more


def test_escalation_is_the_rejected_cheaper_answer(kept, rows):
    call = {"call_id": "c", "usage": OUT}
    books = kept(
        run(),
        chat("a", "run", at=1, attempt_number=1, **call),
        chat("b", "run", at=3, attempt_number=2, attempt_reason="escalation", response_model="gpt-4o", **call),
        outcomes=[won(rows)],
    )
    assert costs(books) == {"escalation": Decimal(2), "productive": Decimal(10)}


def test_a_cancelled_stream_with_usage_is_timeout_and_one_without_is_counted_only(kept, rows):
    books = kept(
        run(),
        chat("a", "run", at=1, usage=OUT, cancelled=True, status_code="error", error_type="CancelledError"),
        chat("b", "run", at=5, usage=None, timed_out=True, status_code="error", error_type="TimeoutError"),
        outcomes=[won(rows)],
    )
    assert costs(books) == {"timeout": Decimal(2)}
    assert books.runs["n_usage_missing"].to_list() == [1]


def test_a_loop_is_the_repeated_tool_fee_not_the_turn_between(kept, rows):
    tool = {"operation": "tool", "tool_name": "search", "arguments_hash": "same", "fee_usd": Decimal("0.5")}
    books = kept(
        run(),
        span("t1", "run", at=1, **tool),
        chat("turn", "run", at=3, usage=OUT),
        span("t2", "run", at=5, **tool),
        outcomes=[won(rows)],
    )
    assert costs(books) == {"productive": Decimal("2.5"), "loop": Decimal("0.5")}


def test_an_invalid_answer_that_was_asked_again_is_one_call_and_a_repaired_one_is_productive(kept, rows):
    again = kept(
        run(),
        chat("ask", "run", at=1, usage=OUT, output_valid=False, name="chat"),
        chat("ask2", "run", at=3, usage=OUT, output_valid=True, name="chat"),
        outcomes=[won(rows)],
    )
    repaired = kept(run(), chat("ask", "run", at=1, usage=OUT, output_valid=False), outcomes=[won(rows)])
    assert (again.calls.height, costs(again)) == (1, {"schema_violation": Decimal(2), "productive": Decimal(2)})
    assert costs(repaired) == {"productive": Decimal(2)}


def test_a_run_without_an_outcome_is_pending_and_a_later_outcome_reclassifies_it(kept, rows):
    spans = (run(), chat("a", "run", usage=OUT))
    assert costs(kept(*spans)) == {"pending": Decimal(2)}
    assert costs(kept(*spans, outcomes=[won(rows, status="abandoned")])) == {"abandoned_run": Decimal(2)}


def test_a_run_older_than_the_window_without_an_outcome_is_unresolved(kept, rows):
    books = kept(
        run(),
        chat("a", "run", usage=OUT),
        run("run", trace_id="t2", at=10),
        chat("b", "run", trace_id="t2", at=11, usage=OUT),
        outcomes=[won(rows, effective_at=START)],
    )
    unit = summary(books, as_of=START + timedelta(days=1))["unit_cost"]["support_reply"]
    assert (unit["settled"], unit["unresolved_share"]) == ("4", 0.5)


def test_the_price_is_that_of_the_start_and_the_response_tier(kept):
    batch = kept(run(), chat("a", "run", usage=OUT, service_tier="batch"))
    priority = kept(run(), chat("a", "run", usage=OUT, service_tier="priority"))
    # The fixture's time lies before the first known batch price.
    assert [books.line_items["flags"].item() for books in (batch, priority)] == ["context_unmatched"] * 2
    assert [books.line_items["cost_usd"].item() for books in (batch, priority)] == [Decimal(2)] * 2


def test_an_answer_of_the_applications_cache_costs_nothing_even_if_it_repeats_its_usage(kept):
    hit = {"cache_hit": True, "cache_kind": "semantic", "cache_avoided_output_tokens": 1_000_000}
    books = kept(run(), chat("a", "run", usage=OUT, **hit))
    told = summary(books, as_of=START)
    assert (told["n_calls"], told["n_attempts"], told["cost_usd"], told["cache_hits"]) == (1, 0, "0", 1)
    assert told["memo"]["app_cache_avoided_usd"] == "2"


def test_self_hosted_tokens_are_gpu_time_and_not_unpriced(kept):
    books = kept(run(), chat("a", "run", usage=OUT, deployment="self_host", response_model="llama-3.3-70b"))
    told = summary(books, as_of=START)
    assert (told["cost_usd"], told["unpriced_calls"], told["unpriced_tokens"]) == ("0", 0, 0)
    assert books.line_items["cost_source"].to_list() == ["gpu"]


def test_the_nearest_step_decides_that_a_call_is_evaluation(kept, rows):
    judge = span("judge", "run", at=1, took=9, operation="evaluation", step_name="judge", step_kind="evaluation")
    books = kept(
        run(), judge, chat("a", "judge", at=2, usage=OUT), chat("b", "run", at=20, usage=OUT), outcomes=[won(rows)]
    )
    assert costs(books) == {"evaluation": Decimal(2), "productive": Decimal(2)}
    assert books.runs["inline_evaluation_usd"].to_list() == [Decimal(2)]


def test_usage_without_a_run_is_unattributed(kept):
    books = kept(chat("a", "gone", usage=OUT))
    assert set(costs(books)) <= {"unattributed", "pending"}
    assert sum(costs(books).values()) == Decimal(2)


def test_duplicates_and_replays_are_two_numbers(kept):
    twice = (run(), chat("a", "run", usage=OUT))
    told = summary(kept(*twice, *twice), as_of=START, replayed_span_records=2)
    assert (told["duplicate_usage_spans"], told["replayed_span_records"], told["cost_usd"]) == (0, 2, "2")


def test_the_fallback_premium_compares_with_the_primary_at_that_time(kept, rows):
    call = {"call_id": "c"}
    books = kept(
        run(),
        chat("a", "run", at=1, usage=None, status_code="error", http_status=500, attempt_number=1, **call),
        chat(
            "b", "run", at=3, usage=OUT, attempt_number=2, attempt_reason="fallback",
            request_model="gpt-4o", response_model="gpt-4o", **call,
        ),
        outcomes=[won(rows)],
    )  # fmt: skip
    told = summary(books, as_of=START)
    assert told["memo"]["fallback_premium_usd"] == "8"  # 10 USD paid, 2 USD at gpt-5-mini
    assert costs(books) == {"fallback": Decimal(10)}


def test_an_outcome_stated_inside_one_of_several_runs_of_a_trace_is_that_run_s(kept, rows):
    books = kept(
        span("batch", took=500),
        run("r1", "batch", run_id="one"),
        chat("a", "r1", at=1, usage=OUT),
        run("r2", "batch", run_id="two", at=200),
        span("review", "r2", at=210),
        outcomes=[won(rows, span_id="review", status="failure")],
    )
    assert dict(books.runs.select("run_id", "outcome").iter_rows()) == {"one": None, "two": "failure"}


def test_an_outcome_of_a_trace_with_several_runs_that_names_none_of_them_is_nobody_s(kept, rows):
    runs = run("r1", "batch", run_id="one"), run("r2", "batch", run_id="two", at=200)
    books = kept(span("batch", took=500), *runs, outcomes=[won(rows, span_id="batch"), won(rows, span_id=None)])
    assert books.runs["outcome"].to_list() == [None, None]
