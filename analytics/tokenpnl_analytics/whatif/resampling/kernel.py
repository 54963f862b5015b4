"""The kernel of the bootstrap: sums under Poisson weights, drawn sixteen bits at a time. The only file with numba here.

The weight of a cluster in a draw depends on (seed, draw, place of the cluster) alone, so that every arm, and every call
with the same seed, sees the same resamples.
"""

import numba
import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]

# A 16-bit number at or above k of these limits is the weight k: the distribution of Poisson(1), cut at 8, whose
# rounding leaves the mean at exactly 1 and the variance at .99997.
LIMITS = np.round(stats.poisson.cdf(np.arange(8), 1.0) * 65536).astype(np.uint16)
_BLOCK = 4096  # clusters whose values stay in the nearest cache while all draws pass over them
_STEP, _MIX_1, _MIX_2 = (np.uint64(x) for x in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def weighted_sums(values: Floats, *, draws: int, seed: int) -> Floats:
    """Return the sum of each row of values over clusters, under the weights of each draw.

    Args:
        values: `(figures, clusters)`.
        draws: how many resamples.
        seed: 0 to 2^64 - 1; names the resamples.

    Returns:
        `(draws, figures)`.
    """
    sums: Floats = _weighted_sums(np.ascontiguousarray(values, np.float64), draws, np.uint64(seed), LIMITS)
    return sums


@numba.njit(cache=True, fastmath={"reassoc", "contract"})
def _weighted_sums(
    values: Floats, draws: int, seed: np.uint64, limits: npt.NDArray[np.uint16]
) -> Floats:  # pragma: no cover  # compiled: no tracer sees it run
    n_figures, n = values.shape
    sums = np.zeros((draws, n_figures))
    words = np.empty(_BLOCK // 4, np.uint64)
    numbers = words.view(np.uint16)
    weights = np.empty(_BLOCK, np.float64)
    l0, l1, l2, l3, l4, l5, l6, l7 = limits
    of_a_draw = np.uint64((n + _BLOCK) // 4)
    for start in range(0, n, _BLOCK):
        size = min(_BLOCK, n - start)
        for draw in range(draws):
            # Splitmix64 (Steele, Lea, Flood 2014) by its counter: no draw shares a stretch of it with another.
            base = seed + (np.uint64(draw) * of_a_draw + np.uint64(start // 4)) * _STEP
            for i in range(_BLOCK // 4):
                z = base + np.uint64(i + 1) * _STEP
                z = (z ^ (z >> np.uint64(30))) * _MIX_1
                z = (z ^ (z >> np.uint64(27))) * _MIX_2
                words[i] = z ^ (z >> np.uint64(31))
            for i in range(_BLOCK):
                x = numbers[i]
                # Eight comparisons run in vector registers, sixteen numbers at a time; a look-up does not.
                weights[i] = (
                    np.uint16(x >= l0)
                    + np.uint16(x >= l1)
                    + np.uint16(x >= l2)
                    + np.uint16(x >= l3)
                    + np.uint16(x >= l4)
                    + np.uint16(x >= l5)
                    + np.uint16(x >= l6)
                    + np.uint16(x >= l7)
                )
            for figure in range(n_figures):
                total = 0.0
                for i in range(size):
                    total += weights[i] * values[figure, start + i]
                sums[draw, figure] += total
    return sums
