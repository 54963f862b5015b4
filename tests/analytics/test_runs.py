"""Runs: which spans are one, what they are called and what they hold."""

from typing import Any

from tests.analytics.spans import chat, frame, run, span

from tokenpnl_analytics.resolving.resolve import Resolution, resolve


def books(*rows: dict[str, Any]) -> Resolution:
    return resolve(frame(*rows))


def ids(*rows: dict[str, Any]) -> list[tuple[str, str, bool]]:
    return books(*rows).runs.select("run_id", "workflow", "workflow_derived").rows()


def test_a_workflow_span_is_a_run_named_by_its_trace() -> None:
    assert ids(run(), chat("a", "run")) == [("t1", "support_reply", False)]


def test_a_workflow_without_model_calls_is_a_run_too() -> None:
    (row,) = books(run(status_code="error")).runs.to_dicts()
    assert (row["n_calls"], row["n_attempts"], row["failed"], row["latency_ms"]) == (0, 0, True, 100_000.0)


def test_several_runs_of_one_trace_are_told_apart_and_their_plain_root_is_none() -> None:
    rows = span("web"), run("r1", "web"), run("r2", "web"), chat("a", "r1"), chat("b", "r2", at=5)
    assert ids(*rows) == [("t1/r1", "support_reply", False), ("t1/r2", "support_reply", False)]
    assert books(*rows).attempts["run_id"].to_list() == ["t1/r1", "t1/r2"]


def test_a_call_below_the_plain_root_but_in_no_run_is_unattributed() -> None:
    rows = span("web"), run("r1", "web"), chat("a", "web")
    assert books(*rows).attempts["run_id"].to_list() == [None]


def test_a_plain_root_with_a_model_call_is_a_run_called_after_it() -> None:
    assert ids(span("POST /reply"), chat("a", "POST /reply")) == [("t1", "POST /reply", True)]
    assert ids(span("GET /health")) == []


def test_a_run_id_joins_spans_across_traces() -> None:
    rows = (
        run(run_id="r7", customer_id="acme"),
        chat("a", "run", run_id="r7"),
        span("worker", trace_id="t2", run_id="r7"),
        chat("b", "worker", trace_id="t2", at=3),
    )
    result = books(*rows)
    (row,) = result.runs.to_dicts()
    assert (row["run_id"], row["trace_id"], row["n_calls"], row["n_spans"]) == ("r7", "t1", 2, 4)
    assert result.attempts["customer_id"].to_list() == ["acme", "acme"]


def test_a_run_id_without_workflow_span_is_a_run_called_after_its_root() -> None:
    assert ids(span("job", run_id="r1"), chat("a", "job", run_id="r1")) == [("r1", "job", True)]


def test_a_run_takes_an_owner_from_below_when_its_spans_agree() -> None:
    agreed = books(run(), chat("a", "run", session_id="s"), chat("b", "run", session_id="s", at=5))
    assert agreed.runs["session_id"].to_list() == ["s"]
    torn = books(run(), chat("a", "run", session_id="s"), chat("b", "run", session_id="z", at=5))
    assert torn.runs["session_id"].to_list() == [None]


def test_log_records_without_spans_are_the_run_of_their_session() -> None:
    told = {"signal": "log", "operation": "inference", "input_tokens": 5, "output_tokens": 5, "name": "api_request"}
    result = books(span("x", **told), span("y", at=9, **told))
    assert result.runs.select("run_id", "n_calls", "workflow").rows() == [("t1", 2, "api_request")]


def test_a_run_counts_its_calls_attempts_and_models() -> None:
    rows = (
        run(),
        chat("a", "run", usage=None, status_code="error", error_type="500"),
        chat("b", "run", at=2),
        chat("c", "run", at=5, usage=None, name="other", response_model="claude"),
    )
    (row,) = books(*rows).runs.to_dicts()
    assert (row["n_spans"], row["n_calls"], row["n_attempts"], row["n_usage_missing"]) == (4, 2, 3, 1)
    assert row["models"] == "claude,gpt-5-mini"
    assert (row["outcome"], row["cost_usd"]) == (None, None)


def case_and_weight(*rows: dict[str, Any]) -> tuple[str | None, float | None, str]:
    (row,) = books(*rows).runs.to_dicts()
    return row["business_id"], row["adjusted_count"], row["flags"]


def test_a_run_carries_its_business_id_and_how_many_runs_it_stands_for() -> None:
    assert case_and_weight(run(business_id="ticket-7", adjusted_count=4.0), chat("a", "run")) == ("ticket-7", 4.0, "")
    assert case_and_weight(run(), chat("a", "run")) == (None, None, "")


def test_without_a_word_of_the_run_span_its_spans_decide_where_they_agree() -> None:
    one = chat("a", "run", business_id="ticket-7", adjusted_count=2.0), span("b", "run", adjusted_count=8.0)
    assert case_and_weight(run(), *one) == ("ticket-7", 8.0, "")
    other = span("b", "run", business_id="ticket-8")
    assert case_and_weight(run(), one[0], other)[0] is None


def test_the_run_spans_own_sampling_counts_before_that_of_its_children() -> None:
    assert case_and_weight(run(adjusted_count=4.0), chat("a", "run", adjusted_count=8.0))[1] == 4.0


def test_an_unknown_sampling_probability_leaves_the_run_without_weight() -> None:
    told = case_and_weight(run(), chat("a", "run", adjusted_count=8.0), span("b", "run", flags="sampling_unknown"))
    assert told == (None, None, "sampling_unknown")
