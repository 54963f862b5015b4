"""When a point estimate is refused, and the bounds that are given instead."""

from dataclasses import dataclass

from tokenpnl_analytics.whatif.off_policy.logged import Knowledge
from tokenpnl_analytics.whatif.off_policy.overlap import Overlap

MOST_UNCOVERED = 0.05
FEWEST_EFFECTIVE = 100
FEWEST_EFFECTIVE_SUCCESSES = 20
LARGEST_WEIGHT = 0.05
FARTHEST_MEAN = 2.0
Range = tuple[float, float]


@dataclass(frozen=True)
class Bounds:
    """Joint bounds of a policy's success, cost and cost per success.

    Attributes:
        success: share of runs, low and high.
        cost: USD per run; high None: no upper bound.
        cost_per_success: USD; low None: nothing can succeed; high None: no upper bound.
    """

    success: Range
    cost: tuple[float, float | None]
    cost_per_success: tuple[float | None, float | None]


def reasons(seen: Overlap, knowledge: Knowledge) -> tuple[str, ...]:
    """Return why no point estimate is given, one phrase each; empty: one may be given."""
    effect = max(seen.design_effect or 1.0, 1.0)
    effective = seen.ess / effect
    found = [
        (
            knowledge is Knowledge.NOTHING and seen.uncovered > 0,
            "neither probabilities nor inputs of the router were logged",
        ),
        (
            seen.uncovered > MOST_UNCOVERED,
            f"{seen.uncovered:.1%} of the target's choices were never or hardly ever tried (limit 5%)",
        ),
        (
            seen.without_outcome > MOST_UNCOVERED,
            f"{seen.without_outcome:.1%} of the runs it would keep have no outcome (limit 5%)",
        ),
        (
            effective < FEWEST_EFFECTIVE,
            f"the weighted runs are worth {effective:,.0f} independent ones (at least {FEWEST_EFFECTIVE} wanted)",
        ),
        (
            seen.ess_successes < FEWEST_EFFECTIVE_SUCCESSES,
            f"the weighted successes are worth {seen.ess_successes:,.0f} (at least {FEWEST_EFFECTIVE_SUCCESSES})",
        ),
        (
            seen.max_weight_share > LARGEST_WEIGHT,
            f"one run carries {seen.max_weight_share:.1%} of the weight (limit 5%)",
        ),
        (
            seen.mean_weight_se is not None and abs(seen.mean_weight - 1) > FARTHEST_MEAN * seen.mean_weight_se + 1e-12,
            f"the weights average {seen.mean_weight:.3f}, more than two standard errors from 1",
        ),
        (
            seen.clipped_at is not None,
            f"propensities are clipped: they sit on a floor of {seen.clipped_at or 0:.0e}",
        ),
    ]
    return tuple(words for refused, words in found if refused)


def joint_bounds(success: Range, cost: Range, uncovered: Range, of_one: tuple[float, float | None]) -> Bounds:
    """Return the joint bounds of a policy that the log covers in part.

    With s1 and c1 the totals per run on the covered part and u the share without support: success in [s1, s1 + u],
    cost in [c1 + u c_lo, c1 + u c_hi], cost per success in [(c1 + u c_lo) / (s1 + u), (c1 + u c_hi) / s1].

    Args:
        success: s1, and again where it is known exactly, else its two limits.
        cost: c1 in USD, likewise.
        uncovered: u of the success (with runs without outcome) and of the cost (with unpriced runs), 0 to 1.
        of_one: c_lo and c_hi, the least and the most that an uncovered run can cost in USD; None: no limit is known.
    """
    missing_success, missing_cost = uncovered
    won = success[0], min(1.0, success[1] + missing_success)
    least = cost[0] + missing_cost * of_one[0]
    most = cost[1] if missing_cost == 0 else None if of_one[1] is None else cost[1] + missing_cost * of_one[1]
    return Bounds(
        success=won,
        cost=(least, most),
        cost_per_success=(
            least / won[1] if won[1] > 0 else None,
            most / won[0] if most is not None and won[0] > 0 else None,
        ),
    )
