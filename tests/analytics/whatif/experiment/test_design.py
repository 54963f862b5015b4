import pytest

from tokenpnl_analytics.whatif.experiment.design import detectable_loss, runs_wanted, sample_ratio_p


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
