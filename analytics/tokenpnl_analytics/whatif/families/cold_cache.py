"""The cold prompt cache that a switch to another model causes: what the new provider has not seen, nobody reads."""

from datetime import date
from enum import StrEnum
from functools import partial

import polars as pl

from tokenpnl_analytics.whatif.caching.prompt_calls import (
    FRESH,
    READ,
    USABLE,
    WRITES,
    billed,
    split_anew,
    text_tokens,
    write_column,
)
from tokenpnl_analytics.whatif.caching.prompt_rules import PromptRule, prompt_rule

COLD_WORDS = (
    "A call that moves reads from the prompt cache only what the new model has seen within its provider's lifetime (by "
    "prompt blocks; without them, in the same conversation), and pays that provider's fee for writing the rest."
)
_STEP = ("tenant", "workflow", "step")
_SERVER = ("provider", "model", "hourly")


class Warmth(StrEnum):
    """How much of what a moved call read from a cache is taken to be in the new model's cache."""

    RULES = "rules"  # what earlier calls have left there, by the provider's lifetime
    COLD = "cold"  # nothing
    WARM = "warm"  # all of it


def cold_after_move(before: pl.DataFrame, after: pl.DataFrame, warmth: Warmth = Warmth.RULES) -> pl.DataFrame:
    """Return a frame with the cold caches of the rows whose provider or model is another than before.

    Args:
        before: the frame that a family was given.
        after: the same rows, in the same order, moved.
        warmth: see `cold_after_switch`.
    """
    was = before.select(pl.col("provider").alias("was_provider"), pl.col("model").alias("was_model"))
    switched = pl.col("provider").ne_missing(pl.col("was_provider")) | pl.col("model").ne_missing(pl.col("was_model"))
    return cold_after_switch(after.hstack(was), switched, warmth).drop("was_provider", "was_model")


def cold_after_switch(frame: pl.DataFrame, switched: pl.Expr, warmth: Warmth = Warmth.RULES) -> pl.DataFrame:
    """Return the frame with the cold caches that a switch to another provider or model causes.

    A switched call never reads more than it did before the switch. Of that it reads what earlier calls to the same
    model left within the provider's lifetime: by prompt blocks; without them, all of it where its conversation (else
    run, else trace) asked that model within the lifetime. What is no longer read is written again where that provider
    charges for writing; a provider without a known prompt cache keeps nothing. Where the old provider recorded no
    writes, all of a cacheable prompt that is not read counts as written. Steps that never used a cache stay as they
    are.

    Args:
        frame: a replayed frame in which provider and model are already the new ones.
        switched: which rows were sent elsewhere; NULL counts as no.
        warmth: by the rules; or one end of the range: nothing is read, or as much as before.
    """
    read, wrote = pl.col(READ).fill_null(0), pl.sum_horizontal(pl.col(name).fill_null(0) for name in WRITES)
    rows = frame.with_row_index("row").with_columns(
        (pl.col("kept") & (read + wrote > 0)).any().over(_STEP).alias("cached"),
        (pl.col("kept") & (wrote > 0)).any().over(_STEP).alias("marked"),
        (pl.col("kept") & (pl.col(WRITES[2]) > 0)).any().over(_STEP).fill_null(value=False).alias("hourly"),
        (pl.col("kept") & switched.fill_null(value=False)).alias("mine"),
    )
    mine = pl.col("mine") & pl.col("cached")
    moved = rows.filter(mine)
    if moved.is_empty():
        return frame
    ruled = rows.join(_rules(moved), on=_SERVER, how="left", nulls_equal=True, maintain_order="left")
    warm = {Warmth.COLD: pl.lit(0), Warmth.WARM: read}.get(warmth)
    if warm is None:
        ruled = ruled.join(_found(ruled), on="row", how="left", maintain_order="left")
        warm = pl.min_horizontal(read, pl.col("found").fill_null(0))
    split = ruled.with_columns(
        text_tokens().alias("text"), warm.alias("new_read"), (wrote + read).alias("meant_to_be_kept")
    )
    kept = pl.when("marked").then("meant_to_be_kept").otherwise("text") - pl.col("new_read")
    pays = (pl.col("write_column") != "").fill_null(value=False)
    long_enough = (pl.col("input_total_tokens") >= pl.col("minimum_tokens")).fill_null(value=False)
    with_writes = split.with_columns(pl.when(pays & long_enough).then(kept.clip(0)).otherwise(0).alias("new_write"))
    new = {
        READ: pl.col("new_read"),
        FRESH: pl.col("text") - pl.col("new_read") - pl.col("new_write"),
        **{name: pl.when(pl.col("write_column") == name).then("new_write").otherwise(0) for name in WRITES},
    }
    return split_anew(with_writes, mine, new).select(frame.columns)


def _rules(moved: pl.DataFrame) -> pl.DataFrame:
    """Return the prompt cache of each provider and model that calls moved to: lifetime, minimum, column of writes."""
    schema = {
        "provider": pl.String,
        "model": pl.String,
        "hourly": pl.Boolean,
        "ttl_s": pl.Float64,
        "minimum_tokens": pl.Int64,
        "write_column": pl.String,
    }
    found = []
    servers = moved.group_by(_SERVER).agg(pl.col("started_at").min().dt.date().alias("on")).sort(_SERVER)
    for provider, model, hourly, on in servers.iter_rows():
        rule = _rule(provider, model, on, hourly=hourly)
        told = (None, None, None) if rule is None else (rule.ttl_s, rule.minimum_tokens, write_column(rule))
        found.append((provider, model, hourly, *told))
    return pl.DataFrame(found, schema=schema, orient="row")


def _rule(provider: str | None, model: str | None, on: date, *, hourly: bool) -> PromptRule | None:
    """Return the rule of a model; a step that writes for an hour goes on to do so where there is a choice."""
    return prompt_rule(
        str(provider), str(model), on, name="anthropic 1h" if hourly and provider == "anthropic" else None
    )


def _found(ruled: pl.DataFrame) -> pl.DataFrame:
    """Return `row, found`: tokens of each moved row's prompt that the new model's cache holds."""
    parts = []
    theirs = ruled.filter(pl.col("kept") & pl.col("cached") & pl.col("ttl_s").is_not_null())
    for (hourly,), calls in theirs.filter(USABLE).group_by("hourly", maintain_order=True):
        told = billed(calls, partial(_rule, hourly=bool(hourly))).rows
        if not told.is_empty():
            parts.append(told.filter("mine").select("row", pl.col("read_tokens").alias("found")))
    conversation = pl.coalesce("session_id", "run_id", "trace_id")
    gap = pl.col("started_at") - pl.col("started_at").shift().over("tenant", "provider", "model", conversation)
    spoken = (
        theirs.sort("started_at", "attempt_id")
        .with_columns(gap.dt.total_microseconds().alias("gap_us"))
        .filter(pl.col("mine") & ~USABLE)
    )
    held = (pl.col("gap_us") <= pl.col("ttl_s") * 1_000_000) & (
        pl.col("input_total_tokens") >= pl.col("minimum_tokens")
    )
    parts.append(
        spoken.select(
            "row", pl.when(held.fill_null(value=False)).then(pl.col(READ).fill_null(0)).otherwise(0).alias("found")
        )
    )
    return pl.concat([part.select("row", pl.col("found").cast(pl.Int64)) for part in parts])
