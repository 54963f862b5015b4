"""Alarms are few where nothing happened, and a tripled hour is one."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from tests.analytics.test_tails import steady

from tokenpnl_analytics.frames import MONEY, TIME
from tokenpnl_analytics.planning.anomalies import anomalies, first_uses, with_causes
from tokenpnl_analytics.planning.tails import WEEK

BEGIN = datetime(2026, 8, 3, tzinfo=UTC)  # a Monday
WEEKS = 9
SINCE = BEGIN + timedelta(weeks=WEEKS)
DAY = timedelta(days=1)
RATES = {"support": 120.0, "review": 30.0, "extract": 8.0, "nightly": 0.7}


def hourly(workflow: str, calls: np.ndarray, cost: np.ndarray, *, model: str = "m") -> pl.DataFrame:
    used = np.flatnonzero(calls)
    return pl.DataFrame(
        {
            "workflow": workflow,
            "model": model,
            "hour": [BEGIN + timedelta(hours=int(at)) for at in used],
            "n_calls": calls[used].astype(int),
            "tokens": calls[used].astype(int) * 1000,
            "cost_usd": [Decimal(f"{value:.12f}") for value in cost[used]],
        },
        schema_overrides={"hour": TIME, "cost_usd": MONEY},
    )


def world(seed: int, hours: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    chance = np.random.default_rng(seed)
    return {name: steady(chance, hours, calls=rate) for name, rate in RATES.items()}


def frame(series: dict[str, tuple[np.ndarray, np.ndarray]]) -> pl.DataFrame:
    return pl.concat([hourly(name, calls, cost) for name, (calls, cost) in series.items()])


def test_where_nothing_happens_alarms_are_as_rare_as_promised():
    windows = alarmed = 0
    for seed in range(6):
        lines = frame(world(seed, (WEEKS + 2) * WEEK))
        for day in range(14):
            at = SINCE + day * DAY
            windows += 1
            alarmed += anomalies(lines, since=at, until=at + DAY, floor_usd=Decimal(0)).incidents.height > 0
    # 84 windows at q = 0.05: 4.2 are expected; 10 or more come by chance once in a hundred and thirty times.
    assert windows == 84
    assert alarmed < 10


def test_a_robust_z_alarms_many_times_a_day_where_ours_stays_silent():
    n_series, days = 30, 2
    chance = np.random.default_rng(11)
    rates = [RATES[name] for name in RATES] * n_series
    series = {
        f"w{number}": steady(chance, WEEKS * WEEK + days * 24, calls=rate)
        for number, rate in enumerate(rates[:n_series])
    }
    alarms = 0
    for calls, _ in series.values():
        known = calls[: WEEKS * WEEK].reshape(WEEKS, WEEK)
        middle = np.median(known, axis=0)
        spread = 1.4826 * np.median(np.abs(known - middle), axis=0)
        new = calls[WEEKS * WEEK :]
        # The textbook's: above 3.5 robust deviations of the same hour of other weeks (Iglewicz and Hoaglin 1993).
        alarms += int((new - middle[: len(new)] > 3.5 * spread[: len(new)]).sum())
    ours = sum(
        anomalies(frame(series), since=at, until=at + DAY, floor_usd=Decimal(0)).incidents.height
        for at in (SINCE + day * DAY for day in range(days))
    )
    print(f"alarms a day on {n_series} stationary series: robust z {alarms / days:.0f}, ours {ours / days:.1f}")  # noqa: T201 - shown with -s
    assert alarms / days > 20
    assert ours / days <= 1


def test_a_tripled_hour_is_found_with_its_dollars():
    series = world(1, WEEKS * WEEK + 24)
    usual = series["support"][1][-10]
    series["support"][0][-10] *= 3
    series["support"][1][-10] *= 3
    found = anomalies(frame(series), since=SINCE, until=SINCE + DAY).incidents
    assert found.select("workflow", "since", "n_hours").rows() == [("support", SINCE + timedelta(hours=14), 1)]
    row = found.row(0, named=True)
    assert row["observed_usd"] == Decimal(f"{3 * usual:.12f}")
    assert row["excess_usd"] == pytest.approx(2 * usual, rel=0.5)
    assert row["q"] <= 0.05
    assert row["p"] <= row["q"]
    assert row["n"] == 8 * WEEK


def test_consecutive_alarms_are_one_incident():
    series = world(1, WEEKS * WEEK + 24)
    for at in (-11, -10, -9):
        series["support"][1][at] *= 4
    found = anomalies(frame(series), since=SINCE, until=SINCE + DAY).incidents
    assert found.select("since", "until", "n_hours").rows() == [
        (SINCE + timedelta(hours=13), SINCE + timedelta(hours=16), 3)
    ]


def test_slow_drift_is_no_anomaly_of_an_hour():
    alarmed = 0
    for seed in range(3):
        growth = 1.015 ** (np.arange((WEEKS + 1) * WEEK) / 24)  # +1.5% a day, more than doubled over the weeks
        series = {name: (calls, cost * growth) for name, (calls, cost) in world(seed, len(growth)).items()}
        for day in range(7):
            at = SINCE + day * DAY
            alarmed += anomalies(frame(series), since=at, until=at + DAY, floor_usd=Decimal(0)).incidents.height > 0
    assert alarmed <= 3


def test_below_the_floor_nobody_is_told():
    series = world(1, WEEKS * WEEK + 24)
    series["support"][1][-10] *= 3
    excess = anomalies(frame(series), since=SINCE, until=SINCE + DAY).incidents["excess_usd"][0]
    floor = Decimal(str(excess)) + 1
    assert anomalies(frame(series), since=SINCE, until=SINCE + DAY, floor_usd=floor).incidents.is_empty()


def test_a_burst_of_a_sparse_workflow_is_found_by_its_calls():
    series = world(1, WEEKS * WEEK + 24)
    calls, cost = series["nightly"]
    calls[-10], cost[-10] = 14, 9.0
    found = anomalies(frame(series), since=SINCE, until=SINCE + DAY).incidents
    assert found["workflow"].to_list() == ["nightly"]
    assert found["method"][0].endswith("tail of calls")


def test_a_new_series_is_refused_in_words_and_its_cost_is_told():
    lines = pl.concat(
        [
            frame(world(1, WEEKS * WEEK + 24)),
            pl.DataFrame(
                [
                    ("support", "new", SINCE - DAY, 3, 9, Decimal(1)),
                    ("support", "new", SINCE + DAY / 2, 3, 9, Decimal(7)),
                ],
                schema=frame(world(1, WEEK)).schema,
                orient="row",
            ),
        ]
    )
    refused = anomalies(lines, since=SINCE, until=SINCE + DAY).refused
    assert refused.rows() == [("support", "new", Decimal(7), 24, "too little history: 24 hours, 840 are needed")]


def test_every_judged_hour_says_what_was_expected_and_how_sure():
    hours = anomalies(frame(world(1, WEEKS * WEEK + 24)), since=SINCE, until=SINCE + DAY).hours
    assert hours.height == len(RATES) * 24
    assert hours.null_count().sum_horizontal().item() == 0


@pytest.mark.parametrize("hours", [0, 169])
def test_a_window_is_one_hour_to_a_week(hours: int):
    with pytest.raises(ValueError, match="1 to 168 full hours"):
        anomalies(frame(world(1, WEEK)), since=SINCE, until=SINCE + timedelta(hours=hours))


def test_nothing_to_judge_is_no_fault():
    found = anomalies(frame(world(1, WEEK)).clear(), since=SINCE, until=SINCE + DAY)
    assert found.incidents.is_empty()
    assert found.refused.is_empty()


def test_hints_name_what_was_new_and_which_factor_moved():
    series = world(1, WEEKS * WEEK + 24)
    series["support"][1][-10] *= 3
    lines = frame(series)
    incidents = anomalies(lines, since=SINCE, until=SINCE + DAY).incidents
    seen = pl.DataFrame(
        [("support", "release", "2.4.0", SINCE + timedelta(hours=12)), ("review", "release", "9", SINCE)],
        schema={"workflow": pl.String, "what": pl.String, "value": pl.String, "first_at": TIME},
        orient="row",
    )
    cause = with_causes(incidents, lines, seen)["cause"][0]
    assert cause.startswith("release 2.4.0 new at 5 Oct 12:00; price per token ×")
    assert "review" not in cause


def test_a_release_as_old_as_its_workflow_is_no_news():
    uses = pl.DataFrame(
        {
            "workflow": ["a", "a", "a", "b"],
            "release": ["1", "2", "2", "7"],
            "hour": [SINCE, SINCE + DAY, SINCE + 2 * DAY, SINCE],
        }
    )
    assert first_uses(uses, "release").rows() == [("a", "release", "2", SINCE + DAY)]
