"""Requests to traffic, and the public Azure traces of 2023."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from tokenpnl_analytics.whatif.hosting.simulation import served
from tokenpnl_analytics.whatif.hosting.speed import Speed
from tokenpnl_analytics.whatif.hosting.traffic import traffic_of

SPEED = Speed(read_per_s=1000.0, written_per_s=100.0, alone_per_s=50.0, most_at_once=16)


def requests(*rows: tuple[int, int, int | None, int]) -> pl.DataFrame:
    start = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
    return pl.DataFrame(
        [(start.replace(minute=minute), read, cached, written) for minute, read, cached, written in rows],
        schema={
            "arrived_at": pl.Datetime("ns", "UTC"),
            "input_tokens": pl.Int64,
            "cached_tokens": pl.Int64,
            "output_tokens": pl.Int64,
        },
        orient="row",
    )


def test_arrivals_are_sorted_and_counted_from_the_full_hour():
    found = traffic_of(requests((40, 500, 100, 10), (30, 2000, None, 50)), prefix_cache=True)
    assert found.arrived_s.tolist() == [1800.0, 2400.0]
    assert found.read.tolist() == [2000.0, 400.0]
    assert traffic_of(requests((40, 500, 100, 10)), prefix_cache=False).read.tolist() == [500.0]


def test_an_hour_is_as_busy_as_its_tokens():
    found = traffic_of(requests((30, 2000, None, 50), (40, 500, None, 10)), prefix_cache=False)
    assert found.hourly_busy_s(SPEED).tolist() == pytest.approx([2.5 + 0.6])


def azure(shared_data: Path, name: str) -> pl.DataFrame:
    csv = pl.read_csv(shared_data / f"reference/azure_2023/AzureLLMInferenceTrace_{name}.csv")
    return csv.select(
        pl.col("TIMESTAMP").str.to_datetime(time_unit="ns", time_zone="UTC").alias("arrived_at"),
        pl.col("ContextTokens").alias("input_tokens"),
        pl.lit(None, pl.Int64).alias("cached_tokens"),
        pl.col("GeneratedTokens").alias("output_tokens"),
    )


@pytest.mark.parametrize(
    ("name", "rows", "read", "written"), [("code", 8819, 1469, 13), ("conv", 19366, 1020, 129)], ids=["code", "conv"]
)
def test_the_azure_traces_have_their_published_sizes(shared_data: Path, name: str, rows: int, read: int, written: int):
    found = azure(shared_data, name)
    assert found.height == rows
    assert found["input_tokens"].median() == read
    assert found["output_tokens"].median() == written


def test_real_arrivals_wait_longer_than_steady_ones(shared_data: Path):
    traffic = traffic_of(azure(shared_data, "code"), prefix_cache=False)
    fast = Speed(read_per_s=12_000.0, written_per_s=2000.0, alone_per_s=50.0, most_at_once=64)
    real = served(traffic.arrived_s, traffic.read, traffic.written, fast, 1)
    n = len(traffic.arrived_s)
    steady = (traffic.arrived_s[-1] - traffic.arrived_s[0]) * pl.int_range(n, eager=True).to_numpy() / n
    even = served(steady, traffic.read, traffic.written, fast, 1)
    assert real.first_token_s(95) > even.first_token_s(95)
