"""`semantic_cache`: answers reused for similar requests, as far as labelled pairs tell."""

from decimal import Decimal

import polars as pl

from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.scenario_families import SemanticCache
from tokenpnl_analytics.unit_cost.risk import wilson_interval
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.caching.semantic import NO_PAIRS
from tokenpnl_analytics.whatif.replay import Replayed, refused, repriced, touched
from tokenpnl_analytics.whatif.result import Estimate, Evidence

_TO_LOG = (
    "Label a random sample of requests with their most similar earlier request: would the earlier answer have done?",
)


def replay(baseline: Baseline, frame: pl.DataFrame, scenario: SemanticCache) -> Replayed:
    """Return the calls with the expected saving of a semantic cache; which calls it would answer is not known.

    The measured hit share is taken off the tokens of every call alike, at whatever price later changes give them.
    """
    hit, wrong, n_pairs = scenario.hit_share, scenario.wrong_share, scenario.n_pairs
    if hit is None or wrong is None or n_pairs is None:
        return refused(frame, NO_PAIRS, to_log=_TO_LOG)
    meant = touched(scenario.where) & ~pl.col("added")
    now = repriced(frame, baseline.card, baseline.cards).filter(meant & pl.col("token_usd").is_not_null())
    if now.is_empty():
        return refused(frame, "no priced call matches the scenario; widen `where`")
    # A share of the call, not of its present cost: what a cheaper model would have charged is not saved twice.
    left = pl.lit(1 - Decimal(str(hit)).quantize(Decimal("1e-12")), MONEY)
    answered = 1 - ((1 - pl.col("answered")) * left).cast(MONEY)
    lookup = pl.lit(scenario.usd_per_lookup, MONEY)
    attempts = frame.with_columns(
        pl.when(meant).then(answered.cast(MONEY)).otherwise("answered").alias("answered"),
        pl.when(meant).then(pl.col("extra_usd") + lookup).otherwise("extra_usd").cast(MONEY).alias("extra_usd"),
        pl.when(meant).then(pl.lit(scenario.name)).otherwise("touched_by").alias("touched_by"),
    )
    token_usd, lookups = float(now["token_usd"].sum()), float(scenario.usd_per_lookup) * now.height
    low, high = wilson_interval(round(hit * n_pairs), n_pairs)
    n_hits = round(hit * n_pairs)
    worst = wilson_interval(round(wrong * n_hits), n_hits)[1] if n_hits else 1.0
    # One wrong answer is enough for a run to fail, and a run asks several times.
    n_runs = now["run_id"].n_unique()
    lost = min(1.0, high * worst * now.height / n_runs)
    ends = (token_usd * low - lookups, token_usd * high - lookups)
    return Replayed(
        attempts,
        Evidence.ASSUMED,
        Evidence.BOUNDED,
        success=Estimate(None, -lost, 0.0, n_pairs, "bounds: every wrong hit fails its run, or none does"),
        saving_range=ends,
        saving_by_assumption={f"hit share of {n_pairs:,} labelled pairs, Wilson 95%": ends},
        assumptions=(
            f"The labelled pairs are a random sample of this traffic; {hit:.1%} of the calls would be answered.",
            "Calls that would be answered cost what the others cost.",
        ),
        falsified_by=("A fresh sample of pairs with another hit share, or more wrong answers among the hits.",),
        to_log=_TO_LOG,
        caveats=(f"{wrong:.1%} of the answers given would be wrong ones, at most {worst:.1%} by the labelled pairs.",),
    )
