"""1,000 bootstrap replicates of cost per success over 1 M runs: Poisson weights against NumPy index resampling.

`python benchmarks/bootstrap.py [runs]` times the kernel with 1,000 draws and index resampling with a few, scaled to
1,000, in alternated rounds of CPU seconds in one process. Prints JSON and a table, asserts nothing. Goal: 2 s.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from tokenpnl_analytics.whatif.resampling.kernel import weighted_sums

RUNS, DRAWS, FEW, ROUNDS = 1_000_000, 1_000, 20, 3


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds that the work takes."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def index_resampling(values: np.ndarray, draws: int) -> np.ndarray:
    """Return the sums of resampled columns, as NumPy does it."""
    chance, n = np.random.default_rng(1), values.shape[1]
    picks = (chance.integers(0, n, n) for _ in range(draws))
    return np.array([[row[pick].sum() for row in values] for pick in picks])


def main() -> None:
    """Print seconds for 1,000 replicates and their ratio."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    chance = np.random.default_rng(20261124)
    values = np.vstack([chance.lognormal(0, 1, n), (chance.random(n) < 0.7).astype(float)])
    weighted_sums(values[:, :10], draws=2, seed=1)
    ours, numpys = [], []
    for _ in range(ROUNDS):
        ours.append(cpu_seconds(lambda: weighted_sums(values, draws=DRAWS, seed=1)))
        numpys.append(cpu_seconds(lambda: index_resampling(values, FEW)) * DRAWS / FEW)
    seconds, indexed = statistics.median(ours), statistics.median(numpys)
    ratio = indexed / seconds
    told = {"poisson_s": round(seconds, 2), "numpy_index_s": round(indexed, 1), "ratio": round(ratio, 1)}
    print(json.dumps({"benchmark": "bootstrap", "runs": n, "replicates": DRAWS, **told}))
    print("\n| way | CPU seconds for 1,000 replicates | ratio |\n|---|---|---|")
    print(f"| Poisson weights, 16 bits each | {seconds:.2f} | 1 |")
    print(f"| NumPy index resampling | {indexed:.1f} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
