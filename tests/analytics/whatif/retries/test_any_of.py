"""Any of k trials: an oracle's ceiling on real episodes, and what independence would have said."""

import json
from pathlib import Path

import polars as pl
import pytest

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.whatif.retries.any_of import any_of


@pytest.fixture(scope="module")
def trials(shared_data: Path) -> pl.DataFrame:
    episodes = json.loads((shared_data / "reference" / "tau_bench" / "gpt-4o-airline.json").read_bytes())
    return pl.DataFrame(
        {"task": [each["task_id"] for each in episodes], "succeeded": [each["reward"] == 1 for each in episodes]}
    )


def test_any_of_four_is_an_oracles_ceiling_below_independence(trials: pl.DataFrame) -> None:
    found = any_of(trials)
    assert [round(share, 3) for share in found["any_share"]] == [0.42, 0.567, 0.66, 0.72]
    assert round(found["independent_share"][3], 3) == 0.887
    assert found["any_high"][3] < found["independent_share"][3]


def test_all_of_k_is_the_published_pass_hat_k(trials: pl.DataFrame) -> None:
    assert [round(share, 3) for share in any_of(trials)["all_share"]] == [0.42, 0.273, 0.22, 0.2]


def test_the_error_of_one_trial_counts_tasks_not_episodes(trials: pl.DataFrame) -> None:
    # The published closed forms: clustered .0522, of 200 independent episodes sqrt(.42 x .58 / 200) = .0349.
    clustered, single = any_of(trials)["standard_error"][0], (0.42 * 0.58 / 200) ** 0.5
    assert (round(clustered, 4), round(single, 4), round((clustered / single) ** 2, 2)) == (0.0522, 0.0349, 2.24)


def test_two_tasks_one_always_and_one_never_solved_gain_nothing_from_more_trials() -> None:
    trials = pl.DataFrame({"task": ["a", "a", "b", "b"], "succeeded": [True, True, False, False]})
    found = any_of(trials)
    assert found["any_share"].to_list() == [0.5, 0.5]
    assert found["independent_share"].to_list() == [0.5, 0.75]


def test_tasks_with_different_numbers_of_trials_are_refused() -> None:
    with pytest.raises(RefusedInputError, match="equally many"):
        any_of(pl.DataFrame({"task": ["a", "a", "b"], "succeeded": [True, True, False]}))
