"""The mean reward or cost per run under a target policy: seven estimators, in float64.

Each returns what every run contributes; the mean of the contributions is the estimate. With w = pi(a|x) / p(a|x), the
target probability of the logged arm over its logged propensity, r the reward, q the expected reward of an arm and
q(x, pi) its mean under the target:

- IPS: w r (Strehl et al. 2010)
- SNIPS: w r / mean(w) (Swaminathan and Joachims 2015)
- DM: q(x, pi) (Beygelzimer and Langford 2009)
- DR: q(x, pi) + w (r - q(x, a)) (Dudik et al. 2014)
- SNDR: q(x, pi) + w / mean(w) (r - q(x, a)) (Kallus and Uehara 2019)
- Switch-DR: DR, with w = 0 where w > tau (Wang, Agarwal and Dudik 2017)
- DRos: DR, with lambda w / (w^2 + lambda) for w (Su, Dimakopoulou, Krishnamurthy and Dudik 2020)

The formulas are those of Open Bandit Pipeline 0.5 (Saito, Aihara, Matsutani and Narita 2021).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Trial:
    """What was logged, the target policy and a model of the reward; one row per run.

    Attributes:
        reward: what the run brought: success (0 or 1), a score, or its cost in USD.
        arm: the arm that was taken, numbered from 0.
        propensity: probability of that arm when it was taken, above 0.
        target: probability of each arm under the target policy, runs x arms; a row adds up to 1.
        expected: reward of each arm by a model that has not seen the run, runs x arms; None: there is no model.
    """

    reward: Floats
    arm: Codes
    propensity: Floats
    target: Floats
    expected: Floats | None = None

    @property
    def weights(self) -> Floats:
        """Return w, the target probability of the logged arm over its propensity."""
        return taken(self.target, self.arm) / self.propensity


def taken(matrix: Floats, arm: Codes) -> Floats:
    """Return the entry of each run's logged arm from a matrix of runs x arms."""
    found: Floats = matrix[np.arange(len(arm)), arm]
    return found


def ips(trial: Trial) -> Floats:
    """Return w r: unbiased where the propensities are right, of high variance where they are small."""
    return trial.weights * trial.reward


def snips(trial: Trial) -> Floats:
    """Return w r / mean(w): stays within the rewards that were seen, at the price of a small bias."""
    weights = trial.weights
    found: Floats = weights * trial.reward / weights.mean()
    return found


def dm(trial: Trial) -> Floats:
    """Return q(x, pi), the model's word alone: as good as the model."""
    found: Floats = (trial.target * _model(trial)).sum(axis=1)
    return found


def dr(trial: Trial) -> Floats:
    """Return q(x, pi) + w (r - q(x, a)): right if the propensities or the model are."""
    return _corrected(trial, trial.weights)


def sndr(trial: Trial) -> Floats:
    """Return q(x, pi) + w / mean(w) (r - q(x, a))."""
    weights = trial.weights
    return _corrected(trial, weights / weights.mean())


def switch_dr(trial: Trial, tau: float) -> Floats:
    """Return DR where w <= tau, and the model's word alone elsewhere."""
    weights = trial.weights
    return _corrected(trial, np.where(weights <= tau, weights, 0.0))


def dros(trial: Trial, shrinkage: float) -> Floats:
    """Return DR with w shrunk to lambda w / (w^2 + lambda); 0 is the model alone, infinity is DR.

    Args:
        trial: runs, target and model.
        shrinkage: lambda, not negative.
    """
    weights = trial.weights
    if np.isinf(shrinkage):
        return _corrected(trial, weights)
    shrunk = np.divide(
        shrinkage * weights, weights**2 + shrinkage, out=np.zeros_like(weights), where=weights**2 + shrinkage > 0
    )
    return _corrected(trial, shrunk)


def _corrected(trial: Trial, weights: Floats) -> Floats:
    return dm(trial) + weights * (trial.reward - taken(_model(trial), trial.arm))


def _model(trial: Trial) -> Floats:
    if trial.expected is None:
        raise ValueError("expected a model's reward of each arm for this estimator, got None; use ips or snips")
    return trial.expected
