"""The smallest fleet for tokens and for latency."""

import numpy as np
import pytest

from tokenpnl_analytics.whatif.hosting.breakeven import Fleet
from tokenpnl_analytics.whatif.hosting.sizing import Promise, load_of, sized
from tokenpnl_analytics.whatif.hosting.speed import Speed
from tokenpnl_analytics.whatif.hosting.traffic import Traffic

SPEED = Speed(read_per_s=1000.0, written_per_s=500.0, alone_per_s=50.0, most_at_once=32)
FLEET = Fleet(2.0, most_busy_share=0.6)


def burst(n: int) -> Traffic:
    """Return n requests of a second of reading each that come at once, and one an hour later."""
    return Traffic(np.array([0.0] * n + [3600.0]), np.full(n + 1, 1000.0), np.full(n + 1, 50.0))


def test_without_a_promise_the_busiest_hour_decides():
    traffic = burst(4)
    load = load_of(traffic, SPEED, hours=2.0, token_usd=1.0)
    assert load.busiest_s == pytest.approx(4 * 1.1)
    found = sized(traffic, SPEED, FLEET, load, Promise())
    assert (found.replicas, found.promise_kept) == (1, True)


def test_a_promise_buys_replicas_until_nobody_waits_too_long():
    traffic = burst(40)
    load = load_of(traffic, SPEED, hours=2.0, token_usd=1.0)
    # Forty seconds of reading at once, then a second of writing: within 6 s for 95 of 100, eight must read together.
    found = sized(traffic, SPEED, FLEET, load, Promise(latency_s=6.1))
    assert (found.replicas, found.promise_kept) == (8, True)
    assert sized(traffic, SPEED, FLEET, load, Promise(latency_s=6.1, share=0.5)).replicas < 8


def test_a_promise_that_one_request_alone_breaks_is_kept_by_no_fleet():
    traffic = burst(2)
    load = load_of(traffic, SPEED, hours=2.0, token_usd=1.0)
    found = sized(traffic, SPEED, FLEET, load, Promise(latency_s=1.5))
    assert (found.replicas, found.promise_kept) == (1, False)
