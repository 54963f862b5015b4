"""Coverage of the interval of cost per success, by simulation: how often it misses the truth, and on which side.

`python benchmarks/interval_coverage.py [cohorts] [share]` draws cohorts of 5 to 200 expected successes (even on the log
scale, so that those of as many actual successes are of every size), log-normal cost of sigma .5 to 2 and clusters of
1, 3 or 10 runs that differ in cost and in success, and asks the product for the interval and for what it says beside
it. Coverage is that of the cohorts with an upper bound, by the successes that they *have*. `no upper bound` is the
share of the others (few clusters: successes could be none). `caveat`: the product says that the figure may be too low
on the high side. Prints JSON and a table, asserts nothing. Goal: 92-97% at 10 successes or more and sigma of at most 1.
The file is not called coverage.py: numba would import it for the package.
"""

import json
import sys

import numpy as np

from tokenpnl_analytics.unit_cost.intervals import FEW_SUCCESSES, heavy_tailed, ratio_interval

SIGMAS, SIZES, EXPECTED = (0.5, 1.0, 1.5, 2.0), (1, 3, 10), (5, 200)
BANDS = {"10-19": (FEW_SUCCESSES, 20), "20-49": (20, 50), "50-200": (50, 201)}
COHORTS, SHARE = 8000, 0.6


def one_cohort(
    chance: np.random.Generator, sigma: float, size: int, share: float
) -> tuple[int, bool, bool, bool, bool]:
    """Return the successes, whether the interval lies below the truth, above it, has no upper bound, has a caveat."""
    n_runs = round(np.exp(chance.uniform(*np.log(EXPECTED))) / share)
    n_clusters = -(-n_runs // size)
    clusters = np.repeat(np.arange(n_clusters), size)[:n_runs]
    dear = np.ones(n_clusters) if size == 1 else chance.gamma(4, 0.25, n_clusters)
    able = np.full(n_clusters, share) if size == 1 else chance.beta(10 * share, 10 - 10 * share, n_clusters)
    cost = dear[clusters] * chance.lognormal(-(sigma**2) / 2, sigma, n_runs)
    won = (chance.random(n_runs) < able[clusters]).astype(float)
    found = ratio_interval(cost, won, clusters, chance=chance)
    below = found.high is not None and found.high < 1 / share
    return (
        int(won.sum()),
        below,
        found.low is not None and found.low > 1 / share,
        found.high is None,
        heavy_tailed(cost),
    )


def main() -> None:
    """Print coverage and misses per side."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else COHORTS
    share = float(sys.argv[2]) if len(sys.argv) > 2 else SHARE
    chance, rows = np.random.default_rng(20261124), []
    for size in SIZES:
        for sigma in SIGMAS:
            told = np.array([one_cohort(chance, sigma, size, share) for _ in range(n)])
            for band, (least, most) in BANDS.items():
                these = told[(told[:, 0] >= least) & (told[:, 0] < most)]
                bounded = these[these[:, 3] == 0]
                below, above, caveat = (float(bounded[:, column].mean()) for column in (1, 2, 4))
                shares = {
                    "covered": 1 - below - above,
                    "interval_below_truth": below,
                    "interval_above_truth": above,
                    "no_upper_bound": float(these[:, 3].mean()),
                    "caveat": caveat,
                }
                named = {"cluster_size": size, "successes": band, "sigma": sigma, "n": len(bounded)}
                rows.append(named | {name: round(value, 4) for name, value in shares.items()})
    print(json.dumps({"benchmark": "coverage", "cohorts": n, "success_share": share, "rows": rows}))
    print(
        "\n| runs a cluster | successes | sigma | cohorts | covered | all below | all above | no upper bound | caveat |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        cluster, band, sigma, count, *shares = row.values()
        cells = " | ".join(f"{value:.1%}" for value in shares)
        print(f"| {cluster} | {band} | {sigma} | {count:,} | {cells} |")


if __name__ == "__main__":
    main()
