"""Hazards count tries that were made; what stopped early gives bounds, what was never tried is refused."""

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.whatif.retries.chains import tries_of
from tokenpnl_analytics.whatif.retries.hazards import hazards, reached, within

from .attempts import attempts

# Ten calls: six answer at once; of four throttled, one gives up; of three second tries one answers, one times out and
# ends, one goes on and answers.
CALLS = (*["ok"] * 6, "429", "429 ok", "429 timeout", "429 500 ok")


def test_a_hazard_divides_by_the_tries_made_at_k() -> None:
    found = hazards(tries_of(attempts(*CALLS)))
    assert found["made"].to_list() == [10, 3, 1]
    assert found["succeeded"].to_list() == [6, 1, 1]
    assert found["hazard"].to_list() == pytest.approx([0.6, 1 / 3, 1.0])
    assert found.select("continued", "gave_up", "deadline").rows() == [(3, 1, 0), (1, 0, 1), (0, 0, 0)]


def test_hazards_split_by_the_error_before() -> None:
    found = hazards(tries_of(attempts(*CALLS)), by=["after"]).filter(pl.col("k") > 1)
    assert found.select("after", "k", "made", "succeeded").rows() == [("server_error", 3, 1, 1), ("throttled", 2, 3, 1)]


def test_the_two_bounds_are_the_cumulative_incidence_and_the_product() -> None:
    curve = reached(hazards(tries_of(attempts(*CALLS))))
    assert curve["if_stopped_fail"].to_list() == pytest.approx([0.6, 0.7, 0.8])
    assert curve["if_they_follow"].to_list() == pytest.approx([0.6, 1 - 0.4 * 2 / 3, 1.0])


def test_more_tries_than_were_ever_made_are_not_identifiable() -> None:
    found = hazards(tries_of(attempts(*CALLS)))
    beyond = within(found, 4)
    assert (beyond.value, beyond.low, beyond.high) == (None, None, None)
    assert "at most 3" in str(beyond.refused_because)
    assert (within(found, 1).value, within(found, 2).value) == (pytest.approx(0.6), None)


def test_in_order_of_trial_real_episodes_reach_72_of_100_by_hazards_that_fall(shared_data: Path) -> None:
    episodes = json.loads((shared_data / "reference" / "tau_bench" / "gpt-4o-airline.json").read_bytes())
    won: dict[int, str] = {}
    for each in sorted(episodes, key=lambda each: (each["task_id"], each["trial"])):
        if not won.get(each["task_id"], "").endswith("ok"):
            won[each["task_id"]] = f"{won.get(each['task_id'], '')} {'ok' if each['reward'] == 1 else 'odd'}".strip()
    found = hazards(tries_of(attempts(*won.values())))
    assert found["made"].to_list() == [50, 29, 19, 16]
    assert found["succeeded"].to_list() == [21, 10, 3, 2]
    assert within(found, 4).value == pytest.approx(0.72)


@given(
    calls=st.lists(st.lists(st.sampled_from(["429", "500", "timeout"]), max_size=4), min_size=1, max_size=8),
    data=st.data(),
)
def test_who_stopped_and_failed_never_helps(calls: list[list[str]], data: st.DataObject) -> None:
    told = [" ".join([*call, "ok"] if not call or data.draw(st.booleans()) else call) for call in calls]
    curve = reached(hazards(tries_of(attempts(*told))))
    assert (curve["if_stopped_fail"] <= curve["if_they_follow"] + 1e-9).all()
    assert (curve["if_stopped_fail"].diff().drop_nulls() >= 0).all()
