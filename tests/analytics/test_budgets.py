"""A budget says what is gone, how fast, where the month ends, and when each threshold is crossed."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from tokenpnl_analytics.frames import MONEY, TIME
from tokenpnl_analytics.planning.budgets import Burn, Standing, budget_table, burn, span_of
from tokenpnl_analytics.rules.budgets import Budget

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)
LATE = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
NOON = datetime(2026, 11, 11, 12, tzinfo=UTC)  # ten and a half days into November
HOUR = timedelta(hours=1)
COUNTS = ("n_calls", "tokens", "n_lines", "n_unpriced_lines")


def hourly(until: datetime, *, usd: str = "0.25", unpriced: int = 0) -> pl.DataFrame:
    hours = [BEGIN + HOUR * number for number in range(int((until - BEGIN) / HOUR))]
    return pl.DataFrame(
        {
            "hour": hours,
            "n_calls": 10,
            "tokens": 1000,
            "cost_usd": [Decimal(usd)] * len(hours),
            "n_lines": 20,
            "n_unpriced_lines": unpriced,
        },
        schema_overrides={"hour": TIME, "cost_usd": MONEY, **dict.fromkeys(COUNTS, pl.Int64)},
    )


def budget(amount: str, **changes: object) -> Budget:
    return Budget.model_validate({"name": "all", "amount_usd": Decimal(amount)} | changes)


def read(
    amount: str, *, as_of: datetime = NOON, lines: pl.DataFrame | None = None, zone: str = "UTC", **rule: object
) -> Burn:
    asked = budget(amount, **rule)
    frame = hourly(as_of) if lines is None else lines
    span = span_of(asked, as_of, zone)
    return burn(asked, frame, as_of=as_of, span=span, zone=zone, chance=np.random.default_rng(1))


def test_spent_is_exact_and_its_rate_is_per_day():
    found = read("180")
    assert found.spent_usd == Decimal("63.00")  # 252 hours at a quarter
    assert found.run_rate_usd_per_day == Decimal(6)
    assert found.spent_share == 0.35
    assert found.elapsed_share == pytest.approx(10.5 / 30)
    assert found.days_left == 19.5


def test_the_month_ends_at_what_is_spent_and_what_is_still_to_come():
    end = read("180").end
    assert end == pytest.approx((180.0, 180.0, 180.0))  # a quarter of an hour's dollar, 720 hours


@pytest.mark.parametrize(
    ("amount", "standing"), [("63", "over"), ("179", "will_overrun"), ("181", "within")],
)  # fmt: skip
def test_a_budget_stands_by_what_is_spent_and_where_it_ends(amount: str, standing: str):
    assert read(amount).standing == standing


def test_a_budget_may_overrun_by_its_upper_bound_alone():
    draws = np.random.default_rng(3)
    lines = hourly(NOON)
    uneven = lines.with_columns(
        (pl.col("cost_usd") * pl.Series(draws.integers(0, 3, lines.height), dtype=pl.Int64)).cast(MONEY)
    )
    estimate, low, high = read("1", lines=uneven).end or (0, 0, 0)
    assert low < estimate < high
    assert read(f"{(estimate + high) / 2:.2f}", lines=uneven).standing is Standing.MAY_OVERRUN


def test_thresholds_are_crossed_at_the_end_of_the_hour_or_of_the_forecast_day():
    rows = read("100").thresholds.rows()
    first = datetime(2026, 11, 1, tzinfo=UTC)
    assert rows == [
        ("actual", 50, Decimal(50), True, first + 200 * HOUR),
        ("actual", 80, Decimal(80), False, None),
        ("actual", 100, Decimal(100), False, None),
        ("forecast", 50, Decimal(50), True, None),
        ("forecast", 80, Decimal(80), True, datetime(2026, 11, 15, tzinfo=UTC)),  # 84 at the end of the 14th
        ("forecast", 100, Decimal(100), True, datetime(2026, 11, 18, tzinfo=UTC)),  # 102 at the end of the 17th
    ]


def test_the_next_threshold_is_in_the_table():
    row = budget_table([read("100", owner="Ana", where={"workflow": "w"})]).row(0, named=True)
    assert (row["next_percent"], row["next_at"]) == (80, datetime(2026, 11, 15, tzinfo=UTC))
    assert (row["node"], row["owner"], row["period"], row["standing"]) == (
        "workflow w",
        "Ana",
        "2026-11",
        "will_overrun",
    )


def test_a_month_that_is_over_has_nothing_to_come():
    asked = budget("100")
    span = span_of(asked, datetime(2026, 10, 15, tzinfo=UTC), "UTC")
    found = burn(asked, hourly(NOON), as_of=NOON, span=span, zone="UTC", chance=np.random.default_rng(1))
    assert found.ahead is None
    assert found.spent_usd == Decimal(186)
    assert found.days_left == 0
    assert found.standing is Standing.OVER


def test_without_history_there_is_a_burn_and_no_forecast():
    young = hourly(NOON).filter(pl.col("hour") >= NOON - timedelta(days=5))
    row = budget_table([read("100", lines=young)]).row(0, named=True)
    assert row["forecast_usd"] is row["low"] is row["next_at"] is None
    assert row["standing"] == "unknown"
    assert row["refused_because"] == "too little history: 5 days, 28 are needed"


def test_unpriced_usage_is_told_beside():
    assert read("100", lines=hourly(NOON, unpriced=5)).unpriced_share == 0.25
    assert read("100", lines=hourly(BEGIN)).unpriced_share is None


def test_hours_after_the_moment_are_not_known():
    assert read("180", lines=hourly(NOON + timedelta(days=9))).spent_usd == Decimal(63)


@pytest.mark.parametrize(
    ("every", "at", "zone", "label", "since", "last"),
    [
        ("month", LATE, "UTC", "2026-11", datetime(2026, 11, 1, tzinfo=UTC), 30),
        ("month", LATE, "Europe/Rome", "2026-12", LATE - HOUR / 2, 31),
        ("quarter", datetime(2026, 11, 5, tzinfo=UTC), "UTC", "2026-Q4", datetime(2026, 10, 1, tzinfo=UTC), 31),
        ("quarter", datetime(2026, 2, 5, tzinfo=UTC), "UTC", "2026-Q1", datetime(2026, 1, 1, tzinfo=UTC), 31),
    ],
)
def test_months_and_quarters_begin_in_the_zone(
    every: str, at: datetime, zone: str, label: str, since: datetime, last: int
):
    span = span_of(budget("1", every=every), at, zone)
    assert (span.label, span.since, span.last_day.day) == (label, since, last)
    assert span.until > at >= span.since


def test_spent_by_day_adds_up_to_what_is_spent():
    found = read("180", zone="Europe/Rome")
    assert found.spent_by_day["day"][0] == date(2026, 11, 1)
    assert found.spent_by_day["spent_usd"][-1] == found.spent_usd == Decimal("63.25")  # from 23:00 UTC on
