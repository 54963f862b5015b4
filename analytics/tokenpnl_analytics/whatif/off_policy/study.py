"""Logged runs with the probability of every arm and the models' word on every arm: what each question starts from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tokenpnl_analytics.whatif.off_policy.estimators import Floats
from tokenpnl_analytics.whatif.off_policy.logged import Knowledge, Logged, logged_runs
from tokenpnl_analytics.whatif.off_policy.models import expected_values, fitted_propensities, folds


@dataclass(frozen=True)
class Study:
    """Logged runs and what is known or fitted of every arm in every run.

    Attributes:
        logged: the runs.
        propensity: probability of every arm, runs x arms; 0: the arm could not be taken, or nobody knows.
        success: expected success of every arm, runs x arms.
        cost: expected cost in USD of every arm, runs x arms.
    """

    logged: Logged
    propensity: Floats
    success: Floats
    cost: Floats


def study(runs: pl.DataFrame, inputs: Sequence[str] = (), *, chance: np.random.Generator) -> Study:
    """Return the study of a frame of runs (columns: see `logged_runs`).

    Args:
        runs: one row per run.
        inputs: numeric columns that the router looked at.
        chance: draws the folds of the models.
    """
    logged = logged_runs(runs, inputs)
    fold = folds(logged.cluster, chance)
    return Study(
        logged=logged,
        propensity=arm_propensities(logged, fitted_propensities(logged, fold)),
        success=expected_values(logged, logged.reward, fold, share=True),
        cost=expected_values(logged, logged.cost, fold, share=False),
    )


def arm_propensities(logged: Logged, fitted: Floats) -> Floats:
    """Return the probability of every arm in every run, as far as the log tells.

    Where the propensity p of the arm taken is logged, the others share 1 - p in proportion to `fitted`: with two arms
    that is exact, and where a router is deterministic (p = 1) no other arm has a chance. Where only inputs are
    logged it is `fitted`. Where neither is, the arm taken has 1 and nothing else has a chance.
    """
    took = logged.arm[:, None] == np.arange(len(logged.arms))
    if logged.knowledge is Knowledge.INPUTS:
        return fitted
    if logged.knowledge is Knowledge.NOTHING:
        certain: Floats = took.astype(np.float64)
        return certain
    others = np.where(took, 0.0, fitted)
    total = others.sum(axis=1, keepdims=True)
    share = np.divide(others, total, out=np.zeros_like(others), where=total > 0)
    p = np.nan_to_num(logged.propensity)[:, None]
    found: Floats = np.where(p > 0, np.where(took, p, (1 - p) * share), 0.0)
    return found
