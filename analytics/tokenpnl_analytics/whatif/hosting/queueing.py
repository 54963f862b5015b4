"""Waiting in line by formula: Erlang C, the check of every simulation. Estimates, in float64."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Waiting:
    """Waiting for one of several equal servers, under Poisson arrivals and exponential service (M/M/c).

    Attributes:
        waiting_share: probability that a request must wait; 1 where the load is not carried.
        mean_wait_s: mean wait of all requests, seconds; None: the line grows without end.
        p95_wait_s: 95th percentile of the wait, seconds; None likewise.
        utilisation: share of time at which a server is busy; above 1 the load is not carried.
    """

    waiting_share: float
    mean_wait_s: float | None
    p95_wait_s: float | None
    utilisation: float


def erlang_c(arrivals_per_s: float, service_s: float, servers: int) -> Waiting:
    """Return how long requests wait.

    C = B / (1 - rho (1 - B)) from Erlang's B by its recursion, which no number of servers overflows; the wait is
    exponential with rate c/s - lambda given that there is one (Erlang 1917; Cooper 1981).

    Args:
        arrivals_per_s: mean arrivals per second.
        service_s: mean service time, seconds.
        servers: how many serve at once, from 1.
    """
    load = arrivals_per_s * service_s
    utilisation = load / servers
    if utilisation >= 1:
        return Waiting(1.0, None, None, utilisation)
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    share = blocked / (1 - utilisation * (1 - blocked))
    if share == 0:
        return Waiting(0.0, 0.0, 0.0, utilisation)
    freed_per_s = servers / service_s - arrivals_per_s
    p95 = max(0.0, math.log(share / 0.05) / freed_per_s)
    return Waiting(share, share / freed_per_s, p95, utilisation)
