"""What the log tells about each run's route, as arrays: arm, propensity of every arm, outcome, cost, inputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.whatif.off_policy.estimators import Codes, Floats

TARGET = "target:"
"""Prefix of the columns that hold the target policy: `target:<arm>` is its probability of that arm."""
_NEEDED = ("route_arm", "reward", "cost", "cluster")


class Knowledge(StrEnum):
    """How much the log tells about why an arm was taken."""

    PROPENSITIES = "propensities"  # the router logged the probability of what it did
    INPUTS = "inputs"  # it logged what it looked at: probabilities are fitted
    NOTHING = "nothing"  # neither: only what the target would have left as it was is known


@dataclass(frozen=True)
class Logged:
    """One row per run, in the order of the frame.

    Attributes:
        arms: every arm that was taken, was a candidate or has a target column, sorted.
        arm: arm that was taken, as position in `arms`.
        reward: 0 to 1; NaN: no outcome.
        cost: USD, float64 because everything here is an estimate; NaN: unpriced.
        cluster: group of the run, numbered from 0.
        stratum: group within which arms are compared, numbered from 0.
        strata: names of them, in that order.
        propensity: logged probability of the arm taken; NaN: not logged, or no probability.
        candidates: runs x arms, True where the router could have taken the arm; all True where it does not say.
        inputs: numbers that the router looked at, runs x inputs, unknown ones as NaN.
        names: of the inputs.
        knowledge: what the above allows.
    """

    arms: tuple[str, ...]
    arm: Codes
    reward: Floats
    cost: Floats
    cluster: Codes
    stratum: Codes
    strata: tuple[str, ...]
    propensity: Floats
    candidates: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    inputs: Floats
    names: tuple[str, ...]
    knowledge: Knowledge

    @property
    def n(self) -> int:
        """Return the number of runs."""
        return len(self.arm)


def with_target(runs: pl.DataFrame, arm: str) -> pl.DataFrame:
    """Return the frame with the target columns of a policy that takes one arm for certain.

    Args:
        runs: any frame with `route_arm`.
        arm: name of a text column that says which arm the policy takes in each run.

    Returns:
        The frame with `target:<arm>` (1.0 or 0.0) for every arm that the policy or the log takes.
    """
    names = pl.concat([runs[arm], runs["route_arm"]], rechunk=False).drop_nulls().unique().sort()
    return runs.with_columns((pl.col(arm) == name).cast(pl.Float64).alias(TARGET + name) for name in names)


def logged_runs(runs: pl.DataFrame, inputs: Sequence[str] = ()) -> Logged:
    """Return the arrays of a frame of runs.

    Args:
        runs: one row per run (or call): `route_arm` (text), `reward` (0 to 1; NULL: no outcome), `cost` (USD; NULL:
            unpriced), `cluster` (integer); optional `route_propensity`, `route_candidates` (list of text), `stratum`
            (text), `target:<arm>` columns. A run with several routed calls comes as one row whose arm is their
            combination and whose propensity is the product.
        inputs: numeric columns of `runs` that the router looked at.

    Raises:
        RefusedInputError: a column is absent, a run has no arm, or a reward is no share.
    """
    _check(runs, inputs)
    arms = _arms(runs)
    position = {name: number for number, name in enumerate(arms)}
    strata = runs["stratum"].fill_null("unknown") if "stratum" in runs.columns else pl.Series(["all"] * runs.height)
    kinds = tuple(strata.unique().sort())
    propensity = _numbers(runs, "route_propensity")
    propensity[~((propensity > 0) & (propensity <= 1))] = np.nan
    known = bool(np.isfinite(propensity).any())
    columns = [_numbers(runs, name) for name in inputs]
    return Logged(
        arms=arms,
        arm=_codes(runs["route_arm"], position),
        reward=_numbers(runs, "reward"),
        cost=_numbers(runs, "cost"),
        cluster=runs["cluster"].rank("dense").to_numpy().astype(np.int64) - 1,
        stratum=_codes(strata, {name: number for number, name in enumerate(kinds)}),
        strata=kinds,
        propensity=propensity,
        candidates=_candidates(runs, arms),
        inputs=np.column_stack(columns) if columns else np.empty((runs.height, 0)),
        names=tuple(inputs),
        knowledge=Knowledge.PROPENSITIES if known else Knowledge.INPUTS if columns else Knowledge.NOTHING,
    )


def target_of(runs: pl.DataFrame, arms: Sequence[str]) -> Floats:
    """Return the target policy of a frame, runs x arms.

    Raises:
        RefusedInputError: there are no target columns, or a row's probabilities do not add up to 1.
    """
    if not any(name.startswith(TARGET) for name in runs.columns):
        raise RefusedInputError(
            f"expected the target policy in columns {TARGET}<arm>, got none; with_target makes them from a column"
        )
    matrix = np.column_stack([_numbers(runs, TARGET + name, absent=0.0) for name in arms])
    sums = matrix.sum(axis=1)
    if not np.allclose(sums, 1.0, atol=1e-9) or (matrix < 0).any():
        worst = float(sums[np.argmax(np.abs(sums - 1.0))])
        raise RefusedInputError(
            f"expected target probabilities that add up to 1 in every run, got {worst:.6g}; name every arm that the "
            f"policy may take in a column {TARGET}<arm>"
        )
    return matrix


def _check(runs: pl.DataFrame, inputs: Sequence[str]) -> None:
    absent = [name for name in (*_NEEDED, *inputs) if name not in runs.columns]
    if absent:
        raise RefusedInputError(f"expected columns {', '.join(_NEEDED)} of each run, got none named {absent[0]!r}")
    if runs.height == 0 or runs["route_arm"].null_count() or runs["cluster"].null_count():
        raise RefusedInputError("expected at least one run, each with an arm and a cluster; leave out runs without")
    outside = runs.filter(~pl.col("reward").cast(pl.Float64).is_between(0, 1))
    if outside.height:
        raise RefusedInputError(f"expected rewards from 0 to 1, got {outside['reward'][0]}; divide by the largest")


def _arms(runs: pl.DataFrame) -> tuple[str, ...]:
    names = set(runs["route_arm"].unique())
    names |= {name.removeprefix(TARGET) for name in runs.columns if name.startswith(TARGET)}
    if "route_candidates" in runs.columns:
        names |= set(runs["route_candidates"].drop_nulls().explode().drop_nulls().unique())
    return tuple(sorted(names))


def _candidates(runs: pl.DataFrame, arms: Sequence[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    if "route_candidates" not in runs.columns:
        return np.ones((runs.height, len(arms)), dtype=np.bool_)
    listed = pl.col("route_candidates").list
    could = runs.select(
        # What was taken could be taken, whatever the list says.
        (listed.contains(name) | (pl.col("route_arm") == name)).fill_null(value=True).alias(name)
        for name in arms
    )
    return could.to_numpy().astype(np.bool_)


def _codes(names: pl.Series, position: dict[str, int]) -> Codes:
    return names.replace_strict(position, return_dtype=pl.Int64).to_numpy()


def _numbers(runs: pl.DataFrame, name: str, absent: float = np.nan) -> Floats:
    """Return a column in float64, unknown as NaN: the one place where money leaves Decimal, for estimates only."""
    if name not in runs.columns:
        return np.full(runs.height, absent)
    return runs[name].cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64, copy=True)
