"""Capacity is booked by the hour: late requests, changed outcomes and changed rules book the hours again."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from tests.analytics.desk import START_NS, Desk, Span, call, desk_at, run

from tokenpnl_analytics.capacity.keeping import CapacityRules
from tokenpnl_analytics.ledger import Bookkeeper, Policy, Standing
from tokenpnl_analytics.pricing.ratecard import default_rate_card
from tokenpnl_analytics.rules.gpus import GPUS

HOUR = datetime.fromtimestamp(START_NS / 1e9, UTC).replace(minute=0, second=0)
POOL = f"""
pools:
  - {{name: house, usd_per_hour: 3.6, replicas: 1, from: {HOUR.isoformat()}, match: {{provider: vllm}}}}
"""
SERVED = {"gen_ai.provider.name": "vllm", "gen_ai.request.model": "llama-3.3-8b"}


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = HOUR + timedelta(hours=2, minutes=30)

    def __call__(self) -> datetime:
        return self.now


def keeper_of(desk: Desk, rules: str, clock: Clock) -> Bookkeeper:
    told = Standing(Policy(default_rate_card()), CapacityRules(GPUS.parse(rules)))
    return Bookkeeper(desk.collector.store, told, clock=clock)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(tmp_path: Path, clock: Clock) -> Iterator[Desk]:
    with desk_at(tmp_path / "home") as opened:
        opened.keeper = keeper_of(opened, POOL, clock)
        yield opened


def served(trace: int) -> list[Span]:
    """Return a run with one call of half a second on our own GPU."""
    return [run(trace, f"r{trace}"), call(trace, 1, parent=0, **SERVED)]


def spent(desk: Desk) -> dict[str, Decimal]:
    lines = pl.DataFrame(desk.collector.store.query("table", name="line_items"))
    gpu = lines.filter(pl.col("usage_kind") == "gpu_time")
    return dict(gpu.group_by("cost_category").agg(pl.col("cost_usd").sum()).sort("cost_category").iter_rows())


def test_hours_that_are_over_are_paid_used_or_not(desk: Desk) -> None:
    desk.take(served(1))
    # Half a second of $3.60 an hour; two hours are over.
    assert spent(desk) == {"idle_capacity": Decimal("7.1995"), "pending": Decimal("0.0005")}


def test_an_hour_is_booked_when_it_is_over(desk: Desk, clock: Clock) -> None:
    desk.take(served(1))
    clock.now += timedelta(hours=1)
    desk.keeper.catch_up()
    assert sum(spent(desk).values()) == Decimal("10.8")


def test_a_late_request_takes_from_what_was_idle(desk: Desk) -> None:
    desk.take(served(1))
    desk.take(served(2))
    assert spent(desk) == {"idle_capacity": Decimal("7.199"), "pending": Decimal("0.001")}


def test_an_outcome_moves_the_capacity_of_its_run_to_its_category(desk: Desk) -> None:
    desk.take(served(1))
    desk.tell("r1", "success")
    assert spent(desk) == {"idle_capacity": Decimal("7.1995"), "productive": Decimal("0.0005")}


def test_changed_rules_book_every_hour_again_and_no_rules_take_all_away(desk: Desk, clock: Clock) -> None:
    desk.take(served(1))
    desk.keeper = keeper_of(desk, POOL.replace("3.6", "7.2"), clock)
    desk.keeper.catch_up()
    assert spent(desk) == {"idle_capacity": Decimal("14.399"), "pending": Decimal("0.001")}
    desk.keeper = keeper_of(desk, "", clock)
    desk.keeper.catch_up()
    assert spent(desk) == {}


def test_sums_of_line_items_cover_capacity(desk: Desk) -> None:
    desk.take(served(1))
    sums = pl.DataFrame(desk.collector.store.query("line_item_sums", by=["pool"]))
    assert dict(sums.select("pool", "cost_usd").iter_rows()) == {"house": Decimal("7.2"), None: None}
