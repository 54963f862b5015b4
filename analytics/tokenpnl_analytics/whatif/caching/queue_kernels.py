"""Replay of caches with one queue: LRU, FIFO and SIEVE; and LFU, with a queue for each frequency.

Every cache here refuses an object larger than itself, makes room before it inserts, and drops an entry that has
outlived its time when it is asked for, as libCacheSim does. Written from the papers: Zhang et al., SIEVE, NSDI 2024;
Matani, Shah, Mitra, An O(1) algorithm for LFU, 2021.
"""

import numpy as np

from tokenpnl_analytics.whatif.caching.kernel import (
    NOWHERE,
    Asked,
    Flags,
    Integers,
    Life,
    compiled,
    link_below,
    new_links,
    oldest,
    unlink,
)


@compiled
def lru_hits(asked: Asked, n_objects: int, capacity: int, life: Life) -> Flags:
    """Return for each reference whether an LRU cache held it: the entry used longest ago makes room."""
    return _one_queue(asked, n_objects, capacity, life, True)  # noqa: FBT003  # numba knows no keyword-only arguments


@compiled
def fifo_hits(asked: Asked, n_objects: int, capacity: int, life: Life) -> Flags:
    """Return for each reference whether a FIFO cache held it: the entry written longest ago makes room."""
    return _one_queue(asked, n_objects, capacity, life, False)  # noqa: FBT003  # the same


@compiled
def _one_queue(asked: Asked, n_objects: int, capacity: int, life: Life, promoted: bool) -> Flags:  # noqa: FBT001  # the same
    links, held = new_links(n_objects, 1), np.full(n_objects, NOWHERE)
    ends, hits = np.zeros(n_objects, np.int64), np.zeros(len(asked.keys), np.bool_)
    used = 0
    for place in range(len(asked.keys)):
        key, size, now = asked.keys[place], asked.sizes[place], asked.times[place]
        if held[key] != NOWHERE and now > ends[key]:
            used -= _dropped(links, held, key)
        hits[place] = held[key] != NOWHERE
        if hits[place]:
            if promoted:
                unlink(links, key)
                link_below(links, n_objects, key)
        elif size <= capacity:
            while used + size > capacity:
                used -= _dropped(links, held, oldest(links, n_objects))
            link_below(links, n_objects, key)
            held[key] = size
            used += size
        if not hits[place] or life.refreshed:
            ends[key] = now + life.ttl
    return hits


@compiled
def _dropped(links: Integers, held: Integers, key: int) -> int:
    """Take the object out of the cache and return what it occupied."""
    unlink(links, key)
    size = int(held[key])
    held[key] = NOWHERE
    return size


@compiled
def sieve_hits(asked: Asked, n_objects: int, capacity: int, life: Life) -> Flags:
    """Return for each reference whether a SIEVE cache held it.

    A hit only marks the entry. A hand moves from the old end to the new, takes marks away and evicts the first entry
    without one; it stays where it stopped.
    """
    links, held = new_links(n_objects, 1), np.full(n_objects, NOWHERE)
    ends, hits = np.zeros(n_objects, np.int64), np.zeros(len(asked.keys), np.bool_)
    marked = np.zeros(n_objects, np.bool_)
    used, hand = 0, n_objects
    for place in range(len(asked.keys)):
        key, size, now = asked.keys[place], asked.sizes[place], asked.times[place]
        if held[key] != NOWHERE and now > ends[key]:
            hand = links[0, key] if hand == key else hand
            used -= _dropped(links, held, key)
        hits[place] = held[key] != NOWHERE
        if hits[place]:
            marked[key] = True
        elif size <= capacity:
            while used + size > capacity:
                leaving = _sieved(links, marked, hand)
                hand = links[0, leaving]
                used -= _dropped(links, held, leaving)
            link_below(links, n_objects, key)
            held[key], marked[key] = size, False
            used += size
        if not hits[place] or life.refreshed:
            ends[key] = now + life.ttl
    return hits


@compiled
def _sieved(links: Integers, marked: Flags, hand: int) -> int:
    """Move the hand to the first entry without a mark and return it; the head of the queue means: from the old end."""
    head = len(marked)
    while True:
        if hand == head:
            hand = links[0, head]
        if not marked[hand]:
            return hand
        marked[hand] = False
        hand = links[0, hand]


@compiled
def lfu_hits(asked: Asked, n_objects: int, capacity: int, life: Life) -> Flags:
    """Return for each reference whether an LFU cache held it.

    The entry used least often makes room, of several the one that reached that frequency first. What was evicted
    begins at one again.
    """
    most = np.bincount(asked.keys, minlength=1).max()
    links, held = new_links(n_objects, most + 1), np.full(n_objects, NOWHERE)
    # A queue of its own orders the frequencies in use, so that the least is found in one step.
    order, often = new_links(most + 1, 1), np.zeros(n_objects, np.int64)
    ends, hits = np.zeros(n_objects, np.int64), np.zeros(len(asked.keys), np.bool_)
    used = 0
    for place in range(len(asked.keys)):
        key, size, now = asked.keys[place], asked.sizes[place], asked.times[place]
        if held[key] != NOWHERE and now > ends[key]:
            used -= _forgotten(links, order, often, held, key)
        hits[place] = held[key] != NOWHERE
        if hits[place]:
            _used_again(links, order, often, key)
        elif size <= capacity:
            while used + size > capacity:
                least = oldest(order, most + 1)
                used -= _forgotten(links, order, often, held, oldest(links, n_objects + least))
            held[key], often[key] = size, 0
            _used_again(links, order, often, key)
            used += size
        if not hits[place] or life.refreshed:
            ends[key] = now + life.ttl
    return hits


@compiled
def _used_again(links: Integers, order: Integers, often: Integers, key: int) -> None:
    """Move the object up by one frequency; from none to one when it is new."""
    n_objects, head = len(often), order.shape[1] - 1
    before = often[key]
    often[key] = before + 1
    if oldest(links, n_objects + before + 1) == n_objects + before + 1:
        # Frequencies stand in the queue from the largest (new end) to the least (old end).
        above = order[0, before] if before else oldest(order, head)
        link_below(order, above, before + 1)
    if before:
        unlink(links, key)
        if oldest(links, n_objects + before) == n_objects + before:
            unlink(order, before)
    link_below(links, n_objects + before + 1, key)


@compiled
def _forgotten(links: Integers, order: Integers, often: Integers, held: Integers, key: int) -> int:
    """Take the object out of the cache and out of its frequency, and return what it occupied."""
    size = _dropped(links, held, key)
    queue = len(often) + often[key]
    if oldest(links, queue) == queue:
        unlink(order, often[key])
    return size
