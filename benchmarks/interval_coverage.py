"""Coverage of the interval of cost per success, by simulation: how often it misses the truth, and on which side.

`python benchmarks/interval_coverage.py [rounds]` draws cohorts with 10 to 200 expected successes, log-normal cost of
sigma .5 to 2 and clusters of 1 or 5 runs, and asks the product for the interval and for what it says beside it. An
interval without an upper bound (fewer than 10 successes: "at least") can only lie above the truth. `caveat` are the
cohorts whose dearest 1% of runs carry over 25% of the cost. Prints JSON and a table, asserts nothing. Goal: 92-97% at
10 successes or more and sigma of at most 1. The file is not called coverage.py: numba would import it for the
package.
"""

import json
import sys

import numpy as np

from tokenpnl_analytics.unit_cost.intervals import ratio_interval
from tokenpnl_analytics.unit_cost.units import TAIL_SHARE_CEILING

SUCCESSES, SIGMAS, SIZES = (10, 20, 50, 200), (0.5, 1.0, 1.5, 2.0), (1, 5)
SHARE = 0.6


def one_cohort(chance: np.random.Generator, n_runs: int, sigma: float, size: int) -> tuple[bool, bool, bool, bool]:
    """Return whether the interval misses low, misses high, is refused, and carries the caveat of a dear tail."""
    n_clusters = -(-n_runs // size)
    clusters = np.repeat(np.arange(n_clusters), size)[:n_runs]
    dear = np.ones(n_clusters) if size == 1 else chance.gamma(4, 0.25, n_clusters)
    able = np.full(n_clusters, SHARE) if size == 1 else chance.beta(6, 4, n_clusters)
    cost = dear[clusters] * chance.lognormal(-(sigma**2) / 2, sigma, n_runs)
    won = (chance.random(n_runs) < able[clusters]).astype(float)
    found = ratio_interval(cost, won, clusters, chance=chance)
    n_tail = max(1, n_runs // 100)
    tail = bool(np.sort(cost)[-n_tail:].sum() > TAIL_SHARE_CEILING * cost.sum())
    truth = 1 / SHARE
    below = found.high is not None and found.high < truth
    return below, found.low is not None and found.low > truth, found.high is None, tail


def main() -> None:
    """Print coverage and misses per side."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    chance, rows = np.random.default_rng(20261124), []
    for size in SIZES:
        for successes in SUCCESSES:
            for sigma in SIGMAS:
                told = np.array([one_cohort(chance, round(successes / SHARE), sigma, size) for _ in range(n)])
                below, above = told[:, :2].mean(axis=0)
                rows.append(
                    {
                        "cluster_size": size,
                        "successes": successes,
                        "sigma": sigma,
                        "covered": round(float(1 - below - above), 4),
                        "interval_below_truth": round(float(below), 4),
                        "interval_above_truth": round(float(above), 4),
                        "refused": round(float(told[:, 2].mean()), 4),
                        "caveat": round(float(told[:, 3].mean()), 4),
                    }
                )
    print(json.dumps({"benchmark": "coverage", "rounds": n, "rows": rows}))
    print(
        "\n| runs a cluster | successes expected | sigma | covered | all below | all above | no upper bound | caveat |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        shares = " | ".join(f"{value:.1%}" for value in list(row.values())[3:])
        print(f"| {row['cluster_size']} | {row['successes']} | {row['sigma']} | {shares} |")


if __name__ == "__main__":
    main()
