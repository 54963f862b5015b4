"""Every deployment option from the wire to the comparison: recognised, priced or costed, side by side."""

import json
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tokenpnl.tables import ATTEMPTS, LINE_ITEMS, METRICS, RUNS
from tokenpnl_analytics.capacity.deployments import compare
from tokenpnl_analytics.capacity.keeping import CapacityRules
from tokenpnl_analytics.capacity.pools import pool_usage
from tokenpnl_analytics.frames import conform
from tokenpnl_analytics.ledger import Bookkeeper, Policy, Standing
from tokenpnl_analytics.pricing.ratecard import default_rate_card
from tokenpnl_analytics.rules.commitments import CommitmentsFile
from tokenpnl_analytics.rules.gpus import GPUS
from tokenpnl_ingest.collector import Collector
from tokenpnl_ingest.home import Home
from tokenpnl_ingest.serve import CollectorPorts, serving

HOUR = datetime(2026, 11, 20, 9, tzinfo=UTC)
START_NS = int(HOUR.timestamp()) * 10**9
MINUTE_NS = 60 * 10**9
GPU_RULES = GPUS.parse(
    """
    skus: {h100: {usd_per_hour: 3.6}}
    pools:
      - {name: llama, gpu: h100, replicas: 1, from: 2026-11-20T09:00:00Z, match: {deployment: self_host}}
      - {name: fast, gpu: h100, gpus_per_replica: 2, replicas: 1, from: 2026-11-20T09:00:00Z,
         match: {deployment: optimized}}
      - {name: phones, usd_per_hour: 0.06, billing: used, match: {provider: "qualcomm*"}}
    """
)
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 900, "gen_ai.usage.output_tokens": 100}


def attributes(said: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = {str: "stringValue", float: "doubleValue", int: "intValue"}
    return [{"key": key, "value": {kinds[type(value)]: value}} for key, value in said.items()]


def span(
    trace: int,
    number: int,
    said: dict[str, Any],
    *,
    parent: int | None = 0,
    at: float = 0,
    took: float = 1,
    **more: Any,
) -> dict[str, Any]:
    """Return an OTLP/JSON span; `at` and `took` are minutes after nine."""
    start = START_NS + int(at * MINUTE_NS)
    return {
        "traceId": f"{trace:032x}",
        "spanId": f"{trace * 100 + number + 1:016x}",
        **({} if parent is None else {"parentSpanId": f"{trace * 100 + parent + 1:016x}"}),
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + int(took * MINUTE_NS)),
        "attributes": attributes(said),
        **more,
    }


def emitted(spans: list[dict[str, Any]], *, scope: str = "app", **resource: str) -> dict[str, Any]:
    return {
        "resource": {"attributes": attributes({key.replace("__", "."): value for key, value in resource.items()})},
        "scopeSpans": [{"scope": {"name": scope}, "spans": spans}],
    }


def run_span(trace: int) -> dict[str, Any]:
    said = {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "answer",
        "tokenpnl.run.id": f"r{trace}",
    }
    return span(trace, 0, said, parent=None, took=5, name="answer", kind=1)


def asked(provider: str | None, model: str, **more: Any) -> dict[str, Any]:
    named = {} if provider is None else {"gen_ai.provider.name": provider}
    return {**CHAT, **named, "gen_ai.request.model": model, **more}


def triton(trace: int) -> list[dict[str, Any]]:
    """Return the three spans of one request, as `--trace-config mode=opentelemetry` sends them."""
    named = {"triton.model_name": "mixtral", "triton.model_version": "1"}
    compute = [
        {"name": name, "timeUnixNano": str(START_NS + int(at * MINUTE_NS))}
        for name, at in (("COMPUTE_START", 1.25), ("COMPUTE_END", 1.75))
    ]
    return [
        span(trace, 2, {}, parent=1, at=1, name="InferRequest", kind=2),
        span(trace, 3, named, parent=2, at=1, name="mixtral", kind=1),
        span(trace, 4, named, parent=3, at=1.25, took=0.5, name="compute", kind=1, events=compute),
    ]


