"""Clusters split by hash: arms of an experiment, and the half that scores what the other half chose."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tokenpnl_analytics.whatif.resampling.replicates import DRAWS, Figure, paired_replicates
from tokenpnl_analytics.whatif.result import Estimate

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_WHOLE = 2.0**32
HALF = 0.5
"""Places below it score what those above it chose."""


@dataclass(frozen=True)
class Winner:
    """The best arm on one half of the clusters, and what it is worth on the other half.

    Attributes:
        arm: number of the arm that saved most on the choosing half.
        chosen_on: its saving in USD there: flattered, because luck chose too.
        held_out: its saving in USD on the half that had no say.
    """

    arm: int
    chosen_on: Estimate
    held_out: Estimate


def places(keys: Iterable[str], salt: str) -> Floats:
    """Return where each key falls between 0 and 1: the first 32 bits of SHA-256 of `salt:key`, over 2^32.

    Any program can compute the same, so a router and this book agree on who is in which arm.
    """
    return np.array(
        [int.from_bytes(hashlib.sha256(f"{salt}:{key}".encode()).digest()[:4], "big") / _WHOLE for key in keys]
    )


def held_out_half(clusters: Codes, *, salt: str = "held out") -> npt.NDArray[np.bool_]:
    """Return whether each run's cluster belongs to the half that only scores; all runs of a cluster go together."""
    numbers, positions = np.unique(clusters, return_inverse=True)
    held: npt.NDArray[np.bool_] = (places(map(str, numbers), salt) < HALF)[positions]
    return held


def score_winner(
    cost_by_arm: Floats, success_by_arm: Floats, clusters: Codes, *, chance: np.random.Generator, draws: int = DRAWS
) -> Winner | None:
    """Return the arm that saves most on one half of the clusters, scored again on the other; None: one half is empty.

    Args:
        cost_by_arm: `(arms, runs)` in USD, the baseline first, at least one more.
        success_by_arm: `(arms, runs)`.
        clusters: group of each run.
        chance: names the resamples of both halves.
        draws: how many resamples.
    """
    held = held_out_half(clusters)
    if held.all() or not held.any():
        return None
    halves = []
    for half in (~held, held):
        _, codes = np.unique(clusters[half], return_inverse=True)
        halves.append(
            paired_replicates(cost_by_arm[:, half], success_by_arm[:, half], codes, chance=chance, draws=draws)
        )
    arm = 1 + int(np.argmax(cost_by_arm[0, ~held].sum() - cost_by_arm[1:, ~held].sum(axis=1)))
    return Winner(arm, *(half.interval(Figure.SAVING_USD, arm) for half in halves))
