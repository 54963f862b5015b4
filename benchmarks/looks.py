"""False PASS under daily looks: plain intervals against the confidence sequence, on arms that are truly alike.

`python benchmarks/looks.py [experiments]` simulates A/A experiments of 60 days, looked at every day from the first on
which both arms have 30 customers. Customers come back, so that runs are clustered. A false PASS is a saving said to be
above 0 at any look, with a loss of success inside the margin. Prints JSON and a table, asserts nothing.
"""

import json
import sys

import numpy as np

from tokenpnl_analytics.rules.experiments import Metric
from tokenpnl_analytics.unit_cost.intervals import FEW_CLUSTERS
from tokenpnl_analytics.whatif.experiment.arms import Arm, saving, success_change

DAYS, SIGMAS, PER_DAY = 60, (0.5, 1.0, 1.5), (20, 100)
MARGIN = 0.1


def one_experiment(chance: np.random.Generator, per_day: int, sigma: float) -> tuple[bool, bool]:
    """Return whether a plain interval, and whether the sequence, said PASS at any daily look."""
    n_customers, n = per_day * 10, per_day * DAYS
    dear, able = chance.lognormal(0, 0.5, n_customers), chance.beta(7, 3, n_customers)
    customer = chance.integers(0, n_customers, n)
    treated = chance.random(n_customers)[customer] < 0.5
    cost = dear[customer] * chance.lognormal(-(sigma**2) / 2, sigma, n)
    won = (chance.random(n) < able[customer]).astype(float)
    plain = always = False
    for day in range(1, DAYS + 1):
        seen = slice(0, day * per_day)
        arms = [
            Arm.of(cost[seen][side], won[seen][side], customer[seen][side]) for side in (~treated[seen], treated[seen])
        ]
        if min(arm.n_clusters for arm in arms) < FEW_CLUSTERS or min(arm.n_successes for arm in arms) < 10:
            continue
        saved, success = saving(*arms, Metric.USD_PER_RUN), success_change(*arms)
        plain |= (saved.once.low or 0) > 0 and (success.once.low or 0) > -MARGIN
        always |= (saved.always.low or 0) > 0 and (success.always.low or 0) > -MARGIN
    return plain, always


def main() -> None:
    """Print the shares of false PASS."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    chance, rows = np.random.default_rng(20261124), []
    for per_day in PER_DAY:
        for sigma in SIGMAS:
            passed = np.array([one_experiment(chance, per_day, sigma) for _ in range(n)])
            plain, always = passed.mean(axis=0)
            rows.append({"runs_a_day": per_day, "sigma": sigma, "plain": float(plain), "sequence": float(always)})
    print(json.dumps({"benchmark": "looks", "experiments": n, "days": DAYS, "false_pass": rows}))
    print("\n| runs a day | sigma | false PASS of plain intervals | of the sequence |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row['runs_a_day']} | {row['sigma']} | {row['plain']:.1%} | {row['sequence']:.1%} |")


if __name__ == "__main__":
    main()