def everything() -> list[dict[str, Any]]:
    """Return one run for each option, each with one call of a minute."""
    vllm = {
        "gen_ai.usage.prompt_tokens": 900,
        "gen_ai.usage.completion_tokens": 100,
        "gen_ai.latency.time_in_queue": 30.0,
        "gen_ai.latency.time_in_model_inference": 30.0,
    }
    trt = {k: v for k, v in vllm.items() if "inference" not in k} | {"gen_ai.latency.e2e": 45.0}
    tgi = {"total_time": "60s", "queue_time": "15000000µs", "inference_time": "45s", "time_per_token": "10ms"}
    worker = {"component": "backend", "endpoint": "generate", "instance_id": "d-7"}
    client = asked("openai", "llama-3.3-70b", **{"server.address": "10.0.0.5"})
    return [
        emitted([run_span(1), span(1, 1, asked("openai", "gpt-4o-mini", **{"server.address": "api.openai.com"}))]),
        emitted([run_span(2), span(2, 1, asked("aws.bedrock", "amazon.nova-lite-v1:0"))]),
        emitted([run_span(3), span(3, 1, asked("azure.ai.openai", "gpt-4o-mini"))]),
        emitted([run_span(4), span(4, 1, asked("gcp.vertex_ai", "gemini-2.5-flash"))]),
        emitted([run_span(5), span(5, 1, client)]),
        emitted(
            [span(5, 2, vllm, parent=1, name="llm_request", kind=2)], scope="vllm.llm_engine", k8s__pod__name="v-0"
        ),
        emitted([run_span(6), span(6, 1, client, at=2)]),
        emitted(
            [span(6, 2, tgi, parent=1, at=2, name="generate", kind=2)], service__name="text-generation-inference.router"
        ),
        emitted([run_span(7), span(7, 1, asked("triton", "mixtral"), at=1)]),
        emitted(triton(7), scope="triton-server", service__name="triton-inference-server"),
        emitted([run_span(8), span(8, 1, client, at=3)]),
        emitted([span(8, 2, trt, parent=1, at=3, name="llm_request", kind=2)], scope="trt.llm"),
        emitted([run_span(9), span(9, 1, client, at=4)]),
        emitted([span(9, 2, worker, parent=1, at=4, name="handle_payload", kind=2)], service__name="dynamo"),
        emitted([run_span(10), span(10, 1, asked("coreml", "phi-4-mini"))]),
        emitted([run_span(11), span(11, 1, asked("qualcomm_ai", "llama-3.2-3b"))]),
    ]


