"""Replay of the two caches that remember what they evicted: ARC and S3-FIFO, for objects of any size.

From the papers (Megiddo and Modha, ARC, FAST 2003; Yang et al., S3-FIFO, SOSP 2023). Where those say "one page", sizes
are counted as libCacheSim counts them: room is made until the object fits, and a ghost weighs what it weighed.
"""

from typing import NamedTuple

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

_T1, _T2, _B1, _B2 = 0, 1, 2, 3
_SMALL, _MAIN, _GHOST = 0, 1, 2
_SMALL_SHARE, _GHOST_SHARE = 0.1, 0.9
_PROMOTED_AT, _MOST_USES = 2, 3


class _Queues(NamedTuple):
    """Objects in several queues: their links, in which queue each is, what each weighs, what each queue weighs."""

    links: Integers
    where: Integers
    held: Integers
    used: Integers


@compiled
def _enter(queues: _Queues, key: int, queue: int) -> None:
    """Put the object at the new end of the queue."""
    link_below(queues.links, len(queues.where) + queue, key)
    queues.where[key] = queue
    queues.used[queue] += queues.held[key]


@compiled
def _leave(queues: _Queues, key: int) -> None:
    """Take the object out of the queue that it is in."""
    unlink(queues.links, key)
    queues.used[queues.where[key]] -= queues.held[key]
    queues.where[key] = NOWHERE


@compiled
def _last(queues: _Queues, queue: int) -> int:
    """Return the object at the old end of the queue; NOWHERE when it is empty."""
    head = len(queues.where) + queue
    found = oldest(queues.links, head)
    return NOWHERE if found == head else found


@compiled
def arc_hits(asked: Asked, n_objects: int, capacity: int, life: Life) -> Flags:
    """Return for each reference whether an ARC cache held it.

    T1 holds what was asked for once, T2 what was asked for again; their ghosts B1 and B2 move the weight that T1 aims
    at, by the ratio of the ghosts' weights, at least one unit a ghost hit.
    """
    queues = _Queues(
        new_links(n_objects, 4),
        np.full(n_objects, NOWHERE),
        np.zeros(n_objects, np.int64),
        np.zeros(4, np.int64),
    )
    ends, hits = np.zeros(n_objects, np.int64), np.zeros(len(asked.keys), np.bool_)
    aim = 0.0
    for place in range(len(asked.keys)):
        key, size, now = asked.keys[place], asked.sizes[place], asked.times[place]
        if 0 <= queues.where[key] <= _T2 and now > ends[key]:
            _leave(queues, key)
        before = queues.where[key]
        hits[place] = 0 <= before <= _T2
        if hits[place]:
            _leave(queues, key)
            _enter(queues, key, _T2)
        elif size <= capacity:
            if before >= _B1:
                aim = _aimed(queues.used, aim, before, capacity)
                _leave(queues, key)
            while queues.used[_T1] + queues.used[_T2] + size > capacity:
                if before >= _B1 or not _cut(queues, capacity, size):
                    _replace(queues, aim, before)
            queues.held[key] = size
            _enter(queues, key, _T2 if before >= _B1 else _T1)
        if not hits[place] or life.refreshed:
            ends[key] = now + life.ttl
    return hits


@compiled
def _aimed(used: Integers, aim: float, ghost: int, capacity: int) -> float:
    """Return the weight that T1 aims at after a hit among its ghosts (more) or those of T2 (less)."""
    if ghost == _B1:
        return float(min(aim + max(used[_B2] / max(used[_B1], 1), 1.0), capacity))
    return float(max(aim - max(used[_B1] / max(used[_B2], 1), 1.0), 0.0))


@compiled
def _replace(queues: _Queues, aim: float, before: int) -> None:
    """Turn the oldest object of T1 into a ghost if T1 weighs more than its aim, else that of T2."""
    weight = queues.used[_T1]
    from_first = weight > 0 and (weight > aim or (weight == aim and before == _B2))
    leaving = _last(queues, _T1 if from_first else _T2)
    if leaving == NOWHERE:
        leaving = _last(queues, _T2 if from_first else _T1)
    ghost = _B1 if queues.where[leaving] == _T1 else _B2
    _leave(queues, leaving)
    _enter(queues, leaving, ghost)


