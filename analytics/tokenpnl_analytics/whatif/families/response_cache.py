"""`response_cache`: the answer to an equal request is given again instead of asking the model."""

from decimal import Decimal

import polars as pl

from tokenpnl_analytics.rules.scenario_families import ResponseCache
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.caching.curve import capacity_curve
from tokenpnl_analytics.whatif.caching.lifetimes import LIFETIMES_S as CURVE_S
from tokenpnl_analytics.whatif.caching.lifetimes import ttl_curve
from tokenpnl_analytics.whatif.caching.replay import Cache
from tokenpnl_analytics.whatif.caching.responses import answered, response_references, stale_exposure
from tokenpnl_analytics.whatif.replay import Replayed, refused, touched
from tokenpnl_analytics.whatif.result import Estimate, Evidence

LIFETIMES_S = (60.0, 300.0, 3600.0, 86_400.0, 604_800.0)
_TO_LOG = ("tokenpnl.prompt.hash on every call: without a fingerprint of the request no repeat is known.",)


def replay(baseline: Baseline, frame: pl.DataFrame, scenario: ResponseCache) -> Replayed:  # noqa: ARG001  # a family's signature
    """Return the calls without those that an exact cache would have answered; it begins the window empty.

    `measured`: `curve` (misses of an LRU cache of each size in answers, without a lifetime), `ttl_curve` (hits of each
    lifetime, counted from the writing, without a limit of size), both of the calls that can be looked up; and
    `stale_exposure`.
    """
    numbered = frame.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("position"))
    meant = numbered.filter(touched(scenario.where))
    at_zero = pl.lit(value=True) if scenario.any_temperature else pl.col("temperature") == 0
    references = response_references(
        meant.filter(at_zero.fill_null(value=False)).sort("started_at", maintain_order=True),
        by_customer=scenario.shared_by == "customer",
    )
    if references.is_empty():
        return refused(
            frame,
            "no call with a fingerprint of its request at temperature 0 matches the scenario; log prompt hashes, widen "
            "`where`, or set `any_temperature: true`",
            to_log=_TO_LOG,
        )
    cache = Cache(scenario.eviction, scenario.capacity, in_objects=True, ttl_s=scenario.ttl_s)
    held = answered(references, cache)
    spared = pl.col("position").is_in(references["position"].filter(held).implode())
    looked_up = pl.col("position").is_in(references["position"].implode())
    lookup = pl.when(looked_up).then(pl.lit(scenario.usd_per_lookup)).otherwise(Decimal(0))
    attempts = numbered.with_columns(
        (pl.col("kept") & ~spared).alias("kept"),
        (pl.col("extra_usd") + lookup).cast(frame.schema["extra_usd"]).alias("extra_usd"),
        pl.when(looked_up).then(pl.lit(scenario.name)).otherwise("touched_by").alias("touched_by"),
        frame["position"],
    )
    n = references.height
    without = meant.height - n
    caveats = (f"{without:,} of {meant.height:,} calls cannot be looked up and stay as they are.",) if without else ()
    return Replayed(
        attempts,
        Evidence.ASSUMED,
        Evidence.ASSUMED,
        success=Estimate(0.0, 0.0, 0.0, n, "assumed: a reused answer is as good as a new one"),
        assumptions=(
            "A reused answer is as good as a new one where model, parameters, request and owner are the same.",
            f"{int(held.sum()):,} of {n:,} calls that can be looked up repeat one whose answer is still held.",
            "The cache begins the window empty, and nothing behind a call changes when it is answered at once.",
        ),
        falsified_by=("Repeats whose own answer differed from the one that would have been served.",),
        to_log=_TO_LOG if without else (),
        caveats=caveats,
        measured={
            "curve": capacity_curve(references, by_amount=False),
            "ttl_curve": ttl_curve(references, CURVE_S, refreshed=False).select("ttl_s", "hit_share", "n"),
            "stale_exposure": stale_exposure(references, cache, LIFETIMES_S),
        },
    )
