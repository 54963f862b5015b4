"""`prompt_cache`: what the provider's prefix cache would read and write, by its rules on the day of the call."""

from dataclasses import replace as with_changes
from datetime import date

import polars as pl

from tokenpnl_analytics.rules.scenario_families import PromptCache
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.caching.curve import capacity_curve
from tokenpnl_analytics.whatif.caching.lifetimes import LIFETIMES_S, ttl_curve
from tokenpnl_analytics.whatif.caching.prompt_calls import FRESH, READ, USABLE, WRITES, billed, split_anew, text_tokens
from tokenpnl_analytics.whatif.caching.prompt_rules import PromptRule, prompt_rule
from tokenpnl_analytics.whatif.caching.references import block_references
from tokenpnl_analytics.whatif.replay import Replayed, refused, touched
from tokenpnl_analytics.whatif.result import Estimate, Evidence

_TO_LOG = ("tokenpnl.prompt.blocks and tokenpnl.prompt.block_tokens: they tell which prefixes come again.",)


def replay(baseline: Baseline, frame: pl.DataFrame, scenario: PromptCache) -> Replayed:  # noqa: ARG001  # a family's signature
    """Return the calls with their input split into read, written and ordinary tokens as the provider would bill them.

    Where a cache was observed, the reads are scaled to the observed share (a cache is best effort), if the replay under
    the same rules finds more; both shares are in `measured`. A model that the frame has switched to begins cold.
    `measured` also has `curve` (tokens missed by an LRU cache of each size in tokens, without a lifetime) and
    `ttl_curve` (tokens hit with each lifetime since the last use, without a limit of size).
    """
    numbered = frame.with_row_index("row")
    meant = numbered.filter(touched(scenario.where) & USABLE)
    if meant.is_empty():
        return refused(
            frame, "no call with prompt blocks matches the scenario: log them, or widen `where`", to_log=_TO_LOG
        )
    priced = billed(meant, lambda provider, model, on: _rule(provider, model, on, scenario))
    if priced.rows.is_empty():
        return refused(frame, "no prompt cache is known for these providers and models; see the table of rules")
    observed, found = _share(priced.rows, READ), _share(priced.rows, "read_tokens")
    # Scaling is only for what was measured under these rules: a longer life or an explicit cache is a new thing.
    same = scenario.ttl == "provider" and scenario.minimum_tokens is None and not scenario.storage
    scale = min(1.0, observed / found) if same and observed > 0 and found > 0 else 1.0
    attempts = _written_back(numbered, priced.rows, scale, scenario.name).drop("row")
    shares = pl.DataFrame(
        {
            "calls": [priced.rows.height],
            "observed_share": [observed],
            "replayed_share": [found],
            "used_share": [found * scale],
        }
    )
    named = ", ".join(sorted({f"{rule.name} (from {rule.minimum_tokens:,} tokens)" for rule in priced.rules.values()}))
    return Replayed(
        attempts,
        Evidence.ASSUMED,
        Evidence.ASSUMED,
        success=Estimate(0.0, 0.0, 0.0, priced.rows.height, "assumed: a cached prefix changes no answer"),
        assumptions=(
            f"Provider rules: {named}.",
            f"{observed:.1%} of the input was read from a cache; rules give {found:.1%}; {found * scale:.1%} counts.",
            f"Marks stand where prompts begin to differ (at most {scenario.breakpoints}); the window begins cold.",
        ),
        falsified_by=("An observed cached share well under the one used, a week after the change.",),
        to_log=_TO_LOG if meant.height < numbered.filter(touched(scenario.where)).height else (),
        caveats=()
        if observed > 0
        else ("No cache was observed here, so the rules are not calibrated: take a ceiling.",),
        measured={**_curves(meant), "cached_share": shares},
    )


def _curves(meant: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return what caches of other sizes and lifetimes would hold of the prompts, by tokens."""
    owner = pl.concat_str("tenant", "provider", "model", pl.lit(""), separator="\x1f", ignore_nulls=True)
    asked = meant.sort("started_at", maintain_order=True).select(
        pl.col("started_at").dt.epoch("us").alias("time_us"),
        pl.col("input_total_tokens").alias("input_tokens"),
        pl.col("block_tokens").cast(pl.Int64),
        "blocks",
        owner.alias("owner"),
    )
    # Nobody reads the blocks of another tenant or model.
    found = block_references(asked)
    references = found.with_columns((asked["owner"].gather(found["request"]) + found["key"]).alias("key"))
    by_ttl = ttl_curve(references, LIFETIMES_S, refreshed=True)
    return {
        "curve": capacity_curve(references, by_amount=True),
        "ttl_curve": by_ttl.select("ttl_s", pl.col("amount_hit_share").alias("hit_share"), "n"),
    }


def _rule(provider: str, model: str, on: date, scenario: PromptCache) -> PromptRule | None:
    name = None
    if provider == "anthropic" and scenario.ttl != "provider":
        name = f"anthropic {scenario.ttl}"
    elif provider == "google" and scenario.storage:
        name = "gemini explicit"
    rule = prompt_rule(provider, model, on, name=name)
    if rule is None or scenario.minimum_tokens is None:
        return rule
    return with_changes(rule, minimum_tokens=scenario.minimum_tokens)


def _share(rows: pl.DataFrame, column: str) -> float:
    return float(rows[column].fill_null(0).sum()) / float(rows["input_total_tokens"].sum())


def _written_back(numbered: pl.DataFrame, rows: pl.DataFrame, scale: float, name: str) -> pl.DataFrame:
    """Return the frame with the calls' input split anew; audio, images and video stay as they are."""
    read = (pl.col("read_tokens") * scale).round().cast(pl.Int64)
    split = rows.with_columns(text_tokens().alias("text")).select(
        pl.col("row").cast(pl.UInt32),
        "text",
        "write_column",
        "rent_usd",
        pl.min_horizontal(read, "text").alias("new_read"),
        pl.when(pl.col("written_tokens") > 0).then("text").otherwise(0).alias("may_write"),
    )
    there = pl.col("text").is_not_null()
    writes = (pl.col("may_write") - pl.col("new_read")).clip(0)
    left = pl.col("text") - pl.col("new_read") - pl.when(pl.col("write_column") != "").then(writes).otherwise(0)
    new = {
        READ: pl.col("new_read"),
        FRESH: left,
        **{column: pl.when(pl.col("write_column") == column).then(writes).otherwise(0) for column in WRITES},
    }
    rent = pl.col("rent_usd").fill_null(0.0).round(12).cast(numbered.schema["extra_usd"])
    joined = numbered.join(split, on="row", how="left", maintain_order="left")
    return (
        split_anew(joined, there, new)
        .with_columns(
            (pl.col("extra_usd") + rent).alias("extra_usd"),
            pl.when(there).then(pl.lit(name)).otherwise("touched_by").alias("touched_by"),
        )
        .drop("text", "write_column", "rent_usd", "new_read", "may_write")
    )
