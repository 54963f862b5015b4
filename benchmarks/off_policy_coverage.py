"""Off-policy evaluation: how often the intervals hold the truth, how wide they are, and on which side they miss.

`python benchmarks/off_policy_coverage.py [rounds]` draws logs of a router with known probabilities (0.15 to 0.85,
moderate weights), success that depends on an input and an arm, in clusters of five; the truth of "always the cheap
arm" follows from the construction. Ends of 95% intervals of the plain estimators and of the product's own answer.
"""

import sys

import numpy as np
import polars as pl

from tokenpnl_analytics.unit_cost.intervals import mean_interval
from tokenpnl_analytics.whatif.off_policy.estimators import Trial, dm, dr, dros, ips, sndr, snips, switch_dr
from tokenpnl_analytics.whatif.off_policy.evaluation import Question, evaluate
from tokenpnl_analytics.whatif.off_policy.study import study

ROUNDS, RUNS, CLUSTER = 400, 2_000, 5
CHEAP_USD, SIGMA = 0.01, 0.5
ESTIMATORS = {
    "IPS": ips,
    "SNIPS": snips,
    "DM": dm,
    "DR": dr,
    "SNDR": sndr,
    "Switch-DR(3)": lambda trial: switch_dr(trial, 3.0),
    "DRos(10)": lambda trial: dros(trial, 10.0),
}


def success_rate(hard, mood, strong):
    """Return the probability of success of each run."""
    return np.clip(0.75 - 0.25 * hard + 0.1 * mood + 0.1 * strong, 0.02, 0.98)


def log(chance):
    """Return one log: runs, the router's input, and target columns of the policy that always takes the cheap arm."""
    hard, mood = chance.uniform(-1, 1, RUNS), np.repeat(chance.choice([-1.0, 1.0], RUNS // CLUSTER), CLUSTER)
    p = 0.15 + 0.7 / (1 + np.exp(-4 * hard))
    strong = chance.random(RUNS) < p
    return pl.DataFrame(
        {
            "route_arm": np.where(strong, "strong", "cheap"),
            "route_propensity": np.where(strong, p, 1 - p),
            "reward": (chance.random(RUNS) < success_rate(hard, mood, strong)).astype(float),
            "cost": np.where(strong, 0.1, CHEAP_USD) * chance.lognormal(-(SIGMA**2) / 2, SIGMA, RUNS),
            "cluster": np.repeat(np.arange(RUNS // CLUSTER), CLUSTER),
            "hard": hard,
            "target:cheap": np.ones(RUNS),
            "target:strong": np.zeros(RUNS),
        }
    )


def truth():
    """Return success of the cheap arm, over a fine grid of hardness and both moods."""
    hard = np.linspace(-1, 1, 200_001)
    return float(np.mean([success_rate(hard, mood, 0.0).mean() for mood in (-1.0, 1.0)]))


def answers(runs, chance):
    """Return the interval of every estimator and of the product, by name."""
    known = study(runs, ("hard",), chance=chance)
    target = np.tile([1.0, 0.0], (RUNS, 1))
    trial = Trial(known.logged.reward, known.logged.arm, known.logged.propensity, target, known.success)
    found = {
        name: mean_interval(estimator(trial), np.ones(RUNS), known.logged.cluster, chance=chance)
        for name, estimator in ESTIMATORS.items()
    }
    weights = trial.weights  # the interval of a ratio, not of its parts: w / mean(w) varies with the sample too
    found["SNIPS"] = mean_interval(weights * trial.reward, weights, known.logged.cluster, chance=chance)
    product = evaluate(runs, Question(inputs=("hard",)), chance=chance)
    adjusted = evaluate(runs.drop("route_propensity"), Question(inputs=("hard",)), chance=chance)
    found |= {"evaluate: success": product.success, "evaluate: cost per success": product.cost_per_success}
    return found | {"adjusted: success": adjusted.success, "adjusted: cost per success": adjusted.cost_per_success}


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    chance = np.random.default_rng(20261124)
    share = truth()
    seen: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for name, interval in answers(log(chance), chance).items():
            if interval.low is not None and interval.high is not None:
                seen.setdefault(name, []).append((interval.low, interval.high))
    print(f"{rounds} logs of {RUNS} runs in clusters of {CLUSTER}, numpy {np.__version__}")
    print("| interval | n | coverage | truth below it | truth above it | mean width / truth |")
    print("|---|---|---|---|---|---|")
    for name, limits in seen.items():
        true = CHEAP_USD / share if "cost" in name else share
        low, high = np.array(limits).T
        below, above = (true < low).mean(), (true > high).mean()
        width = (high - low).mean() / true
        print(f"| {name} | {len(low)} | {1 - below - above:.3f} | {below:.3f} | {above:.3f} | {width:.3f} |")


if __name__ == "__main__":
    main()
