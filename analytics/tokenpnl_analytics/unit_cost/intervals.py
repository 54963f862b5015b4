"""How sure a ratio of sums is: the interval of cost per success under clustered runs. Estimates, in float64."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

CONFIDENCE = 0.95
FEW_CLUSTERS = 30
FEW_SUCCESSES = 10
TAIL_SHARE_CEILING = 0.25
LOG_SPREAD_CEILING = 1.2
_BOOTSTRAP_DRAWS = 1999
_HOPELESS = np.log(1000.0)  # a bound a thousand times the figure says nothing
# Webb's six points: with few clusters, signs alone give too few distinct draws.
_WEBB = np.sqrt(np.array([0.5, 1.0, 1.5]))
_WEIGHTS = np.concatenate([-_WEBB, _WEBB])


@dataclass(frozen=True)
class Interval:
    """An interval around a ratio of sums.

    Attributes:
        low: lower bound; None where none can be given.
        high: upper bound; None: no upper bound.
        n: runs.
        n_clusters: independent groups of runs.
        design_effect: variance with clusters over variance without; None where one of them is 0.
        method: how it was made, in words.
        fieller: Fieller's limits of the same ratio, cut at 0; None where his set is unbounded.
    """

    low: float | None
    high: float | None
    n: int
    n_clusters: int
    design_effect: float | None
    method: str
    fieller: tuple[float, float] | None = None


def ratio_interval(
    cost: Floats,
    successes: Floats,
    clusters: Codes,
    *,
    chance: np.random.Generator,
    n_successes: float | None = None,
) -> Interval:
    """Return the 95% interval of sum(cost) / sum(successes).

    Residuals e_g = sum over cluster g of (c - theta y); V = G/(G-1) sum(e_g^2) / S^2; bounds
    theta exp(+-t sqrt(V)/theta) with t of G-1 degrees of freedom, on the dear side as in `_reaches`. Below 30 clusters
    a wild cluster bootstrap-t (Cameron, Gelbach, Miller 2008; weights of Webb 2023) may widen it, never narrow it.
    Where Fieller's set is unbounded (the successes could be none) there is no upper bound; below ten successes neither.

    Args:
        cost: cost of each run, not negative; of a sampled run times its weight.
        successes: 1 (of a sampled run its weight) for each successful run, else 0.
        clusters: group of each run, numbered from 0.
        chance: draws the bootstrap weights.
        n_successes: successes that the figure rests on, where `successes` does not show them (weights that differ,
            values of a model); None: they are counted.
    """
    n, n_clusters = len(cost), int(clusters.max()) + 1 if len(clusters) else 0
    total = float(successes.sum())
    if total == 0 or float(cost.sum()) == 0:
        return Interval(None, None, n, n_clusters, None, "no success yet" if total == 0 else "no cost")
    if n_clusters < 2:
        return Interval(None, None, n, n_clusters, None, "one cluster: no interval")
    theta = float(cost.sum()) / total
    by_cluster = _sums(clusters, cost), _sums(clusters, successes)
    spread = standard_error(*by_cluster)
    below, above, how = _reaches(*by_cluster, chance)
    rise = above * spread / theta
    low, high = theta * np.exp(-below * spread / theta), theta * np.exp(min(rise, _HOPELESS))
    n_successes = int(np.count_nonzero(successes)) if n_successes is None else n_successes
    bounded = n_successes >= FEW_SUCCESSES and rise < _HOPELESS and _fieller_is_bounded(by_cluster[1])
    if n_successes < FEW_SUCCESSES:
        how += f"; fewer than {FEW_SUCCESSES} successes: at least"
    elif not bounded:
        how += "; no upper bound"
    single = standard_error(cost, successes)
    effect = (spread / single) ** 2 if single > 0 else None
    limits = fieller_limits(*by_cluster)
    if limits is not None:
        # Where the cost itself is uncertain his set reaches below zero, which no cost does.
        limits = max(0.0, limits[0]), limits[1]
    return Interval(float(low), float(high) if bounded else None, n, n_clusters, effect, how, limits)


def mean_interval(totals: Floats, sizes: Floats, clusters: Codes, *, chance: np.random.Generator) -> Interval:
    """Return the 95% interval of sum(totals) / sum(sizes) on its own scale, for shares and differences.

    The standard error and the points of t are those of `ratio_interval`; the bounds are theta +- t sqrt(V), so that
    the figure may be 0 or negative.

    Args:
        totals: what each run adds above the line, of any sign; of a weighted run times its weight.
        sizes: what it adds below it: 1, or its weight.
        clusters: group of each run, numbered from 0.
        chance: draws the bootstrap weights.
    """
    n, n_clusters = len(totals), int(clusters.max()) + 1 if len(clusters) else 0
    if n_clusters < 2 or float(sizes.sum()) <= 0:
        return Interval(None, None, n, n_clusters, None, "no runs" if n_clusters < 1 else "one cluster: no interval")
    theta = float(totals.sum() / sizes.sum())
    by_cluster = _sums(clusters, totals), _sums(clusters, sizes)
    spread, single = standard_error(*by_cluster), standard_error(totals, sizes)
    below, above, how = t_quantiles(*by_cluster, chance)
    effect = (spread / single) ** 2 if single > 0 else None
    low, high = theta - above * spread, theta - below * spread
    return Interval(low, high, n, n_clusters, effect, how.replace("log scale", "plain scale"))


def expected_usd_per_success(usd: float, successes: float) -> float | None:
    """Return what a success would cost by expected cost and successes, float64; None: none is expected."""
    cost = usd
    return cost / successes if successes > 0 else None


def heavy_tailed(cost: Floats) -> bool:
    """Return whether a few dear runs decide the cost, so that an interval may be too low on the high side.

    The dearest 1% of the runs carry over a quarter of it; or its logarithm spreads by more than 1.2, beyond which no
    method keeps 95% (measured: benchmarks/interval_coverage.py). The second sees it in a hundred runs already, in which
    the dearest 1% are a single one.

    Args:
        cost: of each run, not negative.
    """
    n_tail = max(1, len(cost) // 100)
    paid = cost[cost > 0]
    spread = float(np.std(np.log(paid), ddof=1)) if len(paid) > 1 else 0.0
    return bool(np.sort(cost)[-n_tail:].sum() > TAIL_SHARE_CEILING * cost.sum()) or spread > LOG_SPREAD_CEILING


def fieller_limits(cost: Floats, successes: Floats) -> tuple[float, float] | None:
    """Return Fieller's limits of the ratio of sums over clusters, or None where the set is unbounded.

    The set of theta with (C - theta S)^2 <= t^2 Var(C - theta S); bounded when S^2 > t^2 Var(S). Fieller 1954.
    """
    n = len(cost)
    t2 = stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1) ** 2
    scale = n * t2
    c, s = float(cost.sum()), float(successes.sum())
    cov = np.cov(cost, successes)
    a, b, d = s**2 - scale * cov[1, 1], c * s - scale * cov[0, 1], c**2 - scale * cov[0, 0]
    root = b**2 - a * d
    if a <= 0 or root < 0:
        return None
    return float((b - np.sqrt(root)) / a), float((b + np.sqrt(root)) / a)


def _reaches(cost: Floats, successes: Floats, chance: np.random.Generator) -> tuple[float, float, str]:
    """Return how many standard errors the interval reaches down and up on the log scale, and how they were found.

    Dear runs are seldom drawn, and cohorts without them look cheap and sure of it. So the upper bound takes t with one
    less than the clusters *with* a success, and skew/6 (1 + 2 t^2) more where the residuals lean to the dear side
    (Johnson 1978; skew = sum(e^3) / sum(e^2)^1.5). A wild bootstrap alone covered 89-92% at 10 to 19 successes.
    """
    below, above, how = t_quantiles(cost, successes, chance)
    level, n_won = 0.5 + CONFIDENCE / 2, np.count_nonzero(successes)
    down, up = (float(stats.t.ppf(level, max(n - 1, 1))) for n in (len(cost), n_won))
    residuals = cost - cost.sum() / successes.sum() * successes
    power = float(np.sum(residuals**2)) ** 1.5
    skew = float(np.sum(residuals**3)) / power if power > 0 else 0.0
    return max(above, down), max(-below, up + max(0.0, skew) / 6 * (1 + 2 * up**2)), how


def _sums(clusters: Codes, values: Floats) -> Floats:
    return np.bincount(clusters, values).astype(np.float64)


def _fieller_is_bounded(successes: Floats) -> bool:
    n = len(successes)
    t2 = stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1) ** 2
    return bool(successes.sum() ** 2 > t2 * n * np.var(successes, ddof=1))


def standard_error(cost: Floats, successes: Floats) -> float:
    """Return the standard error of sum(cost) / sum(successes) over independent clusters, two or more.

    Args:
        cost: sum of each cluster; may be negative, as a saving is.
        successes: the denominator's sum of each cluster, not all 0.
    """
    n = len(cost)
    total = successes.sum()
    residuals = cost - cost.sum() / total * successes
    return float(np.sqrt(n / (n - 1) * np.sum(residuals**2)) / total)


def wild_weights(n_clusters: int, chance: np.random.Generator) -> Floats:
    """Return the weights of the wild bootstrap, `(draws, clusters)`: Webb's six points, of mean 0 and variance 1."""
    return chance.choice(_WEIGHTS, size=(_BOOTSTRAP_DRAWS, n_clusters))