def load() -> dict[str, Any]:
    """Return the accelerators' use, sent twice with the same cumulative points as exporters do at shutdown."""

    def point(value: float, at: int, **said: str) -> dict[str, Any]:
        when = str(START_NS + at * MINUTE_NS)
        return {"asDouble": value, "timeUnixNano": when, "attributes": attributes(said)}

    gauges = [
        {
            "name": "DCGM_FI_DEV_GPU_UTIL",
            "gauge": {"dataPoints": [point(20.0, 1, pod="v-0"), point(40.0, 2, pod="v-0")]},
        },
        {"name": "vllm:kv_cache_usage_perc", "gauge": {"dataPoints": [point(0.25, 1, pod="v-0")]}},
        {"name": "process.cpu.time", "gauge": {"dataPoints": [point(1.0, 1)]}},
    ]
    return {"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"scope": {"name": "dcgm"}, "metrics": gauges}]}]}


def post(url: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert "partialSuccess" not in json.loads(answer.read())


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """Return a collector that took everything over HTTP, and whose books are kept."""
    home: Path = tmp_path_factory.mktemp("deployments") / "home"
    with serving(Home.at(home), CollectorPorts(0, 0)) as (opened, running):
        for group in everything():
            post(f"{running.http}/v1/traces", {"resourceSpans": [group]})
        for _ in range(2):
            post(f"{running.http}/v1/metrics", load())
        post(f"{running.http}/v1/outcomes", {"run_id": "r5", "status": "success", "at": "2026-11-20T10:00:00Z"})
        assert opened.drain(30)
        rules = Standing(Policy(default_rate_card()), CapacityRules(GPU_RULES))
        Bookkeeper(opened.store, rules, clock=lambda: HOUR + timedelta(hours=1)).catch_up()
        yield opened


@pytest.fixture(scope="module")
def tables(collector: Collector) -> dict[str, pl.DataFrame]:
    wanted = (ATTEMPTS, LINE_ITEMS, RUNS, METRICS)
    return {t.name: conform(pl.DataFrame(collector.store.query("table", name=t.name)), t) for t in wanted}


def test_each_option_is_recognised_and_each_call_counted_once(tables: dict[str, pl.DataFrame]) -> None:
    found = (
        tables["attempts"].sort(pl.col("run_id").str.slice(1).cast(pl.Int64)).select("run_id", "deployment", "provider")
    )
    assert found.rows() == [
        ("r1", "managed_api", "openai"),
        ("r2", "cloud", "aws"),
        ("r3", "cloud", "azure"),
        ("r4", "cloud", "google"),
        ("r5", "self_host", "vllm"),
        ("r6", "self_host", "tgi"),
        ("r7", "optimized", "triton"),
        ("r8", "optimized", "tensorrt_llm"),
        ("r9", "optimized", "dynamo"),
        ("r10", "edge", "coreml"),
        ("r11", "edge", "qualcomm_ai"),
    ]
    assert tables["attempts"]["input_total_tokens"].to_list() == [900] * 11


def test_the_server_s_span_adds_time_at_work_queue_and_replica(tables: dict[str, pl.DataFrame]) -> None:
    attempts = {row["run_id"]: row for row in tables["attempts"].iter_rows(named=True)}
    told = {run: (attempts[run]["inference_ms"], attempts[run]["queue_ms"]) for run in ("r5", "r6", "r7", "r8", "r9")}
    assert told == {
        "r5": (30_000.0, 30_000.0),
        "r6": (45_000.0, 15_000.0),
        "r7": (30_000.0, None),
        "r8": (15_000.0, 30_000.0),
        "r9": (None, None),
    }
    assert (attempts["r5"]["gpu_replica"], attempts["r9"]["gpu_replica"]) == ("v-0", "d-7")


def test_own_servers_cost_time_at_work_and_the_rest_of_the_hour_is_idle(tables: dict[str, pl.DataFrame]) -> None:
    gpu = tables["line_items"].filter(pl.col("usage_kind") == "gpu_time")
    costs = {(row["pool"], row["run_id"]): row["cost_usd"] for row in gpu.iter_rows(named=True)}
    # $3.60 an hour is 6 cents a minute; the pool `fast` has two accelerators.
    assert costs[("llama", "r5")] == Decimal("0.03")
    assert costs[("llama", "r6")] == Decimal("0.045")
    assert costs[("fast", "r7")] == Decimal("0.06")
    assert costs[("fast", "r8")] == Decimal("0.03")
    assert costs[("fast", "r9")] == Decimal("0.12")
    assert costs[("phones", "r11")] == Decimal("0.001")
    assert gpu.filter(pl.col("pool") == "llama")["cost_usd"].sum() == Decimal("3.6")
    assert gpu.filter(pl.col("pool") == "fast")["cost_usd"].sum() == Decimal("7.2")


def test_the_options_stand_side_by_side(tables: dict[str, pl.DataFrame]) -> None:
    found = compare(tables["line_items"], tables["attempts"], tables["runs"])
    rows = {row["deployment"]: row for row in found.iter_rows(named=True)}
    assert list(rows) == ["managed_api", "cloud", "self_host", "optimized", "edge"]
    assert [row["calls"] for row in rows.values()] == [1, 3, 2, 3, 2]
    assert [row["cost_basis"] for row in rows.values()] == ["tokens", "tokens", "gpu_time", "gpu_time", "gpu_time"]
    # 900 x $0.15 + 100 x $0.60 a million.
    assert rows["managed_api"]["cost_usd"] == Decimal("0.000195")
    assert (rows["self_host"]["cost_usd"], rows["self_host"]["idle_usd"]) == (Decimal("0.075"), Decimal("3.525"))
    assert rows["self_host"]["usd_per_million_tokens"] == Decimal(1800)
    assert rows["self_host"]["latency_p50_ms"] == 60_000
    assert rows["self_host"]["usd_per_workflow_success"] == Decimal("3.6")


def test_use_that_was_measured_stands_beside_what_was_allocated(tables: dict[str, pl.DataFrame]) -> None:
    assert tables["metrics"].height == 3
    found = pool_usage(
        tables["line_items"], tables["attempts"], tables["metrics"], GPU_RULES, CommitmentsFile()
    ).filter(pl.col("pool") == "llama")
    row = found.row(0, named=True)
    assert (row["gpu_use"], row["cache_use"], row["n_points"]) == (pytest.approx(0.3), 0.25, 3)
    assert row["allocated_share"] == pytest.approx(0.075 / 3.6)
    assert row["usd_per_million_tokens"] == Decimal(1800)
    assert row["floor_usd_per_million_tokens"] == Decimal("37.5")
    assert row["reading"] == "idle"
