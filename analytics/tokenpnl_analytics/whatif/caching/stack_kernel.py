"""Stack distances of LRU in one pass: Mattson et al. 1970, with a Fenwick tree over blocks of references."""

import numpy as np

from tokenpnl_analytics.whatif.caching.kernel import NOWHERE, Integers, compiled

_BLOCK = 64  # references a leaf of the tree: sums within one are a straight run of memory


@compiled
def stack_distances(keys: Integers, sizes: Integers, n_objects: int) -> Integers:
    """Return for each reference what an LRU cache must be able to hold for it to be a hit.

    That is the size of all objects asked for since the object's last reference, its own included, each once.

    Args:
        keys: object asked for, numbered from 0.
        sizes: its size, not negative; the same at every reference of an object.
        n_objects: how many objects there are.

    Returns:
        Distances in the unit of the sizes; NOWHERE (-1) at the first reference of an object.
    """
    n = len(keys)
    last, weights = np.full(n_objects, NOWHERE), np.zeros(n + _BLOCK, np.int64)
    tree, distances = np.zeros(n // _BLOCK + 2, np.int64), np.full(n, NOWHERE)
    total, begun = np.int64(0), np.int64(0)  # of all live references, and of those in the block being filled
    for place in range(n):
        key, block = keys[place], place // _BLOCK
        size, before = sizes[place], last[key]
        if before == NOWHERE:
            total += size
        else:
            home = before // _BLOCK
            distances[place] = total - _below(tree, home) - _within(weights, before)
            weights[before] = 0
            if home == block:
                begun -= size
            else:
                _add(tree, home, -size)
        weights[place] = size
        begun += size
        last[key] = place
        if place % _BLOCK == _BLOCK - 1:
            _add(tree, block, begun)
            begun = np.int64(0)
    return distances


@compiled
def _below(tree: Integers, block: int) -> int:
    """Return the sum of the blocks before this one."""
    total = np.int64(0)
    while block > 0:
        total += tree[block]
        block &= block - 1
    return int(total)


@compiled
def _within(weights: Integers, place: int) -> int:
    """Return the sum of the references of the same block before this one."""
    total = np.int64(0)
    for other in range(place // _BLOCK * _BLOCK, place):
        total += weights[other]
    return int(total)


@compiled
def _add(tree: Integers, block: int, size: int) -> None:
    """Add to the sum of a block."""
    node = block + 1
    while node < len(tree):
        tree[node] += size
        node += node & -node
