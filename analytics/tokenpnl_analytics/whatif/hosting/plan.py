"""From recorded attempts and stated servers to a fleet: how many replicas, what they cost, how long requests take."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import polars as pl

from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.scenario_families import Servers, TokenRatio
from tokenpnl_analytics.whatif.hosting.breakeven import HOUR_S, BreakEven, Fleet, Load, break_even
from tokenpnl_analytics.whatif.hosting.sizing import Promise, Sized, load_of, sized
from tokenpnl_analytics.whatif.hosting.speed import Speed
from tokenpnl_analytics.whatif.hosting.traffic import Traffic, traffic_of

_SAME = TokenRatio()


@dataclass(frozen=True)
class Plan:
    """A fleet for some attempts over a window.

    Attributes:
        speed: of one replica.
        load: what the attempts ask of it.
        sized: replicas, simulated service, Erlang C.
        usd: what the fleet costs over the window, exact.
        even: from which multiple of this traffic on it is cheaper than tokens; None: the tokens cost nothing.
    """

    speed: Speed
    load: Load
    sized: Sized
    usd: Decimal
    even: BreakEven | None


def speed_of(servers: Servers) -> Speed:
    """Return how fast a replica is; one request alone is as fast as stated, else as its part of a full batch."""
    written = servers.decode_tokens_per_s * servers.batching_factor * servers.speculative_factor
    stated = servers.decode_alone_tokens_per_s
    alone = written / servers.concurrency if stated is None else stated * servers.speculative_factor
    return Speed(servers.prefill_tokens_per_s, written, min(alone, written), servers.concurrency)


def traffic_of_attempts(rows: pl.DataFrame, tokens: TokenRatio | None, *, factor: float = 1.0) -> Traffic:
    """Return the attempts as requests to servers of one's own; nothing is found in a prefix cache.

    Args:
        rows: `started_at`, `input_total_tokens`, `output_total_tokens`, none NULL.
        tokens: how many tokens the weights need for the same text; None: as many.
        factor: on both, to see what the range of the ratio does.
    """
    ratio = tokens or _SAME
    return traffic_of(
        rows.select(
            pl.col("started_at").alias("arrived_at"),
            (pl.col("input_total_tokens") * (ratio.input * factor)).alias("input_tokens"),
            pl.lit(None, pl.Int64).alias("cached_tokens"),
            (pl.col("output_total_tokens") * (ratio.output * factor)).alias("output_tokens"),
        ),
        prefix_cache=False,
    )


def plan(servers: Servers, rows: pl.DataFrame, *, hours: float, token_usd: float) -> Plan:
    """Return the smallest fleet for these attempts.

    Args:
        servers: what would serve.
        rows: as `traffic_of_attempts` takes them, at least one.
        hours: length of the window, which is paid whole.
        token_usd: what the same attempts cost by the token.
    """
    speed, fleet = speed_of(servers), _fleet(servers)
    traffic = traffic_of_attempts(rows, servers.tokens)
    load = load_of(traffic, speed, hours=hours, token_usd=token_usd)
    found = sized(traffic, speed, fleet, load, promise_of(servers))
    even = break_even(load, fleet) if token_usd > 0 else None
    return Plan(speed, load, found, fleet_usd(servers, found.replicas, hours), even)


def fleet_usd_if(
    servers: Servers, rows: pl.DataFrame, *, hours: float, faster: float = 1.0, longer: float = 1.0
) -> Decimal:
    """Return what the fleet would cost if replicas were `faster` or texts `longer` by a factor."""
    speed = speed_of(servers)
    speed = replace(
        speed,
        read_per_s=speed.read_per_s * faster,
        written_per_s=speed.written_per_s * faster,
        alone_per_s=speed.alone_per_s * faster,
    )
    traffic = traffic_of_attempts(rows, servers.tokens, factor=longer)
    load = load_of(traffic, speed, hours=hours, token_usd=0.0)
    promise = promise_of(servers)
    fleet = _fleet(servers)
    replicas = fleet.replicas(load)
    if promise.latency_s is not None:
        replicas = sized(traffic, speed, fleet, load, promise).replicas
    return fleet_usd(servers, replicas, hours)


def promise_of(servers: Servers) -> Promise:
    """Return the latency that was promised."""
    return Promise(None if servers.slo_ms is None else servers.slo_ms / 1000, servers.slo_share)


def fleet_usd(servers: Servers, replicas: int, hours: float) -> Decimal:
    """Return the price of so many replicas over the window, to the second, exact."""
    seconds = round(hours * HOUR_S)
    rate = pl.lit(servers.usd_per_hour, MONEY) * (replicas * servers.gpus_per_replica * seconds)
    found = pl.select((rate / int(HOUR_S)).cast(MONEY)).item()
    assert isinstance(found, Decimal)
    return found


def latency_frame(name: str, found: Sized) -> pl.DataFrame:
    """Return one row of what was simulated: replicas, utilisation, waiting beside Erlang C, latency in milliseconds."""
    served = found.served
    return pl.DataFrame(
        {
            "option": [name],
            "replicas": [found.replicas],
            "n": [len(served.arrived)],
            "utilisation": [served.utilisation],
            "waiting_share": [served.waiting_share],
            "waiting_share_erlang_c": [found.expected.waiting_share],
            "first_token_p95_ms": [1000 * served.first_token_s(95)],
            "latency_p50_ms": [1000 * served.latency_s(50)],
            "latency_p95_ms": [1000 * served.latency_s(95)],
            "latency_p99_ms": [1000 * served.latency_s(99)],
        }
    )


def tax_sentence(found: Plan, hours: float, tokens: int) -> str:
    """Return the utilisation tax in words: what a million tokens cost at this load, and would if nothing stood idle.

    Args:
        found: the fleet.
        hours: length of the window.
        tokens: read and written in it.
    """
    used = min(1.0, found.load.busy_s / (found.sized.replicas * hours * HOUR_S)) if found.sized.replicas else 0.0
    paid = float(found.usd) / tokens * 1e6 if tokens else 0.0
    return (
        f"Utilisation tax: a million tokens cost ${paid:,.2f} at this load and would cost ${paid * used:,.2f} if "
        f"nothing stood idle; {1 - used:.1%} of what is paid is idle time."
    )


def even_sentences(even: BreakEven | None) -> Sequence[str]:
    """Return what break-even says, in one sentence or two."""
    if even is None:
        return ("No break-even: the same calls cost nothing by the token.",)
    if even.first is None:
        return ("At no multiple of this traffic does the fleet cost less than tokens.",)
    first = f"The fleet costs less than tokens from {even.first:.2f} times this traffic on"
    if even.always is None:
        return (f"{first}, but not at every volume above: each further replica must be filled first.",)
    return (f"{first}, and at every volume from {even.always:.2f} times on.",)


def _fleet(servers: Servers) -> Fleet:
    per_hour = float(servers.usd_per_hour) * servers.gpus_per_replica
    return Fleet(per_hour, servers.highest_utilisation, servers.min_replicas)
