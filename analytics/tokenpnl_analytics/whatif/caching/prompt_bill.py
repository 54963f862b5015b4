"""The input bill under a provider's prompt cache, relative to no caching at all."""

from decimal import Decimal

import numpy as np
import polars as pl

from tokenpnl_analytics.whatif.caching.prompt_kernel import Prompts, held_prefixes
from tokenpnl_analytics.whatif.caching.prompt_rules import PromptRule
from tokenpnl_analytics.whatif.caching.references import block_references, numbered

_SUMS = ("input_tokens", "read_tokens", "written_tokens", "stored_token_hours")


def prompt_tokens(requests: pl.DataFrame, rule: PromptRule) -> pl.DataFrame:
    """Return how a provider would have billed the input of each prompt, from a cold start.

    The longest prefix that is held is found and everything is kept: with few marks, or routing to a machine that does
    not hold it, fewer tokens are read. Compare with the observed cached share before this is believed.

    Args:
        requests: `time_us, input_tokens, blocks, block_tokens`; more columns pass.
        rule: the provider's.

    Returns:
        The requests with `read_tokens`, `written_tokens` (billed with the write factor; tokens that are neither are
        ordinary input), `stored_token_hours` (float64; what explicit storage rents).
    """
    references = block_references(requests)
    per_prompt = references.group_by("request").len().sort("request")
    counts = np.zeros(requests.height, np.int64)
    counts[per_prompt["request"].to_numpy()] = per_prompt["len"].to_numpy()
    keys = numbered(references["key"])
    cacheable = np.array(requests["input_tokens"].to_numpy() >= rule.minimum_tokens)
    written = np.ones_like(cacheable) if rule.writes_below_minimum else cacheable
    found, stored = held_prefixes(
        Prompts(
            np.concatenate([[0], np.cumsum(counts)]),
            keys,
            np.array(references["amount"].to_numpy()),
            np.array(requests["time_us"].to_numpy()),
            written,
        ),
        int(keys.max()) + 1 if len(keys) else 0,
        round(rule.ttl_s * 1_000_000),
    )
    whole = pl.col("read_tokens") // rule.step_tokens * rule.step_tokens
    pays = pl.Series(written) if rule.write_factor != 1 else pl.lit(value=False)
    return (
        requests.with_columns(pl.Series("read_tokens", found), pl.Series("stored_token_hours", stored / 3600))
        .with_columns(
            pl.when(whole >= rule.minimum_tokens).then(whole).otherwise(0).cast(pl.Int64).alias("read_tokens")
        )
        .with_columns(
            pl.when(pays).then(pl.col("input_tokens") - pl.col("read_tokens")).otherwise(0).alias("written_tokens")
        )
    )


def bill(tokens: pl.DataFrame, rule: PromptRule, *, storage_factor: Decimal = Decimal(0)) -> pl.DataFrame:
    """Return the input bill of all prompts under the rule, relative to paying every token once.

    Args:
        tokens: result of `prompt_tokens`.
        rule: the same rule.
        storage_factor: price of a token-hour of storage in units of an uncached input token.

    Returns:
        One row: `rule`, `n` (prompts), `input_tokens, read_tokens, written_tokens, stored_token_hours`, `hit_share`,
        `factor` (above 1: the cache costs more than it saves), `break_even_hit_share`; shares and factors float64.
    """
    return _billed(tokens.select(pl.len().cast(pl.Int64).alias("n"), pl.col(_SUMS).sum()), rule, storage_factor)


def bill_over_time(tokens: pl.DataFrame, rule: PromptRule, *, every_s: int) -> pl.DataFrame:
    """Return the same for each stretch of time, so that one sees a cache warm; `begins_s` counts from the first prompt.

    Args:
        tokens: result of `prompt_tokens`.
        rule: the same rule.
        every_s: length of a stretch in seconds.
    """
    stretch = (pl.col("time_us") - pl.col("time_us").first()) // (every_s * 1_000_000) * every_s
    sums = tokens.group_by(stretch.alias("begins_s")).agg(pl.len().cast(pl.Int64).alias("n"), pl.col(_SUMS).sum())
    return _billed(sums.sort("begins_s"), rule, Decimal(0))


def _billed(sums: pl.DataFrame, rule: PromptRule, storage_factor: Decimal) -> pl.DataFrame:
    read, written = float(rule.read_factor - 1), float(rule.write_factor - 1)
    extra = pl.col("read_tokens") * read + pl.col("written_tokens") * written
    rent = pl.col("stored_token_hours") * float(storage_factor)
    some = pl.col("input_tokens") > 0
    return sums.with_columns(
        pl.when(some).then(pl.col("read_tokens") / pl.col("input_tokens")).alias("hit_share"),
        pl.when(some).then(1 + (extra + rent) / pl.col("input_tokens")).alias("factor"),
        pl.lit(rule.break_even_hit_share, pl.Float64).alias("break_even_hit_share"),
        pl.lit(rule.name).alias("rule"),
    ).select("rule", pl.all().exclude("rule"))
