"""Paired cluster bootstrap: what arms cost and bring on the same resamples of the same runs. Estimates, in float64."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import stats

from tokenpnl_analytics.unit_cost.intervals import CONFIDENCE, FEW_CLUSTERS, FEW_SUCCESSES, t_quantiles
from tokenpnl_analytics.whatif.resampling.kernel import weighted_sums
from tokenpnl_analytics.whatif.result import Estimate

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

DRAWS = 1000


class Figure(StrEnum):
    """What may be asked of an arm; the last four set it against arm 0, the baseline."""

    COST_USD = "cost_usd"
    SUCCESS_SHARE = "success_share"
    USD_PER_SUCCESS = "usd_per_success"
    SAVING_USD = "saving_usd"
    SAVING_SHARE = "saving_share"
    SUCCESS_CHANGE = "success_change"
    USD_PER_SUCCESS_RATIO = "usd_per_success_ratio"


_PER_SUCCESS = (Figure.USD_PER_SUCCESS, Figure.USD_PER_SUCCESS_RATIO)


@dataclass(frozen=True)
class Replicates:
    """Arms on the same resamples; arm 0 is the baseline.

    Attributes:
        by_cluster: `(2 arms + 1, clusters)`: cost of each arm in USD, successes of each arm, runs.
        resampled: `(draws, 2 arms + 1)`: their sums under the Poisson weights of each draw.
        n: runs.
        n_successes: successful runs of each arm, unweighted.
        seed: of the wild bootstrap, the same for every figure.
    """

    by_cluster: Floats
    resampled: Floats
    n: int
    n_successes: tuple[int, ...]
    seed: int

    @property
    def n_clusters(self) -> int:
        """Independent groups of runs."""
        return int(self.by_cluster.shape[1])

    def value(self, figure: Figure, arm: int) -> float | None:
        """Return the figure of an arm on the runs as they are; None where nothing succeeded or cost."""
        value = float(self._of(self.by_cluster.sum(axis=1), figure, arm))
        return value if np.isfinite(value) else None

    def draws(self, figure: Figure, arm: int) -> Floats:
        """Return the figure of an arm in every resample; NaN where it holds nothing to divide by.

        Money is that of as many runs as there are: a resample that holds more of them does not cost more for it.
        """
        return self._of(self.resampled, figure, arm)

    def influence(self, figure: Figure, arm: int) -> Floats:
        """Return what each cluster adds to the figure: the jackknife's influence, of mean 0.

        The standard error of the figure is that of its mean: sqrt(sum(u^2) / (G (G - 1))).
        """
        left_out = (self.by_cluster.sum(axis=1)[:, None] - self.by_cluster).T
        without = self._of(left_out, figure, arm)
        influence: Floats = (self.n_clusters - 1) * (without.mean() - without)
        return influence

    def interval(self, figure: Figure, arm: int) -> Estimate:
        """Return the figure of an arm with its 95% interval.

        From 30 clusters on the BCa interval (Efron 1987) of the paired resamples, its levels widened to those of
        Student's t (Hesterberg 2015); below 30 a wild cluster bootstrap-t on the influence of the clusters. A cost per
        success is compared from ten successes in either arm on. The interval of one arm's own cost per success is
        `ratio_interval`'s.
        """
        value = self.value(figure, arm)
        refused = self.refusal(figure, arm)
        if value is None or refused:
            return Estimate(value, None, None, self.n, "paired cluster bootstrap", refused_because=refused)
        if self.n_clusters < FEW_CLUSTERS:
            low, high = self._wild(figure, arm, value)
            how = "wild cluster bootstrap-t on paired differences"
        else:
            low, high = self._bca(figure, arm, value)
            how = f"paired cluster bootstrap, BCa, {len(self.resampled):,} resamples"
        return Estimate(value, low, high, self.n, f"{how}; {self.n_clusters:,} clusters")

    def refusal(self, figure: Figure, arm: int) -> str | None:
        """Return why the figure of the arm has no interval, in one sentence; None: it has one."""
        if self.value(figure, arm) is None:
            return "no success to divide by" if figure in _PER_SUCCESS else "no cost to divide by"
        if self.n_clusters < 2:
            return "all runs belong to one cluster, which says nothing about the next"
        arms = (0, arm) if figure is Figure.USD_PER_SUCCESS_RATIO else (arm,)
        fewest = min(self.n_successes[one] for one in arms)
        if figure in _PER_SUCCESS and fewest < FEW_SUCCESSES:
            return f"{fewest} successes in one arm: fewer than {FEW_SUCCESSES} allow no comparison"
        used = self.influence(figure, arm) if self.n_clusters < FEW_CLUSTERS else self.draws(figure, arm)
        if np.isnan(used).any():
            return "successes or cost lie in too few clusters: some resamples have none"
        return None

    def _of(self, sums: Floats, figure: Figure, arm: int) -> Floats:
        arms = len(self.n_successes)
        cost, won, runs = sums[..., arm], sums[..., arms + arm], sums[..., -1]
        cost_before, won_before = sums[..., 0], sums[..., arms]
        n_runs = self.by_cluster[-1].sum()
        made = {
            Figure.COST_USD: (cost * n_runs, runs),
            Figure.SUCCESS_SHARE: (won, runs),
            Figure.USD_PER_SUCCESS: (cost, won),
            Figure.SAVING_USD: ((cost_before - cost) * n_runs, runs),
            Figure.SAVING_SHARE: (cost_before - cost, cost_before),
            Figure.SUCCESS_CHANGE: (won - won_before, runs),
            Figure.USD_PER_SUCCESS_RATIO: (cost * won_before, won * cost_before),
        }
        above, below = made[figure]
        ratio: Floats = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
        return ratio

    def _wild(self, figure: Figure, arm: int, value: float) -> tuple[float, float]:
        influence = self.influence(figure, arm)
        chance = np.random.default_rng(self.seed)
        below, above, _ = t_quantiles(influence, np.ones_like(influence), chance)
        error = spread(influence)
        return value - above * error, value - below * error

    def _bca(self, figure: Figure, arm: int, value: float) -> tuple[float, float]:
        draws, influence = self.draws(figure, arm), self.influence(figure, arm)
        below = (np.count_nonzero(draws < value) + np.count_nonzero(draws == value) / 2) / len(draws)
        bias = float(stats.norm.ppf(np.clip(below, 1 / len(draws), 1 - 1 / len(draws))))
        total = float(np.sum(influence**2))
        acceleration = float(np.sum(influence**3)) / (6 * total**1.5) if total > 0 else 0.0
        half = student_reach(self.n_clusters)
        ends = bias + np.array([-half, half])
        levels = stats.norm.cdf(bias + ends / (1 - acceleration * ends))
        low, high = np.quantile(draws, levels)
        return float(low), float(high)


def paired_replicates(
    cost_by_arm: Floats,
    success_by_arm: Floats,
    clusters: Codes,
    *,
    chance: np.random.Generator,
    draws: int = DRAWS,
    weights: Floats | None = None,
) -> Replicates:
    """Return several arms on the same resamples of clusters, so that what they have in common cancels.

    Poisson weights of mean 1 per cluster (Chamandy et al. 2012; Hanley and MacGibbon 2006) stand for drawing clusters
    with replacement.

    Args:
        cost_by_arm: `(arms, runs)`: cost of each run in USD in each arm, of which the first is the baseline.
        success_by_arm: `(arms, runs)`: 1 for each successful run, else 0, or its expected success; where nobody knows
            what an arm does to success, the baseline's again.
        clusters: group of each run, numbered from 0 without a gap.
        chance: names the resamples: an equal generator gives equal ones.
        draws: how many resamples.
        weights: runs that each run stands for; None: one.
    """
    counted = np.ones(len(clusters)) if weights is None else weights
    n_clusters = int(clusters.max()) + 1 if len(clusters) else 0
    rows = [*(cost_by_arm * counted), *(success_by_arm * counted), counted]
    by_cluster = np.array([np.bincount(clusters, row, n_clusters) for row in rows])
    seeds = chance.integers(0, 2**63, 2)
    return Replicates(
        by_cluster=by_cluster,
        resampled=weighted_sums(by_cluster, draws=draws, seed=int(seeds[0])),
        n=len(clusters),
        n_successes=tuple(int(np.count_nonzero(row)) for row in success_by_arm),
        seed=int(seeds[1]),
    )


def spread(influence: Floats) -> float:
    """Return the standard error of a figure from the influence of two clusters or more."""
    n = len(influence)
    return float(np.sqrt(np.sum(influence**2) / (n * (n - 1))))


def student_reach(n_clusters: int) -> float:
    """Return how many of its own standard errors a resampled figure must reach to cover 95% like Student's t.

    Resampling shows the spread of n clusters around their own mean, which is smaller by (n - 1) / n (Hesterberg 2015).
    """
    t = float(stats.t.ppf(0.5 + CONFIDENCE / 2, n_clusters - 1))
    return t * float(np.sqrt(n_clusters / (n_clusters - 1)))
