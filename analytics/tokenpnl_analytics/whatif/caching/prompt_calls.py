"""Recorded calls under the prompt caches of their providers: what the rules of the day would read and write."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import NamedTuple

import polars as pl

from tokenpnl_analytics.whatif.caching.prompt_bill import prompt_tokens
from tokenpnl_analytics.whatif.caching.prompt_rules import PromptRule, storage_usd

READ, FRESH = "input_cache_read_tokens", "input_uncached_tokens"
WRITES = tuple(f"input_cache_write_{life}_tokens" for life in ("5m", "30m", "1h", "12h"))
USABLE = (
    (pl.col("blocks").list.len() > 0) & (pl.col("block_tokens") > 0) & (pl.col("input_total_tokens") > 0)
).fill_null(value=False)
"""Whether the prefix of a row's prompt is known by fingerprints."""
RuleOf = Callable[[str, str, date], PromptRule | None]
"""The rule of a provider and model on a day."""


class Billed(NamedTuple):
    """Calls with what their rules bill: `read_tokens`, `written_tokens`, `write_column`, `rent_usd`; rules by model."""

    rows: pl.DataFrame
    rules: dict[str, PromptRule]


def billed(calls: pl.DataFrame, rule_of: RuleOf) -> Billed:
    """Return the calls with what the rule of their provider and model bills; those without a rule are left out.

    Args:
        calls: rows of a replayed frame with `USABLE` prompts.
        rule_of: the rule that shall hold for a provider's model.
    """
    parts, rules = [], {}
    for (provider, model), rows in calls.sort("started_at", maintain_order=True).group_by(
        "provider", "model", maintain_order=True
    ):
        rule = rule_of(str(provider), str(model), rows["started_at"].min().date())  # type: ignore[union-attr]  # a time column's minimum
        if rule is None:
            continue
        rules[f"{provider}/{model}"] = rule
        asked = rows.with_columns(
            pl.col("started_at").dt.epoch("us").alias("time_us"),
            pl.col("input_total_tokens").alias("input_tokens"),
            pl.col("block_tokens").cast(pl.Int64),
        )
        # One tenant never reads another's cache.
        for _, own in asked.group_by("tenant", maintain_order=True):
            usd = storage_usd(str(model)) if rule.storage else None
            parts.append(
                prompt_tokens(own, rule).with_columns(
                    pl.lit(write_column(rule)).alias("write_column"),
                    (pl.col("stored_token_hours") * float(usd or 0) / 1e6).alias("rent_usd"),
                )
            )
    return Billed(pl.concat(parts) if parts else calls.clear(), rules)


def write_column(rule: PromptRule) -> str:
    """Return the column of the tokens that the rule writes; empty for an automatic cache without a fee."""
    if rule.write_factor == 1:
        return ""
    return {300.0: WRITES[0], 1800.0: WRITES[1], 3600.0: WRITES[2]}[rule.ttl_s]


def text_tokens() -> pl.Expr:
    """Return the input that a prompt cache may hold: read, written or ordinary; audio, images and video are not."""
    return pl.sum_horizontal(pl.col(name).fill_null(0) for name in (READ, FRESH, *WRITES))


def split_anew(frame: pl.DataFrame, mine: pl.Expr, new: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """Return the frame with the input of some rows split anew, rows that differ marked `changed`.

    Args:
        frame: a replayed frame.
        mine: which rows; NULL counts as no.
        new: tokens by usage column; where they are as before, also if that was NULL for none, nothing changes.
    """
    differs = pl.any_horizontal(pl.col(column).fill_null(0) != value for column, value in new.items())
    moved = (mine & differs).fill_null(value=False)
    return frame.with_columns(
        *(pl.when(moved).then(value).otherwise(column).cast(pl.Int64).alias(column) for column, value in new.items()),
        (pl.col("changed") | moved).alias("changed"),
    )
