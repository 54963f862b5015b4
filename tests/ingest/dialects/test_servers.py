"""Inference servers on somebody's own accelerators."""

from typing import Any

import pytest
from tests.ingest.raw_spans import END_NS, START_NS, row_of

from tokenpnl_ingest.raw import RawEvent

USAGE = {"gen_ai.usage.prompt_tokens": 113, "gen_ai.usage.completion_tokens": 29}
TOOK_MS = (END_NS - START_NS) / 1e6


def served(attributes: dict[str, Any], *, scope: str = "", name: str = "llm_request", **changed: Any) -> dict[str, Any]:
    return row_of(attributes, scope=scope, name=name, kind="server", **changed)


def test_a_vllm_request_tells_queue_work_and_first_token() -> None:
    told = {"gen_ai.latency.time_in_queue": 0.5, "gen_ai.latency.time_in_model_inference": 1.25}
    row = served({**USAGE, **told, "gen_ai.latency.time_to_first_token": 0.75}, scope="vllm.llm_engine")
    assert (row["operation"], row["deployment"], row["provider"]) == ("inference", "self_host", "vllm")
    assert (row["queue_ms"], row["inference_ms"], row["ttft_ms"]) == (500.0, 1250.0, 750.0)
    assert (row["input_tokens"], row["output_tokens"]) == (113, 29)


@pytest.mark.parametrize(
    ("told", "inference_ms"),
    [
        ({"gen_ai.latency.time_in_model_prefill": 0.25, "gen_ai.latency.time_in_model_decode": 1.0}, 1250.0),
        ({"gen_ai.latency.e2e": 2.0, "gen_ai.latency.time_in_queue": 0.5}, 1500.0),
        ({"gen_ai.latency.e2e": 2.0}, None),
    ],
)
def test_time_at_work_is_told_in_several_ways(told: dict[str, float], inference_ms: float | None) -> None:
    assert served({**USAGE, **told}, scope="trt.llm")["inference_ms"] == inference_ms


def test_stages_of_sglang_carry_no_bill_and_say_whether_they_waited_or_worked() -> None:
    waiting = served({}, scope="sglang", name="prefill_waiting")
    working = served({}, scope="sglang", name="decode_forward")
    assert (waiting["operation"], working["operation"]) == ("other", "other")
    assert (waiting["queue_ms"], waiting["inference_ms"]) == (TOOK_MS, None)
    assert (working["queue_ms"], working["inference_ms"]) == (None, TOOK_MS)


def test_a_stage_with_latencies_but_without_counts_is_no_call() -> None:
    assert served({"gen_ai.latency.e2e": 1.0}, scope="sglang", name="prefill_forward")["operation"] == "other"


def test_tgi_sends_durations_as_text_and_its_request_is_a_call_without_counts() -> None:
    told = {"total_time": "1.2s", "queue_time": "31.5µs", "inference_time": "1.1s", "time_per_token": "10ms"}
    row = served(told, name="generate", resource={"service.name": "text-generation-inference.router"})
    assert (row["operation"], row["provider"], row["deployment"]) == ("inference", "tgi", "self_host")
    assert row["queue_ms"] == pytest.approx(0.0315)
    assert row["inference_ms"] == pytest.approx(1100)


def test_tei_is_known_by_the_time_of_its_tokenizer() -> None:
    row = served({"tokenization_time": "2ms", "inference_time": "8ms"}, name="embed")
    assert (row["provider"], row["inference_ms"]) == ("tei", 8.0)


def test_triton_queues_and_computes_between_its_events() -> None:
    begun = [RawEvent("QUEUE_START", START_NS, {}), RawEvent("COMPUTE_START", START_NS + 4_000_000, {})]
    compute = [RawEvent("COMPUTE_START", START_NS, {}), RawEvent("COMPUTE_END", START_NS + 9_000_000, {})]
    model = served({"triton.model_name": "mixtral"}, scope="triton-server", name="mixtral", events=begun)
    work = served({"triton.model_name": "mixtral"}, scope="triton-server", name="compute", events=compute)
    request = served({}, scope="triton-server", name="InferRequest")
    assert (model["queue_ms"], work["inference_ms"]) == (4.0, 9.0)
    assert [row["operation"] for row in (request, model, work)] == ["inference", "other", "other"]
    assert (model["request_model"], model["deployment"]) == ("mixtral", "optimized")


def test_a_dynamo_worker_names_its_instance() -> None:
    row = served({"instance_id": "w-7"}, name="handle_payload", resource={"service.name": "dynamo"})
    assert (row["operation"], row["gpu_replica"], row["deployment"]) == ("other", "w-7", "optimized")


@pytest.mark.parametrize("key", ["service.instance.id", "k8s.pod.name", "host.name"])
def test_the_replica_is_the_server_s_instance_pod_or_host(key: str) -> None:
    assert served(USAGE, scope="vllm", resource={key: "here"})["gpu_replica"] == "here"
    assert row_of({"gen_ai.operation.name": "chat"}, resource={key: "here"})["gpu_replica"] is None


def test_any_emitter_may_say_what_served() -> None:
    said = {
        "tokenpnl.gpu.type": "h100",
        "tokenpnl.gpu.count": 8,
        "tokenpnl.gpu.replica": "r1",
        "tokenpnl.gpu.seconds": 2.5,
    }
    row = row_of({"gen_ai.operation.name": "chat", **said})
    assert [row[name] for name in ("gpu_type", "gpu_count", "gpu_replica", "gpu_seconds")] == ["h100", 8, "r1", 2.5]
    assert row_of({"gen_ai.operation.name": "chat", "tokenpnl.gpu.seconds": -1})["gpu_seconds"] is None


def test_a_resource_may_say_it_for_all_its_spans() -> None:
    assert row_of({}, resource={"tokenpnl.gpu.type": "h100"})["gpu_type"] == "h100"
