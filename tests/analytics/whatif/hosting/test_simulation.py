"""The simulated fleet: by hand, against Erlang C, and on traced arrivals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.whatif.hosting.queueing import erlang_c
from tokenpnl_analytics.whatif.hosting.simulation import served
from tokenpnl_analytics.whatif.hosting.speed import Speed

SPEED = Speed(read_per_s=100.0, written_per_s=40.0, alone_per_s=10.0, most_at_once=8)


def seconds(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_a_request_alone_takes_reading_plus_writing_at_the_speed_of_one_stream():
    alone = served(seconds(5.0), seconds(200.0), seconds(30.0), SPEED, 1)
    assert alone.first_token[0] == pytest.approx(2.0)
    assert alone.ended[0] == pytest.approx(5.0)
    assert alone.arrived[0] == 0.0


def test_inputs_are_read_one_after_the_other():
    two = served(seconds(0.0, 0.5), seconds(100.0, 100.0), seconds(0.0, 0.0), SPEED, 1)
    assert two.read_from.tolist() == pytest.approx([0.0, 1.0])
    assert two.waiting_share == 0.5


def test_a_full_batch_shares_the_throughput():
    # Eight streams of ten tokens on a replica that writes 40 a second: 5 tokens a second each.
    eight = served(np.zeros(8), np.zeros(8), np.full(8, 10.0), SPEED, 1)
    assert eight.ended.tolist() == pytest.approx([2.0] * 8)
    assert eight.utilisation == pytest.approx(1.0)


def test_what_does_not_fit_waits_in_line():
    nine = served(np.zeros(9), np.zeros(9), np.full(9, 10.0), SPEED, 1)
    assert sorted(nine.ended.tolist()) == pytest.approx([2.0] * 8 + [3.0])


def test_the_line_is_as_long_as_erlang_says():
    chance = np.random.default_rng(7)
    n, servers = 60_000, 4
    arrived = np.cumsum(chance.exponential(1 / 3.2, n))
    found = served(arrived, chance.exponential(100.0, n), np.zeros(n), SPEED, servers)
    expected = erlang_c(3.2, 1.0, servers)
    assert found.waiting_share == pytest.approx(expected.waiting_share, rel=0.05)
    assert float(np.mean(found.read_from - found.arrived)) == pytest.approx(expected.mean_wait_s, rel=0.1)


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0, 300), st.floats(0, 60)), min_size=1, max_size=25))
def test_nobody_is_faster_than_alone_and_more_replicas_never_read_later(rows: list[tuple[float, float, float]]):
    arrived, read, written = (np.array(column) for column in zip(*sorted(rows), strict=True))
    one, two = (served(arrived, read, written, SPEED, replicas) for replicas in (1, 2))
    alone = read / SPEED.read_per_s + written / SPEED.alone_per_s
    assert np.all(one.ended - one.arrived >= alone - 1e-6)
    assert np.all(two.read_from <= one.read_from + 1e-9)