@compiled
def _cut(queues: _Queues, capacity: int, size: int) -> bool:
    """Keep T1 with B1 under the capacity, and all four queues under twice that: case IV of the paper.

    True when T1 alone was too heavy and an object of it was let go without a ghost, so that there is new room.
    """
    if queues.used[_T1] + queues.used[_B1] + size > capacity:
        ghost = _last(queues, _B1)
        if ghost == NOWHERE:
            _leave(queues, _last(queues, _T1))
            return True
    elif queues.used.sum() >= 2 * capacity:
        ghost = _last(queues, _B2)
    else:
        return False
    if ghost != NOWHERE:
        _leave(queues, ghost)
    return False


@compiled
def s3fifo_hits(asked: Asked, n_objects: int, capacity: int, life: Life) -> Flags:
    """Return for each reference whether an S3-FIFO cache held it.

    A tenth of the capacity is probation: what is used twice there moves to the main queue, the rest leaves a ghost, and
    whoever comes back as a ghost enters the main queue at once. The main queue gives used entries another round, three
    at most. Until something was evicted, what finds probation full enters the main queue. An object larger than
    probation is refused.
    """
    queues = _Queues(
        new_links(n_objects, 3),
        np.full(n_objects, NOWHERE),
        np.zeros(n_objects, np.int64),
        np.zeros(3, np.int64),
    )
    uses, ends = np.zeros(n_objects, np.int64), np.zeros(n_objects, np.int64)
    hits, small = np.zeros(len(asked.keys), np.bool_), max(int(capacity * _SMALL_SHARE), min(capacity, 1))
    evicted = False
    for place in range(len(asked.keys)):
        key, size, now = asked.keys[place], asked.sizes[place], asked.times[place]
        if 0 <= queues.where[key] <= _MAIN and now > ends[key]:
            _leave(queues, key)
        before = queues.where[key]
        hits[place] = 0 <= before <= _MAIN
        if hits[place]:
            uses[key] += 1
        elif before == _GHOST:
            _leave(queues, key)
        if not hits[place] and size <= small:
            while queues.used[_SMALL] + queues.used[_MAIN] + size > capacity:
                evicted = True
                _evict(queues, uses, capacity, small)
            direct = before == _GHOST or (not evicted and queues.used[_SMALL] >= small)
            queues.held[key], uses[key] = size, 0
            _enter(queues, key, _MAIN if direct else _SMALL)
        if not hits[place] or life.refreshed:
            ends[key] = now + life.ttl
    return hits


@compiled
def _evict(queues: _Queues, uses: Integers, capacity: int, small: int) -> None:
    """Evict one object, from the main queue when that is over its share or probation is empty."""
    if queues.used[_MAIN] > capacity - small or _last(queues, _SMALL) == NOWHERE:
        _evict_main(queues, uses)
    else:
        _evict_small(queues, uses, int(capacity * _GHOST_SHARE))


@compiled
def _evict_main(queues: _Queues, uses: Integers) -> None:
    """Give used entries of the main queue another round; evict the first that was not used."""
    while True:
        key = _last(queues, _MAIN)
        _leave(queues, key)
        if uses[key] == 0:
            return
        uses[key] = min(uses[key], _MOST_USES) - 1
        _enter(queues, key, _MAIN)


@compiled
def _evict_small(queues: _Queues, uses: Integers, ghost_capacity: int) -> None:
    """Move used entries of probation to the main queue; the first that was not used leaves a ghost."""
    while True:
        key = _last(queues, _SMALL)
        if key == NOWHERE:
            return
        _leave(queues, key)
        if uses[key] < _PROMOTED_AT:
            break
        uses[key] = 0
        _enter(queues, key, _MAIN)
    while queues.used[_GHOST] + queues.held[key] > ghost_capacity and queues.used[_GHOST] > 0:
        _leave(queues, _last(queues, _GHOST))
    if queues.held[key] <= ghost_capacity:
        _enter(queues, key, _GHOST)
