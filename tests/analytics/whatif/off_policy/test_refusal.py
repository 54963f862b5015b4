from dataclasses import replace

import pytest

from tokenpnl_analytics.whatif.off_policy.logged import Knowledge
from tokenpnl_analytics.whatif.off_policy.overlap import Overlap
from tokenpnl_analytics.whatif.off_policy.refusal import joint_bounds, reasons

GOOD = Overlap(
    n=1000,
    ess=500.0,
    ess_successes=200.0,
    design_effect=2.0,
    max_weight=3.0,
    max_weight_share=0.003,
    mean_weight=1.0,
    mean_weight_se=0.02,
    clipped_at=None,
    uncovered=0.0,
    without_outcome=0.0,
    strata=(),
)
BAD = {
    "unsupported": ({"uncovered": 0.06}, "6.0% of the target's choices"),
    "no_outcome": ({"without_outcome": 0.06}, "have no outcome"),
    "few_runs": ({"ess": 199.0}, "worth 100 independent ones"),
    "few_successes": ({"ess_successes": 19.0}, "worth 19"),
    "one_weight": ({"max_weight_share": 0.051}, "one run carries 5.1%"),
    "miscalibrated": ({"mean_weight": 1.05}, "average 1.050"),
    "floored": ({"clipped_at": 1e-6}, "clipped"),
}


@pytest.mark.parametrize("name", BAD)
def test_each_rule_refuses_for_its_own_reason(name):
    changed, words = BAD[name]
    found = reasons(replace(GOOD, **changed), Knowledge.PROPENSITIES)
    assert len(found) == 1
    assert words in found[0]


def test_with_overlap_nothing_is_refused():
    assert reasons(GOOD, Knowledge.PROPENSITIES) == ()


def test_joint_bounds_by_hand():
    # s1 .5, c1 .10, u .2, an uncovered run costs .05 to .50.
    found = joint_bounds((0.5, 0.5), (0.10, 0.10), (0.2, 0.2), (0.05, 0.50))
    assert found.success == pytest.approx((0.5, 0.7))
    assert found.cost == pytest.approx((0.11, 0.20))
    assert found.cost_per_success == pytest.approx((0.11 / 0.7, 0.20 / 0.5))


def test_without_a_limit_of_cost_there_is_no_upper_bound():
    found = joint_bounds((0.5, 0.5), (0.10, 0.10), (0.2, 0.2), (0.0, None))
    assert found.cost[1] is None
    assert found.cost_per_success[1] is None
