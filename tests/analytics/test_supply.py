"""What capacity costs, hour by hour."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.capacity.supply import HOUR_NS, Tariff, buckets, nanoseconds

NOON = nanoseconds(datetime(2026, 11, 1, 12, tzinfo=UTC))
PICO = 10**12


def tariff(**changed: object) -> Tariff:
    plain: dict[str, object] = {
        "pool": "p", "from_ns": None, "until_ns": None, "units": 1, "usd_per_hour": Decimal("2.49"),
    }  # fmt: skip
    return Tariff(**(plain | changed))  # type: ignore[arg-type]


def paid(tariff: Tariff, since: int, until: int) -> list[int]:
    return buckets([tariff], since_ns=since, until_ns=until)["paid"].to_list()


def test_an_hour_costs_units_times_price() -> None:
    assert paid(tariff(units=3), NOON, NOON + HOUR_NS) == [7_470_000_000_000]


def test_hours_are_those_of_utc_and_cut_at_the_period() -> None:
    found = buckets([tariff()], since_ns=NOON + HOUR_NS // 2, until_ns=NOON + 2 * HOUR_NS)
    assert found["hour_ns"].to_list() == [NOON, NOON + HOUR_NS]
    assert found["paid"].to_list() == [1_245_000_000_000, 2_490_000_000_000]


def test_a_tariff_is_paid_only_while_it_holds() -> None:
    assert paid(tariff(from_ns=NOON + HOUR_NS), NOON, NOON + HOUR_NS) == []


def test_an_upfront_payment_is_spread_by_hours() -> None:
    term = (NOON, NOON + 3 * HOUR_NS)
    upfront = tariff(usd_per_hour=Decimal(0), upfront_usd=Decimal(1), term_ns=term, from_ns=term[0], until_ns=term[1])
    hours = paid(upfront, *term)
    assert hours == [333_333_333_333, 333_333_333_334, 333_333_333_333]
    assert sum(hours) == PICO


@given(st.lists(st.integers(0, 3 * HOUR_NS), max_size=6), st.decimals(0, 100, places=6))
def test_the_parts_of_any_division_of_time_sum_to_the_whole(cuts: list[int], price: Decimal) -> None:
    term = (NOON, NOON + 3 * HOUR_NS)
    both = tariff(usd_per_hour=price, upfront_usd=Decimal(7), term_ns=term, from_ns=term[0], until_ns=term[1])
    moments = sorted({*term, *(NOON + cut for cut in cuts)})
    parts = [sum(paid(both, begin, end)) for begin, end in pairwise(moments)]
    assert sum(parts) == (price * 3 + 7) * PICO
