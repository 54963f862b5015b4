"""`prompt_cache`: what the provider's prefix cache would read and write, by its rules on the day of the call."""

from dataclasses import replace as with_changes
from datetime import date
from typing import NamedTuple

import polars as pl

from tokenpnl_analytics.rules.scenario_families import PromptCache
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.caching.prompt_bill import prompt_tokens
from tokenpnl_analytics.whatif.caching.prompt_rules import PromptRule, prompt_rule, storage_usd
from tokenpnl_analytics.whatif.replay import Replayed, refused, touched
from tokenpnl_analytics.whatif.result import Estimate, Evidence

_WRITES = tuple(f"input_cache_write_{life}_tokens" for life in ("5m", "30m", "1h", "12h"))
_TO_LOG = ("tokenpnl.prompt.blocks and tokenpnl.prompt.block_tokens: they tell which prefixes come again.",)
_USABLE = (
    (pl.col("blocks").list.len() > 0) & (pl.col("block_tokens") > 0) & (pl.col("input_total_tokens") > 0)
).fill_null(value=False)


class _Billed(NamedTuple):
    rows: pl.DataFrame
    rules: dict[str, PromptRule]


def replay(baseline: Baseline, frame: pl.DataFrame, scenario: PromptCache) -> Replayed:  # noqa: ARG001  # a family's signature
    """Return the calls with their input split into read, written and ordinary tokens as the provider would bill them.

    Where a cache was observed, the reads are scaled to the observed share (a cache is best effort), if the replay under
    the same rules finds more; both shares are in `measured`. A model that the frame has switched to begins cold.
    """
    numbered = frame.with_row_index("row")
    meant = numbered.filter(touched(scenario.where) & _USABLE)
    if meant.is_empty():
        return refused(
            frame, "no call with prompt blocks matches the scenario: log them, or widen `where`", to_log=_TO_LOG
        )
    billed = _billed(meant, scenario)
    if billed.rows.is_empty():
        return refused(frame, "no prompt cache is known for these providers and models; see the table of rules")
    observed, found = _share(billed.rows, "input_cache_read_tokens"), _share(billed.rows, "read_tokens")
    # Scaling is only for what was measured under these rules: a longer life or an explicit cache is a new thing.
    same = scenario.ttl == "provider" and scenario.minimum_tokens is None and not scenario.storage
    scale = min(1.0, observed / found) if same and observed > 0 and found > 0 else 1.0
    attempts = _written_back(numbered, billed.rows, scale, scenario.name).drop("row")
    shares = pl.DataFrame(
        {
            "calls": [billed.rows.height],
            "observed_share": [observed],
            "replayed_share": [found],
            "used_share": [found * scale],
        }
    )
    named = ", ".join(sorted({f"{rule.name} (from {rule.minimum_tokens:,} tokens)" for rule in billed.rules.values()}))
    return Replayed(
        attempts,
        Evidence.ASSUMED,
        Evidence.ASSUMED,
        success=Estimate(0.0, 0.0, 0.0, billed.rows.height, "assumed: a cached prefix changes no answer"),
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
        measured={"cached_share": shares},
    )


def cold_after_switch(frame: pl.DataFrame, switched: pl.Expr) -> pl.DataFrame:
    """Return the frame with the cold caches that a switch to another provider or model causes.

    A call with prompt blocks reads only what earlier calls to the same model have left, by the provider's rules. Of
    calls without blocks the first one of each session (else run) on a new model reads nothing: what the old model's
    cache gave it becomes ordinary input.

    Args:
        frame: a replayed frame in which provider and model are already the new ones.
        switched: which rows were sent elsewhere.
    """
    rows = frame.with_row_index("row").with_columns(switched.fill_null(value=False).alias("switched"))
    billed = _billed(rows.filter(pl.col("kept") & _USABLE), PromptCache(name="cold cache")).rows.filter("switched")
    warm = rows if billed.is_empty() else _written_back(rows, billed, 1.0, None)
    by_blocks = pl.col("row").is_in(billed["row"].implode())
    conversation = pl.coalesce("session_id", "run_id", "trace_id")
    first = pl.struct("tenant", "provider", "model", conversation.alias("conversation")).is_first_distinct()
    read = pl.col("input_cache_read_tokens").fill_null(0)
    cold = pl.col("switched") & pl.col("kept") & ~by_blocks & first & (read > 0)
    return warm.with_columns(
        pl.when(cold).then(0).otherwise("input_cache_read_tokens").alias("input_cache_read_tokens"),
        pl.when(cold)
        .then(pl.col("input_uncached_tokens").fill_null(0) + read)
        .otherwise("input_uncached_tokens")
        .alias("input_uncached_tokens"),
        (pl.col("changed") | cold).alias("changed"),
    ).drop("row", "switched")


