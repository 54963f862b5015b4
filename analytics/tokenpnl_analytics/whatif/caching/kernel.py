"""How a loop over references is compiled, and the queues that such loops keep."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Compiled = TypeVar("Compiled", bound=Callable[..., object])

NOWHERE = -1


def compiled(function: Compiled) -> Compiled:
    """Return the function compiled by numba at its first call; its machine code is kept beside the source."""
    return cast(Compiled, numba.njit(cache=True)(function))


class Asked(NamedTuple):
    """References in the order in which they came, one array entry each.

    Attributes:
        keys: object asked for, numbered from 0 without gaps.
        sizes: what it occupies, in the unit of the capacity; not negative.
        times: when, in microseconds; never falling.
    """

    keys: Integers
    sizes: Integers
    times: Integers


class Life(NamedTuple):
    """How long an entry lives.

    Attributes:
        ttl: microseconds; an entry of exactly this age is still served.
        refreshed: a hit begins a new life; else life counts from the writing alone.
    """

    ttl: int
    refreshed: bool


@compiled
def new_links(n_nodes: int, n_queues: int) -> Integers:
    """Return empty rings: row 0 leads to the newer neighbour, row 1 to the older; node n_nodes + q heads queue q."""
    links = np.full((2, n_nodes + n_queues), NOWHERE)
    for head in range(n_nodes, n_nodes + n_queues):
        links[0, head] = head
        links[1, head] = head
    return links


@compiled
def unlink(links: Integers, node: int) -> None:
    """Take the node out of the queue that it is in."""
    newer, older = links[0, node], links[1, node]
    links[1, newer] = older
    links[0, older] = newer


@compiled
def link_below(links: Integers, place: int, node: int) -> None:
    """Put the node next to `place` on its older side; with a head as place it becomes the newest of that queue."""
    older = links[1, place]
    links[0, node], links[1, node] = place, older
    links[1, place] = node
    links[0, older] = node


@compiled
def oldest(links: Integers, head: int) -> int:
    """Return the node at the old end of the queue; the head itself when the queue is empty."""
    return int(links[0, head])
