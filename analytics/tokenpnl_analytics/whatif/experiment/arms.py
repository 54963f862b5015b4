"""What two arms of an experiment cost and brought, and the difference with an interval for one look and for all looks.

Estimates, in float64.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from tokenpnl_analytics.rules.experiments import Metric
from tokenpnl_analytics.unit_cost.intervals import CONFIDENCE, standard_error
from tokenpnl_analytics.whatif.experiment.sequence import PLANNED_RUNS, reach
from tokenpnl_analytics.whatif.result import Estimate

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Arm:
    """One arm, summed by cluster.

    Attributes:
        cost_usd: of each cluster.
        successes: of each cluster.
        runs: of each cluster.
    """

    cost_usd: Floats
    successes: Floats
    runs: Floats

    @classmethod
    def of(cls, cost_usd: Floats, succeeded: Floats, clusters: Codes) -> "Arm":
        """Return the arm from its runs.

        Args:
            cost_usd: cost of each run.
            succeeded: 1 for each successful run, else 0.
            clusters: group of each run, of any numbers.
        """
        _, codes = np.unique(clusters, return_inverse=True)
        n = int(codes.max()) + 1 if len(codes) else 0
        cost, won = (np.bincount(codes, values, n).astype(np.float64) for values in (cost_usd, succeeded))
        return cls(cost, won, np.bincount(codes, minlength=n).astype(np.float64))

    @property
    def n(self) -> int:
        """Runs."""
        return int(self.runs.sum())

    @property
    def n_clusters(self) -> int:
        """Clusters: the unit of assignment."""
        return len(self.runs)

    @property
    def n_successes(self) -> int:
        """Successful runs."""
        return int(self.successes.sum())

    @property
    def success_share(self) -> float:
        """Successes over runs."""
        return float(self.successes.sum() / self.runs.sum())

    def below(self, metric: Metric) -> Floats:
        """Return what the cost of each cluster is divided by under the metric."""
        return self.successes if metric is Metric.USD_PER_SUCCESS else self.runs

    def price(self, metric: Metric) -> float:
        """Return cost per run, or per success, in USD."""
        return float(self.cost_usd.sum() / self.below(metric).sum())


@dataclass(frozen=True)
class Difference:
    """A difference between arms with two intervals.

    Attributes:
        once: interval that holds if this is the only look.
        always: confidence sequence at this look: it holds at every look.
        design_effect: variance with clusters over variance without, of both arms together.
    """

    once: Estimate
    always: Estimate
    design_effect: float


def saving(control: Arm, treated: Arm, metric: Metric, *, planned_runs: float = PLANNED_RUNS) -> Difference:
    """Return what the treated arm saves per run (or per success) in USD: control minus treated; negative is a loss.

    Each arm's standard error is that of a ratio of sums over clusters; arms are independent, so variances add.

    Args:
        control: arm that was left as it is; two clusters and one success at least.
        treated: arm that was changed; the same.
        metric: what cost is divided by.
        planned_runs: effective runs at which the sequence is tightest.
    """
    value = control.price(metric) - treated.price(metric)
    errors = [standard_error(arm.cost_usd, arm.below(metric)) for arm in (control, treated)]
    return _difference(value, errors, (control, treated), planned_runs)


def success_change(control: Arm, treated: Arm, *, planned_runs: float = PLANNED_RUNS) -> Difference:
    """Return the change of the share of successes, treated minus control; 0.01 is one point.

    Args:
        control: arm that was left as it is; two clusters at least.
        treated: arm that was changed; the same.
        planned_runs: effective runs at which the sequence is tightest.
    """
    value = treated.success_share - control.success_share
    errors = [standard_error(arm.successes, arm.runs) for arm in (control, treated)]
    return _difference(value, errors, (control, treated), planned_runs)


def _difference(value: float, errors: list[float], arms: tuple[Arm, Arm], planned_runs: float) -> Difference:
    error = math.hypot(*errors)
    shares = [arm.success_share * (1 - arm.success_share) / arm.n for arm in arms]
    clustered = [standard_error(arm.successes, arm.runs) ** 2 for arm in arms]
    effect = max(1.0, sum(clustered) / sum(shares)) if sum(shares) > 0 else 1.0
    n = sum(arm.n for arm in arms)
    fewest = min(arm.n_clusters for arm in arms)
    # Two arms of unlike size know as much as two equal arms of their harmonic mean.
    effective = 4 / sum(1 / arm.n for arm in arms) / effect
    once = float(stats.t.ppf(0.5 + CONFIDENCE / 2, fewest - 1)) * error
    always = max(reach(effective, planned_runs=planned_runs) * error, once)
    return Difference(
        Estimate(value, value - once, value + once, n, "cluster-robust, t, one look"),
        Estimate(value, value - always, value + always, n, "asymptotic confidence sequence, any look", effective),
        effect,
    )
