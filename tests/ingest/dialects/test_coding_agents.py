"""Claude Code, Codex and Gemini CLI."""

from decimal import Decimal

from tests.ingest.raw_spans import log_row_of, row_of


def test_claude_code_log_and_span_share_the_request_as_response_id() -> None:
    told = {
        "model": "claude-sonnet-4-5",
        "input_tokens": 101,
        "cache_read_tokens": 1009,
        "cache_creation_tokens": 714,
        "output_tokens": 53,
        "request_id": "req_1",
        "session.id": "s-1",
    }
    log = log_row_of(
        {**told, "event.name": "api_request", "cost_usd": 0.00455295, "duration_ms": 163},
        scope="com.anthropic.claude_code.events",
        body="claude_code.api_request",
    )
    span = row_of({**told, "span.type": "llm_request", "attempt": 2}, scope="com.anthropic.claude_code.tracing")
    assert log is not None
    assert log["response_id"] == span["response_id"] == "request:req_1"
    assert (log["signal"], log["input_tokens"], log["reported_cost_usd"], log["session_id"]) == (
        "log",
        1824,
        Decimal("0.00455295"),
        "s-1",
    )
    assert (log["ended_at"] - log["started_at"], span["attempts_reported"]) == (163_000_000, 2)


def test_claude_code_api_error_is_a_failed_call() -> None:
    row = log_row_of(
        {
            "event.name": "api_error",
            "model": "claude-sonnet-4-5",
            "error": "Request timed out.",
            "status_code": "529",
            "attempt": 3,
        },
        scope="com.anthropic.claude_code.events",
    )
    assert row is not None
    assert (row["operation"], row["status_code"], row["http_status"], row["timed_out"], row["attempts_reported"]) == (
        "inference",
        "error",
        529,
        True,
        3,
    )


def test_gemini_cli_log_adds_the_thoughts_that_the_api_leaves_out() -> None:
    row = log_row_of(
        {
            "event.name": "gemini_cli.api_response",
            "model": "gemini-3-flash",
            "input_token_count": 1110,
            "output_token_count": 41,
            "thoughts_token_count": 307,
            "cached_content_token_count": 1009,
            "tool_token_count": 0,
        },
        scope="gemini-cli",
    )
    assert row is not None
    assert (row["output_tokens"], row["reasoning_tokens"], row["input_tokens"], row["provider"]) == (
        348,
        307,
        1110,
        "google",
    )


def test_codex_log_carries_counts_as_text_and_no_total_in_them() -> None:
    row = log_row_of(
        {
            "event.name": "codex.sse_event",
            "event.kind": "response.completed",
            "model": "gpt-5-mini",
            "input_token_count": "1110",
            "output_token_count": "348",
            "cached_token_count": 1009,
            "reasoning_token_count": 307,
            "tool_token_count": "1458",
        },
        scope="codex_otel.log_only",
    )
    assert row is not None
    assert (row["input_tokens"], row["output_tokens"], row["cache_read_tokens"], row["reasoning_tokens"]) == (
        1110,
        348,
        1009,
        307,
    )


def test_codex_names_one_span_per_event_and_only_the_counted_one_is_the_call() -> None:
    counted = {
        "gen_ai.usage.input_tokens": 131,
        "gen_ai.usage.output_tokens": 17,
        "codex.usage.reasoning_output_tokens": 0,
    }
    turn = {"codex.turn.token_usage.input_tokens": 131, "codex.turn.token_usage.output_tokens": 17}
    operations = [
        row_of(counted, scope="codex_exec", name="handle_responses")["operation"],
        row_of({"from": "output_item_added"}, scope="codex_exec", name="handle_responses")["operation"],
        row_of(turn, scope="codex_exec", name="session_task.turn")["operation"],
        row_of({"tool_name": "exec_command", "tool_source": "direct"}, scope="codex_exec", name="exec_command")[
            "operation"
        ],
    ]
    assert operations == ["inference", "other", "agent", "tool"]


def test_codex_request_log_is_one_http_request_numbered_from_one() -> None:
    told = {"event.name": "codex.api_request", "http.response.status_code": 429, "attempt": 0, "duration_ms": "69"}
    row = log_row_of(told, scope="codex_otel.log_only")
    assert row is not None
    assert (row["operation"], row["attempt_number"], row["http_status"], row["error_type"]) == ("http", 1, 429, "429")


def test_a_count_that_cannot_be_true_is_flagged_and_stops_nobody() -> None:
    row = log_row_of(
        {
            "event.name": "gemini_cli.api_response",
            "model": "gemini-3-flash",
            "input_token_count": 137,
            "tool_token_count": 10**10,
        },
        scope="gemini-cli",
    )
    assert row is not None
    assert (row["input_tokens"], "usage_implausible" in row["flags"]) == (137, True)


def test_gemini_cli_span_says_that_its_output_lacks_the_thoughts() -> None:
    told = {"gen_ai.operation.name": "llm_call", "gen_ai.usage.input_tokens": 1110, "gen_ai.usage.output_tokens": 41}
    row = row_of(told, scope="gemini-cli", name="llm_call")
    assert (row["operation"], row["flags"], row["reasoning_reported"]) == ("inference", "reasoning_unknown", False)


def test_claude_code_says_failure_and_fast_mode_in_its_own_words() -> None:
    row = row_of(
        {"span.type": "llm_request", "success": False, "speed": "fast"}, scope="com.anthropic.claude_code.tracing"
    )
    assert (row["error_type"], row["service_tier"], row["response_id"]) == ("error", "fast", None)
