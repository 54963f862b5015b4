"""Numbers that sum up a router: PGR, APGR, CPT and AIQ. Estimates, in float64."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tokenpnl_analytics.unit_cost.intervals import Floats


@dataclass(frozen=True)
class Aiq:
    """Average improvement in quality: the mean of the hull over a range of cost.

    Attributes:
        value: mean success share on the hull; None: the range has no width.
        from_usd: cheap end of the range, USD per task.
        to_usd: dear end of it.
        denominator: by what the area was divided, in words.
    """

    value: float | None
    from_usd: float
    to_usd: float
    denominator: str


@dataclass(frozen=True)
class RouterMetrics:
    """How much of the way from the weak to the strong model a router goes, and how cheaply.

    Attributes:
        apgr: PGR averaged over every share of calls to the strong model, 0 to 1; 0.5 is what a coin does.
        cpt: target PGR -> least share of calls to the strong model that reaches it; None: no threshold does.
        aiq: of the router's own hull.
        refused_because: why there are no shares: the strong model is not better on these tasks.
    """

    apgr: float | None
    cpt: dict[float, float | None]
    aiq: Aiq
    refused_because: str | None = None


def hull(usd_per_task: Sequence[float], success_share: Sequence[float]) -> tuple[Floats, Floats]:
    """Return the non-decreasing upper hull of points: the best that mixing two of them at random can reach.

    Hu et al. 2024 (RouterBench).

    Returns:
        Costs and success shares of its corners, both rising.
    """
    corners: list[tuple[float, float]] = []
    for cost, share in sorted(zip(usd_per_task, success_share, strict=True), key=lambda point: (point[0], -point[1])):
        if corners and share <= corners[-1][1]:
            continue
        while len(corners) > 1 and _below(corners[-2], corners[-1], (cost, share)):
            corners.pop()
        corners.append((cost, share))
    return np.array([cost for cost, _ in corners]), np.array([share for _, share in corners])


def _below(left: tuple[float, float], middle: tuple[float, float], right: tuple[float, float]) -> bool:
    """Tell whether the middle point lies on or under the line between its neighbours."""
    rise, run = right[1] - left[1], right[0] - left[0]
    return (middle[1] - left[1]) * run <= rise * (middle[0] - left[0])


def aiq(usd_per_task: Sequence[float], success_share: Sequence[float], until_usd: float | None = None) -> Aiq:
    """Return the area under the hull over its width in cost.

    Args:
        usd_per_task: cost of each point.
        success_share: success share of each point.
        until_usd: dear end of the range; the hull goes on level to it. Default: the dearest point.
    """
    costs, shares = hull(usd_per_task, success_share)
    first, last = float(costs[0]), max(usd_per_task) if until_usd is None else until_usd
    words = f"cost range ${first:.6g} to ${last:.6g} per task, the dearest point included"
    if last <= first:
        return Aiq(None, first, last, words)
    inside = costs < last
    xs = np.append(costs[inside], last)
    ys = np.append(shares[inside], np.interp(last, costs, shares))
    return Aiq(float(np.trapezoid(ys, xs) / (last - first)), first, last, words)


def router_metrics(curve: pl.DataFrame, targets: Sequence[float] = (0.5, 0.8)) -> RouterMetrics:
    """Return APGR, CPT at the targets and AIQ of a router.

    APGR is the exact integral of PGR over the share of calls to the strong model, straight between thresholds
    (RouteLLM averages ten points of it).

    Args:
        curve: result of `threshold_curve`, from no task to every task at the strong model.
        targets: PGRs to reach.
    """
    area = aiq(curve["usd_per_task"].cast(float).to_list(), curve["success_share"].to_list())
    alone = curve.sort("strong_share")
    weak, strong = alone["success_share"][0], alone["success_share"][-1]
    if strong <= weak:
        why = (
            f"the strong model solved {strong:.3f} of these tasks, the weak one {weak:.3f}: there is no gap to recover"
        )
        return RouterMetrics(None, dict.fromkeys(targets), area, why)
    shares = alone["strong_share"].to_numpy()
    gaps = (alone["success_share"].to_numpy() - weak) / (strong - weak)
    reached = {target: shares[gaps >= target - 1e-12] for target in targets}
    least = {target: float(found.min()) if len(found) else None for target, found in reached.items()}
    return RouterMetrics(float(np.trapezoid(gaps, shares)), least, area)
