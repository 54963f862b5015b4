"""Simple models of routes and outcomes from logged inputs: ridge regression and ridge softmax, cross-fitted."""

from collections.abc import Callable

import numpy as np
from scipy import optimize

from tokenpnl_analytics.whatif.off_policy.estimators import Codes, Floats
from tokenpnl_analytics.whatif.off_policy.logged import Logged

FOLDS = 5
RIDGE = 1.0
"""Penalty on squared coefficients of standardised inputs; the constant is free."""


def features(logged: Logged) -> Floats:
    """Return what the models see of each run: a constant, standardised inputs, which are unknown, the stratum.

    An unknown input stands at the mean, and a column of its own says that it is unknown.
    """
    unknown = ~np.isfinite(logged.inputs)
    known = np.where(unknown, np.nan, logged.inputs)
    columns = [np.ones((logged.n, 1))]
    for number in range(known.shape[1]):
        values, absent = known[:, number], unknown[:, number]
        if absent.all():
            continue
        spread = float(np.nanstd(values)) or 1.0
        columns.append(np.where(absent, 0.0, (values - np.nanmean(values)) / spread)[:, None])
        if absent.any():
            columns.append(absent.astype(np.float64)[:, None])
    dummies = logged.stratum[:, None] == np.arange(1, len(logged.strata))
    return np.hstack([*columns, dummies.astype(np.float64)])


def folds(cluster: Codes, chance: np.random.Generator) -> Codes:
    """Return the fold of each run; runs of one cluster share it, so that no run's model has seen its neighbours."""
    order = chance.permutation(int(cluster.max()) + 1)
    return (order % FOLDS)[cluster]


def fitted_propensities(logged: Logged, fold: Codes) -> Floats:
    """Return the probability of every arm given the logged inputs, runs x arms, each run by a model without its fold.

    Without inputs it is the share of the arm in the stratum.

    Arms that were no candidates have none, and the others add up to 1.
    """
    shares = (logged.arm[:, None] == np.arange(len(logged.arms))).astype(np.float64)
    if not logged.names:
        counts = np.zeros((len(logged.strata), len(logged.arms)))
        np.add.at(counts, (logged.stratum, logged.arm), 1.0)
        found = (counts / counts.sum(axis=1, keepdims=True))[logged.stratum]
    else:
        design = features(logged)
        found = _crossed(fold, lambda seen, asked: softmax(design[asked] @ softmax_fit(design[seen], shares[seen])))
    found *= logged.candidates
    probabilities: Floats = found / found.sum(axis=1, keepdims=True)
    return probabilities


def expected_values(logged: Logged, values: Floats, fold: Codes, *, share: bool) -> Floats:
    """Return the expected value of every arm in every run, runs x arms, by models that have not seen the run's fold.

    Args:
        logged: the runs.
        values: what the runs brought; NaN: unknown, and not learned from.
        fold: of each run.
        share: the values lie between 0 and 1 (logistic); else they are amounts of 0 or more (linear).
    """
    design, known = features(logged), np.isfinite(values)
    everywhere = float(values[known].mean()) if known.any() else 0.0

    def predicted(seen: Codes, asked: Codes) -> Floats:
        found = np.full((len(asked), len(logged.arms)), everywhere)
        for arm in range(len(logged.arms)):
            of_arm = seen[(logged.arm[seen] == arm) & known[seen]]
            if len(of_arm):
                found[:, arm] = _one_model(design[of_arm], values[of_arm], design[asked], share=share)
        return found

    return _crossed(fold, predicted)


def softmax_fit(design: Floats, shares: Floats) -> Floats:
    """Return the coefficients, columns of the design x classes, that make the shares likeliest less the ridge.

    Args:
        design: runs x columns, the first one constant.
        shares: runs x classes, what share of each run is of each class; a row adds up to 1.
    """
    shape = design.shape[1], shares.shape[1]

    def loss(flat: Floats) -> tuple[float, Floats]:
        coefficients = flat.reshape(shape)
        score = design @ coefficients
        top = score.max(axis=1, keepdims=True)
        log_sum = top[:, 0] + np.log(np.exp(score - top).sum(axis=1))
        penalised = np.vstack([np.zeros(shape[1]), coefficients[1:]])
        slope = design.T @ (softmax(score) - shares) + RIDGE * penalised
        return float((log_sum - (shares * score).sum(axis=1)).sum() + RIDGE / 2 * (penalised**2).sum()), slope.ravel()

    found = optimize.minimize(loss, np.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B")
    coefficients: Floats = found.x.reshape(shape)
    return coefficients


def softmax(score: Floats) -> Floats:
    """Return the probabilities of scores, row by row."""
    raised = np.exp(score - score.max(axis=1, keepdims=True))
    probabilities: Floats = raised / raised.sum(axis=1, keepdims=True)
    return probabilities


def _one_model(design: Floats, values: Floats, asked: Floats, *, share: bool) -> Floats:
    if design.shape[1] == 1:
        return np.full(len(asked), values.mean())
    if share:
        return softmax(asked @ softmax_fit(design, np.column_stack([1 - values, values])))[:, 1]
    penalty = RIDGE * np.eye(design.shape[1])
    penalty[0, 0] = 0.0
    coefficients = np.linalg.lstsq(design.T @ design + penalty, design.T @ values, rcond=None)[0]
    return np.maximum(asked @ coefficients, 0.0)


def _crossed(fold: Codes, predicted: Callable[[Codes, Codes], Floats]) -> Floats:
    """Return the predictions of each fold's runs by a model of all other folds; of one fold alone by itself."""
    rows = np.arange(len(fold))
    kinds = np.unique(fold)
    parts = [(rows if len(kinds) == 1 else rows[fold != kind], rows[fold == kind]) for kind in kinds]
    found = [predicted(seen, asked) for seen, asked in parts]
    order = np.concatenate([asked for _, asked in parts])
    return np.concatenate(found)[np.argsort(order)]
