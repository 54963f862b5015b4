"""The traffic that a fleet would have to carry: arrivals, tokens, and the hours in which they come. Float64."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from tokenpnl_analytics.whatif.hosting.breakeven import HOUR_S
from tokenpnl_analytics.whatif.hosting.speed import Speed

Floats = npt.NDArray[np.float64]
COLUMNS = ("arrived_at", "input_tokens", "cached_tokens", "output_tokens")


@dataclass(frozen=True)
class Traffic:
    """Requests in order of arrival.

    Attributes:
        arrived_s: seconds since the start of the first request's hour.
        read: input tokens to read.
        written: output tokens.
    """

    arrived_s: Floats
    read: Floats
    written: Floats

    def hourly_busy_s(self, speed: Speed) -> Floats:
        """Return the seconds of a replica that each hour's arrivals take at full batch, empty hours included."""
        hours = (self.arrived_s // HOUR_S).astype(np.int64)
        busy = self.read / speed.read_per_s + self.written / speed.written_per_s
        return np.bincount(hours, weights=busy).astype(np.float64)


def traffic_of(requests: pl.DataFrame, *, prefix_cache: bool) -> Traffic:
    """Return the traffic of these requests.

    Args:
        requests: `arrived_at` (time), `input_tokens` (all input), `cached_tokens` (input that a provider's prompt cache
            held; NULL: none is assumed), `output_tokens`; requests with unknown tokens must be left out by the caller,
            who counts them.
        prefix_cache: whether our servers would find in their prefix cache what the provider's held.
    """
    ordered = requests.sort("arrived_at", maintain_order=True)
    cached = pl.col("cached_tokens").fill_null(0) if prefix_cache else pl.lit(0)
    seconds = (pl.col("arrived_at") - pl.col("arrived_at").min().dt.truncate("1h")).dt.total_nanoseconds() / 1e9
    found = ordered.select(
        seconds.alias("s"),
        (pl.col("input_tokens") - cached).cast(pl.Float64).alias("read"),
        pl.col("output_tokens").cast(pl.Float64).alias("written"),
    )
    return Traffic(*(found[name].to_numpy() for name in ("s", "read", "written")))
