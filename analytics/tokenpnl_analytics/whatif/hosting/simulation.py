"""Traced arrivals through a fleet that does not exist yet: prefill in line, decode side by side. Float64 estimates.

A request first waits for a replica to read its input (first come, first served, one input at a time), then is decoded
together with others: alone at the speed of one stream, in a full batch at its share of the replica's throughput. What
reading takes of a replica is missing to decode, as under chunked prefill (Agrawal et al. 2024, Sarathi-Serve).
"""

import heapq
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tokenpnl_analytics.whatif.hosting.speed import Speed

Floats = npt.NDArray[np.float64]
_NONE_LEFT: Final = 1e-12


@dataclass(frozen=True)
class Served:
    """When each request was served, seconds since the first arrival; rows in order of arrival.

    Attributes:
        arrived: arrival.
        read_from: start of reading its input.
        first_token: end of reading.
        ended: last token.
        utilisation: share of the fleet's capacity in use from the first arrival to the last end.
    """

    arrived: Floats
    read_from: Floats
    first_token: Floats
    ended: Floats
    utilisation: float

    @property
    def waiting_share(self) -> float:
        """Return the share of requests that had to wait before their input was read."""
        return float(np.mean(self.read_from > self.arrived))

    def latency_s(self, percent: float) -> float:
        """Return a percentile of arrival to last token, seconds."""
        return float(np.percentile(self.ended - self.arrived, percent))

    def first_token_s(self, percent: float) -> float:
        """Return a percentile of arrival to first token, seconds."""
        return float(np.percentile(self.first_token - self.arrived, percent))


def served(arrived: Floats, read: Floats, written: Floats, speed: Speed, replicas: int) -> Served:
    """Return when a fleet would have served these requests.

    Args:
        arrived: arrival of each request in seconds, ascending, not empty.
        read: input tokens that must be read (not those found in a prefix cache).
        written: output tokens.
        speed: of one replica.
        replicas: how many there are, from 1.
    """
    reading = read / speed.read_per_s
    read_from = _in_line(arrived, reading, replicas)
    first_token = read_from + reading
    span = float(arrived[-1] - arrived[0])
    used_by_reading = min(0.99, float(reading.sum()) / (replicas * span)) if span > 0 else 0.0
    order = np.argsort(first_token, kind="stable")
    streams = speed.full_batch_streams * replicas * (1 - used_by_reading)
    alone = written[order] / speed.alone_per_s
    ended = np.empty_like(arrived)
    ended[order] = _side_by_side(first_token[order], alone, streams, speed.most_at_once * replicas)
    work = float(reading.sum() + written.sum() / speed.written_per_s)
    whole = max(float(ended.max() - arrived[0]), _NONE_LEFT)
    return Served(
        arrived - arrived[0],
        read_from - arrived[0],
        first_token - arrived[0],
        ended - arrived[0],
        work / (replicas * whole),
    )


def _in_line(arrived: Floats, service: Floats, servers: int) -> Floats:
    """Return when each request's service begins: the next of several equal servers that is free, in order."""
    free = [-np.inf] * servers
    begins = np.empty_like(arrived)
    for place, (came, takes) in enumerate(zip(arrived.tolist(), service.tolist(), strict=True)):
        begin = max(came, free[0])
        heapq.heapreplace(free, begin + takes)
        begins[place] = begin
    return begins


def _side_by_side(came: Floats, alone: Floats, streams: float, most: int) -> Floats:
    """Return when each request ends where all in service share the speed equally; beyond `most` they wait in line.

    Each runs at speed min(1, streams / in service). Progress is counted in seconds of a request alone, the same for
    everybody in service, so a request ends when that clock has moved on by its own work.

    Args:
        came: when each may begin, ascending.
        alone: seconds that it takes alone.
        streams: how many run at full speed; beyond that they slow each other down.
        most: how many are in service at once.
    """
    ended = np.empty_like(came)
    running: list[tuple[float, int]] = []
    line: deque[int] = deque()
    now, progress = float(came[0]), 0.0
    works = alone.tolist()

    def run_until(moment: float) -> None:
        nonlocal now, progress
        while running:
            pace = min(1.0, streams / len(running))
            done_at = now + (running[0][0] - progress) / pace
            if done_at > moment:
                progress += (moment - now) * pace
                break
            progress, place = heapq.heappop(running)
            now = done_at
            ended[place] = done_at
            if line:
                waiting = line.popleft()
                heapq.heappush(running, (progress + works[waiting], waiting))
        now = max(now, moment) if moment < np.inf else now

    for place, moment in enumerate(came.tolist()):
        run_until(moment)
        if len(running) < most:
            heapq.heappush(running, (progress + works[place], place))
        else:
            line.append(place)
    run_until(np.inf)
    return ended
