"""One call described by several libraries or signals counts once; two calls never count as one."""

from typing import Any

from tests.analytics.spans import chat, frame, run, span

from tokenpnl_analytics.resolving.resolve import Resolution, resolve


def one(span_id: str, **columns: Any) -> dict[str, Any]:
    return chat(span_id, **({"scope_name": "one", "trace_id": "t1"} | columns))


def two(span_id: str, **columns: Any) -> dict[str, Any]:
    return chat(span_id, **({"scope_name": "two", "trace_id": "t2", "at": 0.01, "took": 0.9} | columns))


def books(*rows: dict[str, Any]) -> Resolution:
    return resolve(frame(*rows))


def rules(*rows: dict[str, Any]) -> list[str]:
    return books(*rows).duplicates["rule"].to_list()


def n_calls(*rows: dict[str, Any]) -> int:
    return books(*rows).calls.height


def test_one_response_id_is_one_call_across_traces() -> None:
    assert rules(one("a", response_id="r"), two("b", response_id="r", at=99)) == ["id"]


def test_one_library_with_two_usages_under_one_id_reports_two_calls() -> None:
    assert n_calls(one("a", response_id="r"), one("b", response_id="r", usage=(5, 5), at=50)) == 2


def test_nested_time_and_equal_usage_of_two_libraries_is_one_call() -> None:
    assert rules(one("a"), two("b")) == ["overlap"]


def test_overlap_allows_for_clocks_and_late_ends() -> None:
    assert n_calls(one("a"), two("b", at=-0.001, took=1.04)) == 1
    assert n_calls(one("a"), two("b", at=-0.1, took=0.9)) == 2


def test_two_ids_are_two_calls_however_alike() -> None:
    assert n_calls(one("a", response_id="r1"), two("b", response_id="r2")) == 2


def test_other_usage_cache_or_model_is_another_call() -> None:
    assert n_calls(one("a"), two("b", usage=(101, 10))) == 2
    assert n_calls(one("a", cache_read_tokens=5), two("b", cache_read_tokens=6)) == 2
    assert n_calls(one("a"), two("b", request_model="claude", response_model="claude")) == 2


def test_a_model_name_may_lack_its_vendor_or_its_date() -> None:
    bedrock = two("b", request_model="claude-sonnet-5", response_model=None)
    assert n_calls(one("a", request_model="us.anthropic.claude-sonnet-5", response_model=None), bedrock) == 1
    dated = two("b", request_model="gpt-5-mini-2026-09-01", response_model="gpt-5-mini-2026-09-01")
    assert n_calls(one("a"), dated) == 1


def test_parallel_identical_calls_of_one_library_are_never_merged() -> None:
    parallel = [one(f"a{n}", trace_id=f"t{n}") for n in range(3)]
    assert n_calls(*parallel) == 3
    described_twice = [*parallel, *(two(f"b{n}", trace_id=f"u{n}") for n in range(3))]
    assert n_calls(*described_twice) == 3
    assert len(rules(*described_twice)) == 3


def test_a_failure_seen_by_two_libraries_is_one_failed_call() -> None:
    broken = {"usage": None, "status_code": "error", "error_type": "500"}
    calls = books(one("a", **broken), two("b", at=0.05, took=0.5, **broken)).calls
    assert calls["failed"].to_list() == [True]


def test_the_place_in_a_named_run_is_kept_when_the_richer_record_lies_elsewhere() -> None:
    rich = two("b", cache_read_tokens=40, cache_write_tokens=0)
    result = books(run(trace_id="t1"), one("a", parent="run", cache_reported=False), rich)
    attempt = result.attempts.row(0, named=True)
    assert (attempt["trace_id"], attempt["workflow"], attempt["input_cache_read_tokens"]) == ("t1", "support_reply", 40)
    assert result.runs["trace_id"].to_list() == ["t1"]


def test_a_trace_that_holds_only_a_duplicate_is_no_run() -> None:
    assert books(one("a"), two("b")).runs.height == 1


def test_a_log_record_that_repeats_a_span_adds_nothing() -> None:
    log = span("log", trace_id="t9", signal="log", operation="inference", name="api_request", took=0.2, at=0.75)
    log |= {"input_tokens": 100, "output_tokens": 10, "request_model": "gpt-5-mini", "session_id": "s"}
    same = one("a", session_id="s")
    assert rules(same, log) == ["signal"]
    assert n_calls(same, log | {"session_id": "another"}) == 2
    assert n_calls(same, log | {"input_tokens": 101}) == 2
    assert n_calls(log) == 1


def test_a_log_record_may_add_the_reasoning_that_its_span_leaves_out() -> None:
    log = span("log", trace_id="t9", signal="log", operation="inference", name="api_response", took=0.2, at=0.8)
    log |= {"input_tokens": 1110, "output_tokens": 348, "reasoning_tokens": 307, "cache_reported": True}
    bare = one("a", usage=(1110, 41), reasoning_reported=False)
    attempt = books(bare, log).attempts.row(0, named=True)
    assert (attempt["span_id"], attempt["output_total_tokens"], attempt["output_reasoning_tokens"]) == ("a", 348, 307)


def test_several_log_records_of_one_call_are_one_call() -> None:
    told = {"signal": "log", "operation": "inference", "input_tokens": 100, "output_tokens": 10, "trace_id": "t9"}
    assert n_calls(span("x", name="api_response", **told), span("y", name="operation.details", **told)) == 1
    assert n_calls(span("x", name="api_response", **told), span("y", name="api_response", **told)) == 2