def _billed(meant: pl.DataFrame, scenario: PromptCache) -> _Billed:
    """Return the calls with what the rule of their provider and model bills, and the rules by model."""
    parts, rules = [], {}
    for (provider, model), rows in meant.sort("started_at", maintain_order=True).group_by(
        "provider", "model", maintain_order=True
    ):
        rule = _rule(str(provider), str(model), rows["started_at"].min().date(), scenario)  # type: ignore[union-attr]  # a time column's minimum
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
                    pl.lit(_column(rule)).alias("write_column"),
                    (pl.col("stored_token_hours") * float(usd or 0) / 1e6).alias("rent_usd"),
                )
            )
    return _Billed(pl.concat(parts) if parts else meant.clear(), rules)


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


def _column(rule: PromptRule) -> str:
    """Return the column of the tokens that the rule writes; none of an automatic cache without a fee."""
    if rule.write_factor == 1:
        return ""
    return {300.0: _WRITES[0], 1800.0: _WRITES[1], 3600.0: _WRITES[2]}[rule.ttl_s]


def _share(rows: pl.DataFrame, column: str) -> float:
    return float(rows[column].fill_null(0).sum()) / float(rows["input_total_tokens"].sum())


def _written_back(numbered: pl.DataFrame, rows: pl.DataFrame, scale: float, name: str | None) -> pl.DataFrame:
    """Return the frame with the calls' input split anew; audio, images and video stay as they are."""
    read = (pl.col("read_tokens") * scale).round().cast(pl.Int64)
    text = sum((pl.col(column).fill_null(0) for column in _WRITES), pl.col("input_uncached_tokens").fill_null(0))
    split = rows.with_columns((text + pl.col("input_cache_read_tokens").fill_null(0)).alias("text")).select(
        "row",
        "text",
        "write_column",
        "rent_usd",
        pl.min_horizontal(read, "text").alias("new_read"),
        pl.when(pl.col("written_tokens") > 0).then("text").otherwise(0).alias("may_write"),
    )
    there = pl.col("text").is_not_null()
    writes = (pl.col("may_write") - pl.col("new_read")).clip(0)
    fresh = {column: pl.when(pl.col("write_column") == column).then(writes).otherwise(0) for column in _WRITES}
    left = pl.col("text") - pl.col("new_read") - pl.when(pl.col("write_column") != "").then(writes).otherwise(0)
    new = {"input_cache_read_tokens": pl.col("new_read"), "input_uncached_tokens": left, **fresh}
    joined = numbered.join(
        split.with_columns(pl.col("row").cast(pl.UInt32)), on="row", how="left", maintain_order="left"
    )
    differs = pl.any_horizontal(pl.col(column).fill_null(0) != value for column, value in new.items())
    moved = there & differs.fill_null(value=False)
    rent = pl.col("rent_usd").fill_null(0.0).round(12).cast(numbered.schema["extra_usd"])
    return joined.with_columns(
        *(pl.when(moved).then(value).otherwise(column).cast(pl.Int64).alias(column) for column, value in new.items()),
        (pl.col("changed") | moved).alias("changed"),
        (pl.col("extra_usd") + rent).alias("extra_usd"),
        pl.when(there)
        .then(pl.coalesce(pl.lit(name, pl.String), "touched_by"))
        .otherwise("touched_by")
        .alias("touched_by"),
    ).drop("text", "write_column", "rent_usd", "new_read", "may_write")
