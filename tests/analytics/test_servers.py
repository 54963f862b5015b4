"""What an inference server adds to the call that its client bills."""

from typing import Any

from tests.analytics.spans import chat, frame, run, span

from tokenpnl_analytics.resolving.resolve import resolve

SERVER = {"dialect": "inference_server", "scope_name": "server", "span_kind": "server", "deployment": "self_host"}


def attempt_of(*spans: dict[str, Any]) -> dict[str, Any]:
    attempts = resolve(frame(run(), *spans)).attempts
    assert attempts.height == 1
    return attempts.row(0, named=True)


def test_a_server_that_repeats_the_usage_adds_its_times_and_is_not_billed() -> None:
    server = chat(
        "s", "c", at=0.1, took=0.8, provider="vllm", queue_ms=100.0, inference_ms=600.0, gpu_replica="v-0", **SERVER
    )
    row = attempt_of(chat("c", "run", provider="openai", deployment=None), server)
    assert (row["input_total_tokens"], row["queue_ms"], row["inference_ms"]) == (100, 100.0, 600.0)
    assert (row["provider"], row["deployment"], row["gpu_replica"]) == ("vllm", "self_host", "v-0")


def test_where_it_ran_is_the_server_s_word_also_when_the_client_knows_more_of_the_usage() -> None:
    client = chat("c", "run", provider="openai", deployment="managed_api", cache_read_tokens=40, reasoning_tokens=3)
    server = chat("s", "c", provider="vllm", **SERVER)
    row = attempt_of(client, server)
    assert (row["provider"], row["deployment"], row["input_cache_read_tokens"]) == ("vllm", "self_host", 40)


def test_stages_below_the_call_add_up() -> None:
    stages = [
        span("w", "c", at=0.0, took=0.2, queue_ms=200.0, **SERVER),
        span("p", "c", at=0.2, took=0.3, inference_ms=300.0, **SERVER),
        span("d", "c", at=0.5, took=0.4, inference_ms=400.0, gpu_replica="g-1", **SERVER),
    ]
    row = attempt_of(chat("c", "run"), *stages)
    assert (row["queue_ms"], row["inference_ms"], row["gpu_replica"]) == (200.0, 700.0, "g-1")


def test_a_request_without_counts_is_one_call_with_its_client() -> None:
    server = span("s", "c", at=0.1, took=0.8, operation="inference", inference_ms=750.0, **SERVER)
    row = attempt_of(chat("c", "run"), server)
    assert (row["input_total_tokens"], row["inference_ms"], row["usage_missing"]) == (100, 750.0, False)


def test_a_server_alone_is_a_call_whose_tokens_nobody_knows() -> None:
    row = attempt_of(span("s", "run", operation="inference", inference_ms=750.0, provider="tgi", **SERVER))
    assert (row["provider"], row["inference_ms"], row["usage_missing"]) == ("tgi", 750.0, True)


def test_times_of_the_call_itself_stand() -> None:
    server = span("s", "c", inference_ms=900.0, **SERVER)
    assert attempt_of(chat("c", "run", inference_ms=500.0), server)["inference_ms"] == 500.0


def test_without_servers_nothing_changes() -> None:
    row = attempt_of(chat("c", "run"))
    assert (row["inference_ms"], row["gpu_replica"]) == (None, None)


def test_two_calls_keep_their_own_servers() -> None:
    calls = [chat(f"c{n}", "run", at=n * 10, usage=(100 + n, 10)) for n in range(2)]
    servers = [span(f"s{n}", f"c{n}", at=n * 10, inference_ms=100.0 * (n + 1), **SERVER) for n in range(2)]
    attempts = resolve(frame(run(), *calls, *servers)).attempts.sort("started_at")
    assert attempts["inference_ms"].to_list() == [100.0, 200.0]
