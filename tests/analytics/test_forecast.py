"""A forecast says what comes, how sure it is, and is judged by what it would have said before."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from tokenpnl_analytics.frames import MONEY, TIME
from tokenpnl_analytics.planning.forecast import accuracy, backtest, daily, forecast

BEGIN = date(2026, 8, 3)  # a Monday
WEEK = [120, 120, 120, 120, 120, 20, 20]


def days_of(calls: list[int], *, tokens: int = 1000, usd: str = "0.01") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "day": [BEGIN + timedelta(days=number) for number in range(len(calls))],
            "n_calls": calls,
            "tokens": [count * tokens for count in calls],
            "cost_usd": [count * Decimal(usd) for count in calls],
        },
        schema_overrides={"cost_usd": MONEY, "n_calls": pl.Int64, "tokens": pl.Int64},
    )


def chance(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def noisy(n: int, seed: int) -> pl.DataFrame:
    draws = np.random.default_rng(seed)
    return days_of([int(draws.negative_binomial(15, 15 / (15 + WEEK[number % 7]))) for number in range(n)])


def test_a_regular_past_goes_on_by_weekday():
    found = forecast(days_of(WEEK * 6), through=BEGIN + timedelta(days=48), chance=chance())
    assert found.days["cost_usd"].to_list() == pytest.approx([1.2] * 5 + [0.2] * 2)
    assert [found.estimate, found.low, found.high] == pytest.approx([6.4] * 3)
    assert found.refused_because == ""


def test_a_day_is_calls_times_tokens_times_price():
    day = forecast(days_of(WEEK * 6), through=BEGIN + timedelta(days=42), chance=chance()).days.row(0, named=True)
    assert day["n_calls"] == pytest.approx(120)
    assert day["tokens_per_call"] == 1000
    assert day["usd_per_million_tokens"] == pytest.approx(10)
    assert day["cost_usd"] == pytest.approx(120 * 1000 * 10 / 1e6)


def test_of_a_day_half_gone_only_the_rest_is_forecast():
    found = forecast(days_of([100] * 42), through=BEGIN + timedelta(days=43), chance=chance(), share_of_first_day=0.5)
    assert found.days["cost_usd"].to_list() == pytest.approx([0.5, 1.0])


def test_the_level_is_that_of_the_last_fourteen_days():
    found = forecast(days_of([10] * 28 + [100] * 14), through=BEGIN + timedelta(days=42), chance=chance())
    assert found.estimate == pytest.approx(1.0)


def test_too_little_history_is_refused_in_words():
    found = forecast(days_of([5] * 27), through=BEGIN + timedelta(days=60), chance=chance())
    assert found.estimate is found.low is found.high is None
    assert found.refused_because == "too little history: 27 days, 28 are needed"


def test_no_history_at_all_is_refused_too():
    assert forecast(days_of([]), through=BEGIN, chance=chance()).refused_because.startswith("too little history: 0")


def test_a_period_that_is_over_has_nothing_to_come():
    found = forecast(days_of([5] * 40), through=BEGIN + timedelta(days=39), chance=chance())
    assert (found.estimate, found.low, found.high, found.days.height) == (0, 0, 0, 0)


def test_the_fan_widens_and_holds_its_middle():
    days = forecast(noisy(70, 5), through=BEGIN + timedelta(days=90), chance=chance()).days
    assert (days["low"] <= days["cumulative_usd"]).all()
    assert (days["high"] >= days["cumulative_usd"]).all()
    width = days["high"] - days["low"]
    assert width[-1] > width[0] > 0


def test_the_same_chance_gives_the_same_forecast():
    through = BEGIN + timedelta(days=90)
    one, other = (forecast(noisy(70, 5), through=through, chance=chance()) for _ in range(2))
    assert (one.low, one.high) == (other.low, other.high)


def test_eight_of_ten_origins_lie_inside_their_interval():
    tested = pl.concat([backtest(noisy(90, seed), chance=chance(), horizons=(1, 7)) for seed in range(6)])
    judged = accuracy(tested)
    assert judged["n_origins"].to_list() == [6 * 62, 6 * 56]
    assert judged["coverage"].to_list() == pytest.approx([0.8, 0.8], abs=0.1)
    assert judged["wape"][0] > judged["wape"][1]


def test_a_backtest_knows_only_what_came_before_its_origin():
    calls = [100] * 35 + [900] * 7
    tested = backtest(days_of(calls), chance=chance(), horizons=(7,))
    last = tested.row(-1, named=True)
    assert (last["origin"], last["forecast_usd"], last["actual_usd"]) == (BEGIN + timedelta(days=35), 7.0, 63.0)
    assert not last["covered"]


def test_wape_is_the_sum_of_misses_over_the_sum_spent():
    tested = pl.DataFrame(
        {"horizon": [1, 1], "actual_usd": [4.0, 6.0], "forecast_usd": [5.0, 5.0], "covered": [True, False]}
    )
    assert accuracy(tested).rows() == [(1, 2, 0.2, 0.5)]


def test_where_nothing_was_spent_there_is_no_wape():
    assert accuracy(backtest(days_of([0] * 40), chance=chance()))["wape"].to_list() == [None, None]


def test_cost_without_calls_is_forecast_by_itself():
    fees = days_of([1] * 42).with_columns(pl.lit(0).alias("n_calls"), pl.lit(0).alias("tokens"))
    found = forecast(fees, through=BEGIN + timedelta(days=42), chance=chance())
    assert found.estimate == pytest.approx(0.01)
    assert found.days.select("n_calls", "tokens_per_call", "usd_per_million_tokens").row(0) == (None, None, None)


def test_days_are_those_of_the_zone_and_days_without_usage_count_as_nothing():
    hours = pl.DataFrame(
        {
            "hour": [datetime(2026, 8, 3, 22, tzinfo=UTC), datetime(2026, 8, 5, 23, tzinfo=UTC)],
            "n_calls": [1, 2],
            "tokens": [10, 20],
            "cost_usd": [Decimal(1), None],
        },
        schema_overrides={"hour": TIME, "cost_usd": MONEY},
    )
    found = daily(hours, until=date(2026, 8, 8), zone="Europe/Rome")
    assert found["day"].to_list() == [date(2026, 8, day) for day in (4, 5, 6, 7)]
    assert found["n_calls"].to_list() == [1, 0, 2, 0]
    assert found["cost_usd"].to_list() == [Decimal(1), 0, 0, 0]
