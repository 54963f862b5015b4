"""PGR, APGR, CPT and AIQ of curves whose values follow from the definition."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpnl_analytics.whatif.routing.curves import threshold_curve
from tokenpnl_analytics.whatif.routing.metrics import aiq, hull, router_metrics

from .pairs import pairs


def curve(shares: list[float], successes: list[float]) -> pl.DataFrame:
    columns = {"strong_share": shares, "success_share": successes, "usd_per_task": shares}
    return pl.DataFrame(columns, strict=False)


def test_a_coin_has_an_apgr_of_one_half() -> None:
    assert router_metrics(curve([0, 0.5, 1], [0.2, 0.4, 0.6])).apgr == pytest.approx(0.5)


def test_a_router_that_is_right_at_once_has_the_area_above_the_coin() -> None:
    # PGR 0, 1, 1 at shares 0, 0.5, 1: 0.25 + 0.5.
    found = router_metrics(curve([0, 0.5, 1], [0.2, 0.6, 0.6]), targets=(0.5, 1.0))
    assert found.apgr == pytest.approx(0.75)
    assert found.cpt == {0.5: 0.5, 1.0: 0.5}


def test_metrics_refuse_where_the_strong_model_is_no_better() -> None:
    found = router_metrics(curve([0, 1], [0.5, 0.4]))
    assert found.apgr is None
    assert "no gap" in str(found.refused_because)


def test_the_hull_leaves_out_what_a_mixture_beats_and_never_falls() -> None:
    costs, shares = hull([1, 2, 3, 4], [0.1, 0.15, 0.5, 0.4])
    assert (costs.tolist(), shares.tolist()) == ([1, 3], [0.1, 0.5])


def test_aiq_is_the_mean_height_of_the_hull_over_the_stated_range() -> None:
    # From (1, 0.1) to (3, 0.5), then level to 4: (0.3 * 2 + 0.5 * 1) / 3.
    found = aiq([1, 2, 3, 4], [0.1, 0.15, 0.5, 0.4])
    assert found.value == pytest.approx(1.1 / 3)
    assert "$1 to $4" in found.denominator


def test_aiq_may_end_inside_the_hull() -> None:
    assert aiq([1, 3], [0.1, 0.5], until_usd=2).value == pytest.approx(0.2)


def test_one_cost_gives_no_area() -> None:
    assert aiq([1, 1], [0.1, 0.5]).value is None


@given(points=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), min_size=1, max_size=20))
def test_no_point_lies_above_the_hull(points: list[tuple[int, int]]) -> None:
    import numpy as np

    costs, shares = hull([c for c, _ in points], [s / 20 for _, s in points])
    assert all(share / 20 <= np.interp(cost, costs, shares) + 1e-9 for cost, share in points)
    assert (np.diff(shares) > 0).all()


def test_the_metrics_of_a_threshold_curve_follow_its_rows() -> None:
    # Strong helps on two of the three least sure tasks: shares 0, .2, .4, .6, .8, 1; gains 0, 0, 1, 2, 2, 2.
    found = router_metrics(threshold_curve(pairs(), "confidence"))
    assert found.apgr == pytest.approx((0 + 0 + 0.5 + 1 + 1 + 1 / 2) * 0.2)
    assert found.cpt == {0.5: pytest.approx(0.4), 0.8: pytest.approx(0.6)}
