"""A replica's time among the requests in flight on it."""

import numpy as np
import pytest

from tokenpnl_analytics.capacity.sweep import Flight, sweep

HOUR = 3_600 * 10**9


def swept(*pieces: tuple[int, int, float, float], replicas: int = 1) -> tuple[list[float], list[float]]:
    """Return hours used by each piece (bucket, replica, begin, end in hours) and idle in each bucket."""
    rows = np.array(pieces or np.empty((0, 4)), dtype=np.float64)
    times = (rows[:, 2:] * HOUR).astype(np.int64)
    flight = Flight(rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), times[:, 0], times[:, 1])
    n = int(rows[:, 0].max()) + 1 if len(rows) else 1
    result = sweep(flight, np.full(n, HOUR), np.full(n, replicas))
    return (result.used / HOUR).tolist(), (result.idle / HOUR).tolist()


def test_each_moment_is_shared_equally() -> None:
    # Alone, together, alone: a quarter, a half shared by two, a quarter.
    assert swept((0, 0, 0, 0.75), (0, 0, 0.25, 1)) == ([0.5, 0.5], [0.0])


def test_what_nobody_covers_is_idle_before_between_and_after() -> None:
    assert swept((0, 0, 0.125, 0.25), (0, 0, 0.5, 0.75)) == ([0.125, 0.25], [0.625])


def test_replicas_do_not_share_with_each_other() -> None:
    assert swept((0, 1, 0, 1), (0, 2, 0, 0.5), replicas=2) == ([1.0, 0.5], [0.5])


def test_the_unnamed_share_what_the_named_leave() -> None:
    assert swept((0, -1, 0, 1), (0, 7, 0, 0.5), replicas=3) == ([2.5, 0.5], [0.0])


def test_more_busy_replicas_than_there_are_share_those_there_are() -> None:
    used, idle = swept((0, 1, 0, 1), (0, 2, 0, 1), (0, -1, 0, 1), replicas=1)
    assert used == pytest.approx([1 / 3] * 3)
    assert idle == [0.0]


def test_no_requests_leave_everything_idle() -> None:
    assert swept(replicas=4) == ([], [4.0])


def test_buckets_are_independent() -> None:
    assert swept((0, 0, 0, 1), (1, 0, 0.5, 1)) == ([1.0, 0.5], [0.0, 0.5])


def test_among_many_requests_no_time_is_lost() -> None:
    chance, n, hours = np.random.default_rng(1), 200_000, 100
    begin = chance.integers(0, HOUR - 1, n)
    end = np.minimum(begin + chance.integers(10**8, 10**10, n), HOUR)
    flight = Flight(chance.integers(0, hours, n), chance.integers(-1, 3, n), begin, end)
    result = sweep(flight, np.full(hours, HOUR), np.full(hours, 3))
    whole = np.bincount(flight.bucket, result.used, minlength=hours) + result.idle
    assert np.abs(whole / (3 * HOUR) - 1).max() < 1e-12
