"""Break-even over a step function of replicas, by hand and as a law."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.whatif.hosting.breakeven import Fleet, Load, break_even


def load(token_usd: float, *, busiest_s: float = 1800.0) -> Load:
    return Load(busiest_s=busiest_s, busy_s=9000.0, hours=24.0, token_usd=token_usd)


def test_a_fleet_grows_by_whole_replicas():
    fleet = Fleet(2.0, most_busy_share=0.5)
    assert [fleet.replicas(load(1.0), volume) for volume in (0.1, 1.0, 1.01, 2.0, 2.01)] == [1, 1, 2, 2, 3]


def test_break_even_is_solved_on_each_step():
    # A replica costs 24 h x $2 = $48 and carries volume 1 (1,800 s at half an hour); tokens cost $60 at volume 1.
    found = break_even(load(60.0), Fleet(2.0, most_busy_share=0.5))
    assert found.first == pytest.approx(0.8)  # 48 / 60
    # The fourth replica starts dearer (192 against 180) and pays from 192 / 60 on; the fifth starts even (240).
    assert found.always == pytest.approx(3.2)
    second = found.steps.row(1, named=True)
    assert (second["replicas"], second["volume_from"], second["volume_to"]) == (2, 1.0, 2.0)
    assert second["cheaper_from"] == pytest.approx(1.6)  # 96 / 60


def test_cheap_tokens_are_never_beaten():
    found = break_even(load(40.0), Fleet(2.0, most_busy_share=0.5))
    assert (found.first, found.always) == (None, None)


def test_replicas_that_must_stand_there_push_break_even_out():
    found = break_even(load(60.0), Fleet(2.0, most_busy_share=0.5, least=2))
    assert found.first == pytest.approx(1.6)


@given(st.floats(1, 500), st.floats(60, 3600), st.floats(0.05, 1), st.floats(0.1, 20), st.integers(1, 4))
def test_beyond_the_point_of_always_hosting_costs_less(
    token_usd: float, busiest_s: float, share: float, price: float, least: int
):
    asked, fleet = load(token_usd, busiest_s=busiest_s), Fleet(price, share, least)
    found = break_even(asked, fleet)
    if found.always is None or found.always > 1000:
        return
    for volume in (found.always * 1.000001, found.always * 1.37, found.always * 5.1):
        paid = fleet.replicas(asked, volume) * price * asked.hours
        assert paid <= volume * token_usd * (1 + 1e-6)
    assert found.first is not None
    assert found.first <= found.always
