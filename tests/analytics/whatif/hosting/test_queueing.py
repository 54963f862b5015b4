"""Erlang C against its published table and by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.whatif.hosting.queueing import erlang_c


def test_one_server_waits_as_long_as_it_is_busy():
    waiting = erlang_c(0.5, 1.0, 1)
    assert waiting.waiting_share == pytest.approx(0.5)
    assert waiting.mean_wait_s == pytest.approx(1.0)  # rho s / (1 - rho)
    assert waiting.p95_wait_s == pytest.approx(4.605170186)  # ln(0.5 / 0.05) / 0.5


def test_two_servers_by_hand():
    # a = 1: B1 = 1/2, B2 = 0.5/(2 + 0.5) = 1/5; C = 0.2 / (1 - 0.5 * 0.8) = 1/3
    assert erlang_c(1.0, 1.0, 2).waiting_share == pytest.approx(1 / 3)


def test_a_load_that_is_not_carried_has_no_wait_to_tell():
    waiting = erlang_c(3.0, 1.0, 2)
    assert (waiting.waiting_share, waiting.mean_wait_s, waiting.utilisation) == (1.0, None, 1.5)


def test_thousands_of_servers_do_not_overflow():
    assert 0 < erlang_c(4900.0, 1.0, 5000).waiting_share < 1


@given(st.integers(1, 60), st.floats(0.01, 0.95))
def test_more_servers_never_wait_more(servers: int, utilisation: float):
    load = servers * utilisation
    assert erlang_c(load, 1.0, servers + 1).waiting_share <= erlang_c(load, 1.0, servers).waiting_share