def t_quantiles(cost: Floats, successes: Floats, chance: np.random.Generator) -> tuple[float, float, str]:
    """Return the 2.5% and 97.5% points of the studentised ratio of sums, and how they were found.

    Student's t from 30 clusters on; below them a wild cluster bootstrap-t.

    Args:
        cost: sum of each cluster; may be negative, as a saving is.
        successes: the denominator's sum of each cluster, not all 0.
        chance: draws the bootstrap weights.
    """
    n = len(cost)
    if n >= FEW_CLUSTERS:
        t = float(stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1))
        return -t, t, "cluster-robust, log scale, t"
    theta = cost.sum() / successes.sum()
    residuals = cost - theta * successes
    draws = wild_weights(n, chance) * residuals
    shift = draws.sum(axis=1) / successes.sum()
    rest = draws - shift[:, None] * successes
    spread = np.sqrt(n / (n - 1) * np.sum(rest**2, axis=1)) / successes.sum()
    usable = spread > 0
    if not usable.any():
        return 0.0, 0.0, "no variation between clusters"
    tails = [50 - 50 * CONFIDENCE, 50 + 50 * CONFIDENCE]
    below, above = np.percentile(shift[usable] / spread[usable], tails)
    return float(below), float(above), "wild cluster bootstrap-t"
