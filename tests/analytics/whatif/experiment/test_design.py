import json

import numpy as np
import polars as pl
import pytest

from tokenpnl_analytics.whatif.experiment.design import detectable_loss, runs_wanted, sample_ratio_p, share_error
from tokenpnl_analytics.whatif.retries.any_of import any_of


@pytest.fixture(scope="module")
def airline(shared_data):
    told = json.loads((shared_data / "reference/tau_bench/gpt-4o-airline.json").read_text())
    return pl.DataFrame({"task": [e["task_id"] for e in told], "succeeded": [e["reward"] == 1.0 for e in told]})


def test_runs_wanted_by_hand():
    # (1.9600 + 0.8416)^2 x 2 x .8 x .2 / .05^2 = 7.8489 x 128 = 1004.7
    assert runs_wanted(0.8, 0.05) == 1005
    assert runs_wanted(0.8, 0.05, design_effect=2) == 2010


@pytest.mark.parametrize(("share", "margin"), [(0.0, 0.02), (1.0, 0.02), (0.5, 0.0)])
def test_runs_wanted_are_not_invented_where_nothing_varies_or_no_loss_is_allowed(share, margin):
    assert runs_wanted(share, margin) is None


def test_as_many_runs_as_wanted_exclude_the_margin_that_wanted_them():
    assert detectable_loss(0.8, 1005) == pytest.approx(0.05, rel=1e-3)
    assert detectable_loss(0.8, 0) is None


def test_the_sample_ratio_by_hand():
    assert sample_ratio_p(2, 0, 0.5) == pytest.approx(0.5)  # both sides: 2 x 1/4
    assert sample_ratio_p(0, 0, 0.5) == 1.0
    assert sample_ratio_p(5_200, 4_800, 0.5) < 0.001


def test_the_errors_of_tau_bench_airline_are_the_published_closed_forms(airline):
    found = share_error(airline["succeeded"].cast(pl.Float64).to_numpy(), airline["task"].to_numpy())
    assert (found.share, round(found.single, 4), round(found.clustered, 4)) == (0.42, 0.0349, 0.0522)
    assert round(found.design_effect, 2) == 2.24


def test_pass_k_and_any_of_k_of_tau_bench_airline_are_the_published_ones(airline):
    found = any_of(airline)
    assert [round(x, 3) for x in found["all_share"]] == [0.420, 0.273, 0.220, 0.200]
    assert [round(x, 3) for x in found["any_share"]][1:] == [0.567, 0.660, 0.720]


def test_equal_runs_have_a_design_effect_of_one():
    assert share_error(np.ones(4), np.arange(4)).design_effect == 1.0
