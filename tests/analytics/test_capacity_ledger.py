"""Capacity is booked by the hour: late requests, changed outcomes and changed rules book the hours again."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from tests.analytics.desk import SECOND_NS, START_NS, Desk, Span, call, desk_at, run

from tokenpnl_analytics.capacity.keeping import CapacityRules, keep_capacity
from tokenpnl_analytics.ledger import Bookkeeper, Policy, Standing
from tokenpnl_analytics.pricing.ratecard import default_rate_card
from tokenpnl_analytics.rules.gpus import GPUS

HOUR = datetime.fromtimestamp(START_NS / 1e9, UTC).replace(minute=0, second=0)
POOL = f"""
pools:
  - {{name: house, usd_per_hour: 3.6, replicas: 1, from: {HOUR.isoformat()}, match: {{provider: vllm}}}}
"""
UNDATED = "pools: [{name: house, usd_per_hour: 3.6, replicas: 1, match: {provider: vllm}}]"
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


def shifted(spans: list[Span], *, by: timedelta, longer: timedelta = timedelta(0)) -> list[Span]:
    """Return the spans at another time."""
    start_ns, more_ns = (int(part.total_seconds()) * SECOND_NS for part in (by, by + longer))
    moved = {"startTimeUnixNano": start_ns, "endTimeUnixNano": more_ns}
    return [{**one, **{name: str(int(one[name]) + moved[name]) for name in moved}} for one in spans]


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


def test_capacity_is_read_in_the_reverse_order_of_rules_too(desk: Desk) -> None:
    broken = {"tokenpnl.output.valid": False, "tokenpnl.call.id": "c"}
    again = {"tokenpnl.call.id": "c", "tokenpnl.attempt.reason": "schema"}
    desk.take([run(1, "r1"), call(1, 1, parent=0, **SERVED, **broken), call(1, 2, parent=0, **SERVED, **again)])
    desk.tell("r1", "failure")
    lines = pl.DataFrame(desk.collector.store.query("table", name="line_items", where={"usage_kind": ["gpu_time"]}))
    first = lines.filter(pl.col("cost_category") == "schema_violation")
    assert first.select("reversed_category", "cause_provider").rows() == [("failed_run", "vllm")]


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


def test_a_request_of_many_hours_costs_the_same_in_each_of_them_however_late_the_hour_is_booked(
    desk: Desk, clock: Clock
) -> None:
    desk.take(shifted(served(1), by=timedelta(0), longer=timedelta(hours=9)))
    for _ in range(9):
        clock.now += timedelta(hours=1)
        desk.keeper.catch_up()
    # Eleven hours are over; the request was at work for nine of them and half a second.
    assert spent(desk) == {"idle_capacity": Decimal("7.1995"), "pending": Decimal("32.4005")}


def test_what_a_server_tells_in_a_trace_of_its_own_moves_the_capacity_of_its_client(desk: Desk) -> None:
    client = call(1, 1, parent=0, **SERVED, **{"gen_ai.response.id": "answer"})
    desk.take([run(1, "r1"), client])
    told = {"gen_ai.response.id": "answer", "gen_ai.latency.time_in_model_prefill": "0.1"}
    server = call(1, 1, name="llm_request", scope="vllm", **SERVED, **told, **{"gen_ai.latency.time_in_queue": "0.1"})
    desk.take([{**server, "traceId": f"{77:032x}", "spanId": f"{77:016x}"}])
    # A tenth of a second at work instead of the half second that the client waited.
    assert spent(desk) == {"idle_capacity": Decimal("7.1999"), "pending": Decimal("0.0001")}


def test_a_pool_that_always_was_is_paid_from_the_first_request_whenever_that_arrives(desk: Desk, clock: Clock) -> None:
    desk.keeper = keeper_of(desk, UNDATED, clock)
    for _ in range(2):
        desk.keeper.catch_up()
        clock.now += timedelta(hours=1)
    assert spent(desk) == {}
    desk.take(served(1))
    assert sum(spent(desk).values()) == Decimal("14.4")
    desk.take(shifted(served(2), by=-timedelta(hours=3)))
    assert sum(spent(desk).values()) == Decimal("25.2")


def test_booking_a_part_of_an_hour_again_leaves_the_hour_paid(desk: Desk, clock: Clock) -> None:
    desk.take(served(1))
    half = (HOUR, HOUR + timedelta(minutes=30))
    keep_capacity(desk.collector.store, CapacityRules(GPUS.parse(POOL)), booked=1, now=clock.now, again=[half])
    assert sum(spent(desk).values()) == Decimal("7.2")
