"""How many replicas a traffic needs: for the tokens of its busiest hour, and for the promised latency. Float64."""

from dataclasses import dataclass
from typing import Final

from tokenpnl_analytics.whatif.hosting.breakeven import Fleet, Load
from tokenpnl_analytics.whatif.hosting.queueing import Waiting, erlang_c
from tokenpnl_analytics.whatif.hosting.simulation import Served, served
from tokenpnl_analytics.whatif.hosting.speed import Speed
from tokenpnl_analytics.whatif.hosting.traffic import Traffic

MOST_REPLICAS: Final = 4096


@dataclass(frozen=True)
class Promise:
    """Latency from arrival to last token that a share of the requests must keep; None: none was promised."""

    latency_s: float | None = None
    share: float = 0.95

    def kept(self, by: Served) -> bool:
        """Return whether these requests kept it."""
        return self.latency_s is None or by.latency_s(100 * self.share) <= self.latency_s


@dataclass(frozen=True)
class Sized:
    """A fleet for a traffic.

    Attributes:
        replicas: how many; where the promise cannot be kept, what the tokens alone need.
        served: the simulated requests.
        expected: Erlang C at the same mean rate, for reading the input: what steady chance arrivals would wait.
        promise_kept: False where no fleet keeps the promise.
    """

    replicas: int
    served: Served
    expected: Waiting
    promise_kept: bool


def load_of(traffic: Traffic, speed: Speed, *, hours: float, token_usd: float) -> Load:
    """Return what the traffic asks of a fleet over a window of so many hours, and what its tokens cost."""
    busy = traffic.hourly_busy_s(speed)
    return Load(busiest_s=float(busy.max()), busy_s=float(busy.sum()), hours=hours, token_usd=token_usd)


def sized(traffic: Traffic, speed: Speed, fleet: Fleet, load: Load, promise: Promise) -> Sized:
    """Return the smallest fleet that carries the busiest hour and keeps the promise in the simulated window.

    More replicas help waiting only; a promise that one request alone breaks is kept by no fleet.
    """
    least = fleet.replicas(load)
    found = _simulated(traffic, speed, least)
    if promise.kept(found):
        return _told(traffic, speed, least, found, kept=True)
    low, high = least, least * 2
    while high <= MOST_REPLICAS and not promise.kept(_simulated(traffic, speed, high)):
        low, high = high, high * 2
    if high > MOST_REPLICAS:
        return _told(traffic, speed, least, found, kept=False)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if promise.kept(_simulated(traffic, speed, middle)) else (middle, high)
    return _told(traffic, speed, high, _simulated(traffic, speed, high), kept=True)


def _simulated(traffic: Traffic, speed: Speed, replicas: int) -> Served:
    return served(traffic.arrived_s, traffic.read, traffic.written, speed, replicas)


def _told(traffic: Traffic, speed: Speed, replicas: int, found: Served, *, kept: bool) -> Sized:
    n = len(traffic.arrived_s)
    span = max(float(traffic.arrived_s[-1] - traffic.arrived_s[0]), 1.0)
    service_s = float(traffic.read.mean()) / speed.read_per_s
    return Sized(replicas, found, erlang_c(n / span, service_s, replicas), kept)
