"""An exact response cache: equal requests get the answer that was given before."""

from collections.abc import Sequence
from dataclasses import replace as with_changes

import polars as pl

from tokenpnl.model import AttemptStatus
from tokenpnl_analytics.whatif.caching.replay import Cache, counted, hits

_PARAMETERS = ("temperature", "max_output_tokens", "output_schema", "output_type", "prompt_version", "stop_sequences")


def response_references(attempts: pl.DataFrame, *, by_customer: bool) -> pl.DataFrame:
    """Return the calls whose answers could be kept, as references of a response cache.

    The key holds tenant, provider, model, operation, every recorded parameter and the fingerprint of the request, which
    covers messages and tools. Only answers that were used count: no attempt that failed, ran out of time or was
    cancelled, none that is invalid or superseded is kept or answered.

    Args:
        attempts: as in a baseline, in order of time: `tenant, provider, model, operation, prompt_hash, customer_id,
            run_id, started_at, ended_at, status, superseded, output_valid`, parameters, tokens, `output_hash`,
            `position`.
        by_customer: an answer is only given to the customer whose it was; of an unknown one, within its run.

    Returns:
        `position`, `key`, `size` (1: capacities count answers), `amount` (input and output tokens), `time_us` (start),
        `ended_us` (end; the start where it is not known), `output_hash`. Calls without a fingerprint are left out.
    """
    # Whose call it is may be unknown: then its answer stays in its run, for two unknown customers are not one.
    own_run = pl.concat_str(pl.lit("run="), "run_id")
    owner = [pl.coalesce(pl.concat_str(pl.lit("="), "customer_id"), own_run)] if by_customer else []
    parts = ["tenant", "provider", "model", "operation", *_PARAMETERS, "prompt_hash"]
    listed = [
        pl.col(name).list.join("\x1f") if attempts.schema[name] == pl.List(pl.String) else pl.col(name)
        for name in parts
        if name in attempts.columns
    ]
    tokens = pl.sum_horizontal("input_total_tokens", "output_total_tokens")
    good = (
        pl.col("prompt_hash").is_not_null()
        & (pl.col("status").fill_null(AttemptStatus.OK.value) == AttemptStatus.OK.value)
        & ~pl.col("superseded").fill_null(value=False)
        & pl.col("output_valid").fill_null(value=True)
    )
    return attempts.filter(good).select(
        "position",
        pl.struct(*(part.cast(pl.String).fill_null("") for part in (*owner, *listed)))
        .struct.json_encode()
        .alias("key"),
        pl.lit(1, pl.Int64).alias("size"),
        tokens.cast(pl.Int64).alias("amount"),
        pl.col("started_at").dt.epoch("us").alias("time_us"),
        pl.coalesce("ended_at", "started_at").dt.epoch("us").alias("ended_us"),
        "output_hash",
    )


def answered(references: pl.DataFrame, cache: Cache) -> pl.Series:
    """Return for each reference whether the cache would have answered it (Boolean `hit`).

    What is held is the answer, not the question: a request that begins before the answer is there asks itself.
    """
    held = references.with_columns(hits(references, cache).alias("hit"))
    there = pl.when(~pl.col("hit")).then("ended_us").forward_fill().over("key") <= pl.col("time_us")
    return held.select(pl.col("hit") & there.fill_null(value=False)).to_series()


def stale_exposure(references: pl.DataFrame, cache: Cache, ttls_s: Sequence[float]) -> pl.DataFrame:
    """Return what each lifetime would serve and how old it would be: the price of a longer life.

    Args:
        references: result of `response_references`.
        cache: policy and capacity; its lifetime is replaced by each of `ttls_s`, counted from the writing.
        ttls_s: lifetimes in seconds.

    Returns:
        `ttl_s`, `n`, `hits`, `misses`, `hit_share`, `amount`, `amount_hit`, `amount_hit_share`, `age_p50_s, age_p95_s`
        (age of the answers served, float64; NULL without a hit), `known` (hits for which both answers have a
        fingerprint), `changed_share` (of those: today's own answer differed from the one served; a sampled answer may
        differ without being better); by lifetime.
    """
    rows = []
    for ttl_s in sorted(ttls_s):
        held = answered(references, with_changes(cache, ttl_s=ttl_s, refreshed=False))
        served = answers(references, held).filter("hit")
        known = served.drop_nulls(["output_hash", "served_hash"])
        rows.append(
            references.select(
                pl.lit(float(ttl_s)).alias("ttl_s"),
                *counted(held),
                pl.lit(served["age_s"].quantile(0.5, "linear"), pl.Float64).alias("age_p50_s"),
                pl.lit(served["age_s"].quantile(0.95, "linear"), pl.Float64).alias("age_p95_s"),
                pl.lit(known.height, pl.Int64).alias("known"),
                pl.lit((known["output_hash"] != known["served_hash"]).mean(), pl.Float64).alias("changed_share"),
            ).head(1)
        )
    return pl.concat(rows)


def answers(references: pl.DataFrame, hit: pl.Series) -> pl.DataFrame:
    """Return the references with `hit`, and of hits `age_s` and `served_hash`: the answer that the cache would give."""
    written = ~pl.col("hit")
    return references.with_columns(hit.alias("hit")).with_columns(
        pl.when("hit")
        .then((pl.col("time_us") - pl.when(written).then("time_us").forward_fill().over("key")) / 1_000_000)
        .alias("age_s"),
        pl.when("hit")
        .then(pl.when(written).then(pl.col("output_hash").fill_null("")).forward_fill().over("key").replace("", None))
        .alias("served_hash"),
    )
