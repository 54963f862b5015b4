"""Metrics: the known ones are kept, each once; the others are counted."""

import json
import math
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from tests.ingest.telemetry import PROTOBUF

from tokenpnl_ingest.collector import Collector
from tokenpnl_ingest.metric_names import Known, Measure, known
from tokenpnl_ingest.otlp import Decoded, Signal, decode

NOW_NS = 1_795_000_000 * 10**9
JSON = "application/json"


def point(value: float = 1.0, *, at: int = NOW_NS, **labels: str) -> dict[str, Any]:
    told = [{"key": key, "value": {"stringValue": text}} for key, text in labels.items()]
    return {"asDouble": value, "timeUnixNano": str(at), "startTimeUnixNano": str(NOW_NS - 10**9), "attributes": told}


def body(*metrics: dict[str, Any], **resource: str) -> bytes:
    told = [{"key": key.replace("__", "."), "value": {"stringValue": text}} for key, text in resource.items()]
    groups = [{"resource": {"attributes": told}, "scopeMetrics": [{"metrics": list(metrics)}]}]
    return json.dumps({"resourceMetrics": groups}).encode()


def gauge(name: str, *points: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "unit": "1", "gauge": {"dataPoints": list(points)}}


def decoded(content: bytes, kind: str = JSON) -> Decoded:
    return decode(Signal.METRICS, content, kind, received_at_ns=NOW_NS)


@pytest.mark.parametrize(
    ("name", "measures"),
    [
        ("vllm:num_requests_running", Known(Measure.RUNNING)),
        ("vllm_generation_tokens_total", Known(Measure.OUTPUT_TOKENS)),
        ("sglang:token_usage", Known(Measure.CACHE_USE)),
        ("tgi_batch_current_size", Known(Measure.RUNNING)),
        ("nv_gpu_utilization", Known(Measure.GPU_USE)),
        ("dynamo_component_gpu_cache_usage_percent", Known(Measure.CACHE_USE)),
        ("trtllm_kv_cache_utilization", Known(Measure.CACHE_USE)),
        ("DCGM_FI_DEV_GPU_UTIL", Known(Measure.GPU_USE, 0.01)),
        ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", Known(Measure.GPU_USE)),
        ("hw.gpu.utilization", Known(Measure.GPU_USE)),
        ("nvidia_smi_utilization_gpu_ratio", Known(Measure.GPU_USE)),
        ("http.server.request.duration", None),
        ("claude_code.token.usage", None),
    ],
)
def test_a_metric_is_known_by_name_however_an_exporter_spells_it(name: str, measures: Known | None) -> None:
    assert known(name) == measures


def test_known_points_become_rows_and_unknown_ones_are_counted() -> None:
    found = decoded(
        body(gauge("vllm:num_requests_running", point(3, model_name="llama")), gauge("other", point(), point()))
    )
    assert (found.metric_points, len(found.metrics)) == (3, 1)
    row = found.metrics[0]
    assert (row["name"], row["value"], row["model"], row["started_at"]) == (
        "vllm:num_requests_running",
        3.0,
        "llama",
        None,
    )


def test_a_histogram_is_its_sum_and_its_count() -> None:
    histogram = {"sum": 12.5, "count": "5", "timeUnixNano": str(NOW_NS), "startTimeUnixNano": str(NOW_NS - 1)}
    told = {"aggregationTemporality": 2, "dataPoints": [histogram]}
    row = decoded(body({"name": "vllm:request_inference_time_seconds", "histogram": told})).metrics[0]
    assert (row["value"], row["count"], row["temporality"], row["started_at"]) == (12.5, 5, "cumulative", NOW_NS - 1)


def test_the_replica_is_a_label_else_the_resource() -> None:
    labelled = decoded(body(gauge("DCGM_FI_DEV_GPU_UTIL", point(pod="v-0")), host__name="node")).metrics[0]
    plain = decoded(body(gauge("DCGM_FI_DEV_GPU_UTIL", point()), host__name="node")).metrics[0]
    assert (labelled["gpu_replica"], plain["gpu_replica"]) == ("v-0", "node")


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_what_is_no_number_is_not_kept(value: str) -> None:
    assert decoded(body(gauge("hw.gpu.utilization", point() | {"asDouble": value}))).metrics == []


def test_a_point_with_an_impossible_clock_is_counted_only() -> None:
    found = decoded(body(gauge("hw.gpu.utilization", point(at=1))))
    assert (found.metric_points, found.metrics) == (1, [])


def test_a_malformed_point_is_refused_alone() -> None:
    found = decoded(body(gauge("hw.gpu.utilization", point() | {"timeUnixNano": "noon"}, point())))
    assert (found.refused, len(found.metrics)) == (1, 1)


def test_protobuf_and_json_say_the_same() -> None:
    message = ExportMetricsServiceRequest()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name="vllm:prompt_tokens_total", unit="1")
    metric.sum.aggregation_temporality = 2
    metric.sum.data_points.add(as_int=7, time_unix_nano=NOW_NS, start_time_unix_nano=NOW_NS - 10**9)
    metric.sum.data_points.add(as_double=math.nan, time_unix_nano=NOW_NS)
    counter = {"aggregationTemporality": 2, "dataPoints": [point() | {"asInt": "7", "asDouble": 7.0}]}
    as_json = decoded(body({"name": "vllm:prompt_tokens_total", "unit": "1", "sum": counter}))
    as_protobuf = decoded(message.SerializeToString(), PROTOBUF)
    assert as_protobuf.metrics == as_json.metrics
    assert as_protobuf.metric_points == 2


def test_a_replayed_export_changes_nothing(collector: Collector) -> None:
    content = body(gauge("DCGM_FI_DEV_GPU_UTIL", point(20.0, pod="a"), point(30.0, pod="b")))
    for _ in range(2):
        assert collector.submit(Signal.METRICS, content, JSON).result(30).refused == 0
        assert collector.drain(30)
    stored = collector.store.query("table", name="metrics", order_by="value")
    assert stored["value"].to_pylist() == [20.0, 30.0]
    assert stored["gpu_replica"].to_pylist() == ["a", "b"]
