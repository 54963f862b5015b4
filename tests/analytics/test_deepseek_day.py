"""DeepSeek's published day of inference, reproduced as a P&L through our own pool, prices and categories.

The source gives rounded totals (608B input tokens, 342B of them cached, 168B output), so revenue is only known within
their rounding: half a billion tokens of each, at its price, is $1,440. Ours, $562,100, lies $73 above the published.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from tests.analytics.conftest import attempts_of, runs_of

from tokenpnl_analytics.capacity.items import capacity_lines
from tokenpnl_analytics.capacity.pools import pool_usage
from tokenpnl_analytics.classify import classify
from tokenpnl_analytics.pricing.layered import card_of
from tokenpnl_analytics.pricing.prices import charge
from tokenpnl_analytics.rules.commitments import CommitmentsFile
from tokenpnl_analytics.rules.gpus import GPUS
from tokenpnl_analytics.rules.prices import OVERRIDE

# UTC+8 02/27/2025 12:00 PM to 02/28/2025 12:00 PM
NOON = datetime(2025, 2, 27, 4, tzinfo=UTC)
DAY = timedelta(hours=24)
BILLION = 10**9


@pytest.fixture(scope="module")
def said(shared_data: Path) -> dict[str, Decimal]:
    """Return the published figures, read from the text."""
    text = (shared_data / "reference" / "deepseek_day6" / "day6.md").read_text(encoding="utf-8")
    patterns = {
        "nodes": r"average occupancy of ([\d.]+) nodes",
        "gpus": r"each node contains (\d+) H800 GPUs",
        "usd_per_hour": r"one H800 GPU is \$([\d.]+) per hour",
        "cost": r"total daily cost amounts to \$([\d,]+)",
        "input": r"Total input tokens: ([\d.]+)B",
        "cached": r"of which ([\d.]+)B tokens",
        "output": r"Total output tokens: ([\d.]+)B",
        "prefill_rate": r"~([\d.]+)k tokens/s input",
        "decode_rate": r"~([\d.]+)k tokens/s output",
        "revenue": r"total daily revenue would be \$([\d,]+\d)",
        "margin_percent": r"cost profit margin of ([\d.]+)%",
        "usd_cached": r"\\\$([\d.]+)/M input tokens \(cache hit\)",
        "usd_input": r"\\\$([\d.]+)/M input tokens \(cache miss\)",
        "usd_output": r"\$([\d.]+)/M output tokens",
    }
    found = {name: re.search(pattern, text) for name, pattern in patterns.items()}
    assert all(found.values()), [name for name, match in found.items() if match is None]
    return {name: Decimal(match[1].replace(",", "")) for name, match in found.items() if match is not None}


@pytest.fixture(scope="module")
def attempts(said: dict[str, Decimal]) -> pl.DataFrame:
    """Return the day's traffic as 24 attempts of an hour that keep the fleet busy all day."""
    tokens = {name: int(said[name] * BILLION) for name in ("input", "cached", "output")}
    hours = []
    for hour in range(24):
        begun = NOON + timedelta(hours=hour)
        usage = {name: whole // 24 + (hour < whole % 24) for name, whole in tokens.items()}
        hours.append(
            {
                "attempt_id": f"hour{hour:02}",
                "provider": "sglang",
                "model": "deepseek-r1",
                "deployment": "self_host",
                "started_at": begun,
                "ended_at": begun + timedelta(hours=1),
                "input_total_tokens": usage["input"],
                "input_uncached_tokens": usage["input"] - usage["cached"],
                "input_cache_read_tokens": usage["cached"],
                "output_total_tokens": usage["output"],
                "output_text_tokens": usage["output"],
            }
        )
    return attempts_of(*hours)


@pytest.fixture(scope="module")
def lines(said: dict[str, Decimal], attempts: pl.DataFrame) -> pl.DataFrame:
    # 226.75 nodes on average: 227 nodes for three quarters of the day, 226 for the rest.
    rules = GPUS.parse(
        f"""
        pools:
          - name: inference
            gpu: h800
            usd_per_hour: {said["usd_per_hour"]}
            gpus_per_replica: {said["gpus"]}
            replicas:
              - {{to: {(NOON + DAY * 3 / 4).isoformat()}, count: {int(said["nodes"]) + 1}}}
              - {{from: {(NOON + DAY * 3 / 4).isoformat()}, count: {int(said["nodes"])}}}
        """
    )
    runs = runs_of({"run_id": "r1", "outcome": "success"})
    return capacity_lines(classify(attempts, runs), rules, CommitmentsFile(), since=NOON, until=NOON + DAY)


@pytest.fixture(scope="module")
def revenue(said: dict[str, Decimal], attempts: pl.DataFrame) -> Decimal:
    """Return what the tokens would have been billed at R1's price, by a price rule of our own."""
    override = OVERRIDE.parse(
        f"""
        rules:
          - match: {{provider: deepseek, model: deepseek-r1}}
            prices:
              input_uncached: {said["usd_input"]}
              input_cache_read: {said["usd_cached"]}
              output_text: {said["usd_output"]}
              output_reasoning: {said["usd_output"]}
        """
    )
    sold = attempts.with_columns(provider=pl.lit("deepseek"), deployment=pl.lit("managed_api"))
    billed = charge(sold, attempts_of().select("tenant", "trace_id", "span_id").clear(), card_of(override=override))
    assert billed["cost_source"].unique().to_list() == ["computed"]
    return billed["cost_usd"].sum()  # type: ignore[return-value]


def test_the_fleet_of_the_day_cost_what_was_published(said: dict[str, Decimal], lines: pl.DataFrame) -> None:
    assert lines["cost_usd"].sum() == said["cost"] == Decimal(87_072)
    assert lines["cost_category"].unique().to_list() == ["productive"]


def test_the_revenue_at_r1_s_prices_is_the_published_one_within_the_rounding_of_the_counts(
    said: dict[str, Decimal], revenue: Decimal
) -> None:
    half_a_billion = Decimal(BILLION) / 2 / 1_000_000
    tolerance = half_a_billion * (said["usd_cached"] + said["usd_input"] + said["usd_output"])
    assert revenue == Decimal(562_100)
    assert tolerance == Decimal(1_440)
    assert said["revenue"] == Decimal(562_027)
    assert abs(revenue - said["revenue"]) <= tolerance


def test_the_markup_on_cost_and_the_margin_on_revenue_are_two_figures(
    said: dict[str, Decimal], revenue: Decimal, lines: pl.DataFrame
) -> None:
    cost = lines["cost_usd"].sum()
    assert isinstance(cost, Decimal)
    assert round((revenue - cost) / cost * 100) == said["margin_percent"] + 1  # 545.56 from the rounded counts
    assert int((said["revenue"] - cost) / cost * 100) == said["margin_percent"] == 545
    assert round((revenue - cost) / revenue * 100, 1) == Decimal("84.5")


def test_a_million_tokens_cost_the_pool_eleven_cents(
    said: dict[str, Decimal], lines: pl.DataFrame, attempts: pl.DataFrame
) -> None:
    points = pl.DataFrame(schema={"name": pl.String, "value": pl.Float64})
    row = pool_usage(lines, attempts, points, GPUS.model(), CommitmentsFile()).row(0, named=True)
    assert row["tokens"] == 776 * BILLION
    assert round(row["usd_per_million_tokens"], 6) == Decimal("0.112206")
    assert (row["allocated_share"], row["idle_usd"]) == (1.0, 0)
    assert row["hours"] == 226.75 * 8 * 24


def test_the_throughput_of_a_node_fits_the_counts(said: dict[str, Decimal], lines: pl.DataFrame) -> None:
    # Prefill and decode run on nodes of their own, so the two rates say how many nodes each needed.
    node_seconds = Decimal(lines["quantity"].sum()) / said["gpus"] / 1_000_000
    prefill = said["input"] * BILLION / (said["prefill_rate"] * 1_000) / node_seconds
    decode = said["output"] * BILLION / (said["decode_rate"] * 1_000) / node_seconds
    assert (round(prefill, 2), round(decode, 2)) == (Decimal("0.42"), Decimal("0.58"))
    assert abs(prefill + decode - 1) < Decimal("0.01")
