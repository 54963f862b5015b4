"""Self-hosted inference servers."""

import pytest
from tests.ingest.raw_spans import START_NS, row_of

from tokenpnl_ingest.raw import RawEvent


def test_vllm_and_sglang_spans_are_self_hosted_and_tell_their_queue() -> None:
    vllm = row_of(
        {
            "gen_ai.usage.prompt_tokens": 113,
            "gen_ai.usage.completion_tokens": 29,
            "gen_ai.latency.time_in_queue": 0.5,
            "gen_ai.latency.time_to_first_token": 0.75,
        },
        scope="vllm.llm_engine",
        name="llm_request",
        kind="server",
    )
    phase = row_of({"gen_ai.latency.e2e": 1.0}, scope="sglang", name="prefill_forward")
    assert (vllm["operation"], vllm["deployment"], vllm["queue_ms"], vllm["ttft_ms"]) == (
        "inference",
        "self_host",
        500.0,
        750.0,
    )
    assert phase["operation"] == "other"


def test_tgi_durations_are_text_and_triton_queues_between_two_events() -> None:
    tgi = row_of({"total_time": "1.2s", "queue_time": "31.5µs", "time_per_token": "10ms"}, name="generate")
    triton = row_of(
        {},
        scope="triton-server",
        events=[RawEvent("QUEUE_START", START_NS, {}), RawEvent("COMPUTE_START", START_NS + 4_000_000, {})],
    )
    assert tgi["queue_ms"] == pytest.approx(0.0315)
    assert triton["queue_ms"] == 4.0
