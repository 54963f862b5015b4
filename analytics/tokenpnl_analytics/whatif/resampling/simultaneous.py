"""Several scenarios at once: intervals that all hold together, from the resamples that they share."""

from collections.abc import Sequence

import numpy as np

from tokenpnl_analytics.unit_cost.intervals import CONFIDENCE, FEW_CLUSTERS, wild_weights
from tokenpnl_analytics.whatif.resampling.replicates import Figure, Floats, Replicates, spread, student_reach
from tokenpnl_analytics.whatif.result import Estimate


def simultaneous_intervals(found: Replicates, figure: Figure, arms: Sequence[int]) -> tuple[Estimate, ...]:
    """Return the figure of each arm with intervals that all hold at once with 95%.

    Max-t (Romano and Wolf 2005): one reach for all arms, the 95% point of the largest studentised deviation over arms
    in each shared resample; never below that of one arm alone. Below 30 clusters the resamples are the wild
    bootstrap's. An arm whose figure is certain (equal to the baseline) has no width and widens nobody's.

    Args:
        found: arms on the same resamples.
        figure: what is asked.
        arms: numbers of the arms, in the order of the answer; one that is refused an interval has none here.
    """
    told = {arm: found.refusal(figure, arm) for arm in arms}
    asked = [arm for arm in arms if told[arm] is None]
    influences = np.array([found.influence(figure, arm) for arm in asked])
    errors = [spread(row) for row in influences]
    varied = [place for place, error in enumerate(errors) if error > 0]
    reach = _reach(found, figure, [asked[place] for place in varied], influences[varied]) if varied else 0.0
    half = dict(zip(asked, [reach * error for error in errors], strict=True))
    how = f"max-t over {len(asked)} scenarios on shared resamples; {found.n_clusters:,} clusters"
    made = []
    for arm in arms:
        value, width = found.value(figure, arm), half.get(arm)
        low, high = (None, None) if value is None or width is None else (value - width, value + width)
        made.append(Estimate(value, low, high, found.n, how, refused_because=told[arm]))
    return tuple(made)


def _reach(found: Replicates, figure: Figure, arms: Sequence[int], influences: Floats) -> float:
    if found.n_clusters < FEW_CLUSTERS:
        return _wild_reach(influences, np.random.default_rng(found.seed))
    deviations = [
        np.abs(found.draws(figure, arm) - (found.value(figure, arm) or 0.0)) / spread(influence)
        for arm, influence in zip(arms, influences, strict=True)
    ]
    alone = student_reach(found.n_clusters)
    # A resample's figure strays less than the figure itself does, by the same factor as with one arm.
    widening = float(np.sqrt(found.n_clusters / (found.n_clusters - 1)))
    return max(widening * float(np.quantile(np.max(deviations, axis=0), CONFIDENCE)), alone)


def _wild_reach(influences: Floats, chance: np.random.Generator) -> float:
    n = influences.shape[1]
    weights = wild_weights(n, chance)
    largest = np.zeros(len(weights))
    for influence in influences:
        drawn = weights * influence
        shift = drawn.mean(axis=1)
        error = np.sqrt(np.sum((drawn - shift[:, None]) ** 2, axis=1) / (n * (n - 1)))
        studentised = np.divide(np.abs(shift), error, out=np.zeros_like(shift), where=error > 0)
        largest = np.maximum(largest, studentised)
    return float(np.quantile(largest, CONFIDENCE))
