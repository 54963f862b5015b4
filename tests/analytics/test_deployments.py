"""Deployment options side by side."""

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from tests.analytics.conftest import runs_of
from tests.analytics.test_capacity import HOUR, NONE, NOON, ONE_GPU, served

from tokenpnl_analytics.capacity.deployments import compare
from tokenpnl_analytics.capacity.items import capacity_lines
from tokenpnl_analytics.pricing.prices import charge
from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.rules.gpus import GpusFile

TOKENS = {"input_total_tokens": 900_000, "input_uncached_tokens": 900_000, "output_total_tokens": 0}
API = {"provider": "openai", "model": "gpt-4o-mini", "deployment": "managed_api", "latency_ms": 500.0, **TOKENS}
OWN = {"latency_ms": 1_000.0, **TOKENS}


def compared(
    card: RateCard, *attempts: dict[str, Any], gpus: GpusFile = ONE_GPU, **where: list[str | None]
) -> dict[str, dict[str, Any]]:
    frame = served(*({"workflow": "w", **one} for one in attempts))
    fees = pl.DataFrame(schema={"fee_usd": pl.Decimal(38, 12)})
    tokens = charge(frame, fees, card)
    lines = pl.concat([tokens, capacity_lines(frame, gpus, NONE, since=NOON, until=NOON + HOUR)], how="diagonal")
    runs = runs_of({"run_id": "r1", "workflow": "w", "outcome": "success"}, {"run_id": "r2", "workflow": "w"})
    return {row["deployment"]: row for row in compare(lines, frame, runs, where).iter_rows(named=True)}


def test_the_same_work_by_api_and_by_a_gpu_at_a_fifth_of_its_time_differ_by_the_idle_share(card: RateCard) -> None:
    rows = compared(card, API, {"took": 0.2, **OWN})
    own = rows["self_host"]
    assert rows["managed_api"]["total_usd"] == rows["managed_api"]["cost_usd"] == Decimal("0.135")
    assert (own["cost_usd"], own["idle_usd"], own["total_usd"]) == (Decimal("0.498"), Decimal("1.992"), Decimal("2.49"))
    assert own["usd_per_million_tokens"] == Decimal("2.766666666667")


def test_contributions_of_the_options_add_up_to_the_cost_of_a_success(card: RateCard) -> None:
    rows = compared(card, API, {"took": 0.2, **OWN})
    assert sum(row["usd_per_workflow_success"] for row in rows.values()) == Decimal("2.625")


def test_options_are_fast_or_slow_with_the_number_behind_it(card: RateCard) -> None:
    rows = compared(card, API, {**API, "latency_ms": 1_500.0}, {**API, "latency_ms": None})
    row = rows["managed_api"]
    assert (row["latency_p50_ms"], row["latency_p95_ms"], row["timed"], row["calls"]) == (1_000.0, 1_450.0, 2, 3)


@pytest.mark.parametrize(
    ("deployment", "provider", "basis", "cost"),
    [("self_host", "vllm", "no_pool", None), ("edge", "coreml", "device", Decimal(0))],
)
def test_what_nobody_stated_a_price_for(
    card: RateCard, deployment: str, provider: str, basis: str, cost: Decimal | None
) -> None:
    row = compared(card, {**OWN, "deployment": deployment, "provider": provider}, gpus=GpusFile())[deployment]
    assert (row["cost_basis"], row["cost_usd"], row["total_usd"]) == (basis, cost, cost)


def test_an_option_that_nothing_tells_is_a_row_of_its_own(card: RateCard) -> None:
    row = compared(card, {**API, "deployment": None})["(unknown)"]
    assert (row["calls"], row["cost_basis"], row["cost_usd"]) == (1, "tokens", Decimal("0.135"))


def test_a_customer_s_options_bear_its_share_of_the_idle_time(card: RateCard) -> None:
    both = [{"took": 0.2, "customer_id": "acme", **OWN}, {"at": 0.5, "took": 0.2, "customer_id": None, **OWN}]
    acme, nobody = (compared(card, *both, customer_id=[name])["self_host"] for name in ("acme", None))
    assert (acme["cost_usd"], acme["idle_usd"]) == (Decimal("0.498"), Decimal("0.747"))
    assert acme["total_usd"] + nobody["total_usd"] == Decimal("2.49")
