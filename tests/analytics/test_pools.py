"""Pools: what was paid and held, beside what was measured."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from tests.analytics.test_capacity import NOON, served

from tokenpnl.tables import METRICS
from tokenpnl_analytics.capacity.items import capacity_lines
from tokenpnl_analytics.capacity.pools import measured, pool_usage
from tokenpnl_analytics.frames import conform
from tokenpnl_analytics.rules.commitments import COMMITMENTS, CommitmentsFile
from tokenpnl_analytics.rules.gpus import GPUS, GpusFile

HOUR = timedelta(hours=1)
POOL = GPUS.parse("pools: [{name: chat, usd_per_hour: 4, replicas: 1}]")
TOKENS = {"input_total_tokens": 900_000, "output_total_tokens": 100_000}


def points(*rows: dict[str, Any]) -> pl.DataFrame:
    plain = {
        "tenant": "default", "name": "DCGM_FI_DEV_GPU_UTIL", "measured_at": NOON, "value": 50.0,
        "attributes_json": "{}", "resource_hash": "r", "content_hash": "c", "batch_no": 1,
        "gpu_replica": None, "model": None,
    }  # fmt: skip
    if not rows:
        return METRICS_EMPTY
    return conform(pl.DataFrame([plain | row for row in rows], infer_schema_length=None), METRICS)


METRICS_EMPTY = conform(points({}), METRICS).clear()


def usage(
    attempts: pl.DataFrame, measured_points: pl.DataFrame, gpus: GpusFile = POOL, rules: CommitmentsFile | None = None
) -> dict[str, Any]:
    rules = rules or CommitmentsFile()
    lines = capacity_lines(attempts, gpus, rules, since=NOON, until=NOON + HOUR)
    return pool_usage(lines, attempts, measured_points, gpus, rules).row(0, named=True)


def test_the_utilisation_tax_is_what_idle_time_adds_to_a_million_tokens() -> None:
    row = usage(served({"took": 0.25, **TOKENS}), points())
    assert (row["paid_usd"], row["allocated_usd"], row["idle_usd"]) == (Decimal(4), Decimal(1), Decimal(3))
    assert (row["usd_per_million_tokens"], row["floor_usd_per_million_tokens"]) == (Decimal(4), Decimal(1))
    assert (row["tax_usd_per_million_tokens"], row["tokens"], row["hours"]) == (Decimal(3), 1_000_000, 1.0)
    assert row["tokens_per_second"] == pytest.approx(1_000_000 / 900)


@pytest.mark.parametrize(
    ("took", "use", "reading"),
    [(0.9, 10.0, "utilisation"), (0.2, 90.0, "model"), (0.2, 10.0, "idle"), (0.9, 90.0, "busy"), (0.5, 50.0, None)],
)
def test_allocation_and_use_are_read_together(took: float, use: float, reading: str | None) -> None:
    row = usage(served({"took": took}), points({"value": use}))
    assert (row["reading"], row["gpu_use"]) == (reading, pytest.approx(use / 100))


def test_use_that_nobody_measured_is_unknown() -> None:
    row = usage(served({"took": 0.9}), points())
    assert (row["gpu_use"], row["reading"], row["n_points"]) == (None, None, 0)


def test_a_replica_that_reports_more_often_does_not_count_more() -> None:
    often = [{"gpu_replica": "a", "value": 10.0}] * 3
    found = measured(points(*often, {"gpu_replica": "b", "value": 30.0}), served(), POOL).row(0, named=True)
    assert (found["gpu_use"], found["n_points"]) == (pytest.approx(0.2), 4)


def test_requests_at_work_are_summed_over_replicas() -> None:
    running = [{"name": "vllm:num_requests_running", "gpu_replica": name, "value": 3.0} for name in ("a", "b")]
    assert measured(points(*running), served(), POOL)["running"].to_list() == [6.0]


def test_a_point_belongs_to_the_pool_of_its_replica_else_to_the_one_that_it_matches() -> None:
    gpus = GPUS.parse(
        """
        pools:
          - {name: llama, usd_per_hour: 1, replicas: 1, match: {model: "llama*"}}
          - {name: qwen, usd_per_hour: 1, replicas: 1, match: {model: "qwen*"}}
        """
    )
    attempts = served({"model": "qwen3", "gpu_replica": "pod-q"})
    told = points(
        {"gpu_replica": "pod-q", "value": 20.0},
        {"name": "vllm:kv_cache_usage_perc", "model": "llama-3", "gpu_replica": "pod-l", "value": 0.5},
        {"gpu_replica": "stranger", "value": 90.0},
    )
    found = measured(told, attempts, gpus)
    assert found.select("pool", "gpu_use", "cache_use").rows() == [
        ("llama", None, 0.5),
        ("qwen", pytest.approx(0.2), None),
    ]


def test_utilisation_of_a_commitment_without_a_stated_capacity_is_unknown() -> None:
    rules = COMMITMENTS.parse("commitments: [{name: p, usd_per_hour: 5, match: {provider: aws}}]")
    attempts = served(TOKENS, provider="aws", deployment="cloud")
    row = usage(attempts, points(), GpusFile(), rules)
    assert (row["paid_usd"], row["allocated_share"], row["usage_kind"]) == (Decimal(5), None, "commitment")


def test_without_capacity_there_are_no_rows() -> None:
    attempts = served({})
    none = capacity_lines(attempts, GpusFile(), CommitmentsFile(), since=NOON, until=NOON + HOUR)
    assert pool_usage(none, attempts, points(), GpusFile(), CommitmentsFile()).is_empty()
