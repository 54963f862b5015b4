"""What a cache would have done on a trace: frames to show, and what they say in words."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial

import numpy as np
import polars as pl

from tokenpnl.errors import ConfigurationError, RefusedInputError
from tokenpnl_analytics.rules.scenario_families import Eviction
from tokenpnl_analytics.whatif.caching.curve import miss_ratio_curve
from tokenpnl_analytics.whatif.caching.lifetimes import ttl_curve
from tokenpnl_analytics.whatif.caching.prompt_bill import bill, bill_over_time, prompt_tokens
from tokenpnl_analytics.whatif.caching.prompt_rules import READ, PromptRule, prompt_rule
from tokenpnl_analytics.whatif.caching.references import changed_sizes, frozen_sizes
from tokenpnl_analytics.whatif.caching.replay import Cache, replay
from tokenpnl_analytics.whatif.caching.semantic import NO_PAIRS, semantic_curve
from tokenpnl_analytics.whatif.caching.traces import Trace, read_trace

LIFETIMES_S = (60.0, 300.0, 900.0, 3600.0, 86_400.0)
PROMPT_RULES = (
    ("anthropic", "claude-sonnet-4-5", "anthropic 5m"),
    ("anthropic", "claude-sonnet-4-5", "anthropic 1h"),
    ("openai", "gpt-5.1", "openai"),
    ("openai", "gpt-5.6", "openai"),
    ("google", "gemini-2.5-flash", "gemini implicit"),
)
_CAPACITIES = 8
_STRETCH_S = 600
_THRESHOLDS = (0.8, 0.85, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99)
SEMANTIC_NEXT = (
    "Take hit_share, wrong_share and n (as n_pairs) of one threshold into a scenario of family semantic_cache."
)


@dataclass(frozen=True)
class CacheReport:
    """What a cache would have done on one trace.

    Attributes:
        caches: one row per policy and capacity, replayed: see `replay`.
        curve: exact LRU curve at the same capacities, in the unit of the sizes: see `miss_ratio_curve`.
        lifetimes: what each lifetime would hit without a limit of size: see `ttl_curve`.
        prompts: input bill by providers' rules, relative to no cache (one row each); None: the trace has no prompts.
        warming: the same for every ten minutes, so that one sees the cache warm.
        sentences: what they say.
    """

    caches: pl.DataFrame = field(repr=False)
    curve: pl.DataFrame = field(repr=False)
    lifetimes: pl.DataFrame = field(repr=False)
    prompts: pl.DataFrame | None = field(repr=False)
    warming: pl.DataFrame | None = field(repr=False)
    sentences: tuple[str, ...] = ()


def cache_report(
    data: bytes,
    *,
    name: str,
    policies: Sequence[Eviction] = tuple(Eviction),
    capacities: Sequence[int] = (),
    ttl_s: float | None = None,
    plain_sizes: bool = False,
) -> CacheReport:
    """Return what caches would have done on a trace.

    Args:
        data: bytes of the trace file.
        name: of the file, for messages.
        policies: which to replay.
        capacities: in the trace's unit (bytes, tokens, objects); default: eight, up to all that was asked for.
        ttl_s: lifetime of entries, counted from the writing; default: for ever.
        plain_sizes: replay with sizes as they come; the curve always freezes them.

    Raises:
        RefusedInputError: the trace cannot be read.
        ConfigurationError: a capacity below 1.
    """
    if any(capacity < 1 for capacity in capacities):
        raise ConfigurationError(f"a capacity of at least 1 was expected; {min(capacities)} came")
    trace = read_trace(data, name=name)
    changed = changed_sizes(trace.references)
    references = frozen_sizes(trace.references)
    sizes = sorted(set(capacities)) or _usual(references)
    asked = trace.references if plain_sizes else references
    caches = replay(asked, [Cache(policy, size, ttl_s=ttl_s) for size in sizes for policy in policies])
    lifetimes = ttl_curve(references, LIFETIMES_S, refreshed=True)
    prompts, warming = (None, None) if trace.requests is None else _bills(trace.requests)
    curve = miss_ratio_curve(references, sizes)
    told = _sentences(trace, caches, changed, plain=plain_sizes)
    return CacheReport(caches, curve, lifetimes, prompts, warming, (*told, *_bill_sentences(prompts)))


def semantic_report(data: bytes, *, name: str) -> pl.DataFrame:
    """Return what a semantic cache would answer, and get wrong, at usual thresholds; result of `semantic_curve`.

    Args:
        data: CSV of a random sample of requests: `similarity` to the most similar earlier one, `same_answer` (true,
            false, or empty: not labelled).
        name: of the file, for messages.

    Raises:
        RefusedInputError: the columns are not there, or no pair is labelled.
    """
    try:
        pairs = pl.read_csv(data, schema_overrides={"similarity": pl.Float64, "same_answer": pl.Boolean})
        found = semantic_curve(pairs, _THRESHOLDS)
    except pl.exceptions.PolarsError as error:
        raise RefusedInputError(
            f"{name}: expected a CSV with similarity (a number) and same_answer (true or false): {error}"
        ) from None
    if found.is_empty():
        raise RefusedInputError(f"{name}: {NO_PAIRS}; label some")
    return found


def _usual(references: pl.DataFrame) -> list[int]:
    """Return eight capacities, each twice the one before, the last of which holds everything."""
    everything = int(references.unique("key")["size"].sum())
    return sorted({max(1, everything >> step) for step in range(_CAPACITIES)})


def _bills(requests: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the input bill of each rule, whole and by stretches of ten minutes."""
    rules = [rule for rule in (_rule(*named) for named in PROMPT_RULES) if rule is not None]
    tokens = [(prompt_tokens(requests, rule), rule) for rule in rules]
    whole, stretches = (
        pl.concat(made(billed, rule).with_columns(models=pl.lit(", ".join(rule.models))) for billed, rule in tokens)
        for made in (bill, partial(bill_over_time, every_s=_STRETCH_S))
    )
    return whole, stretches


def _rule(provider: str, model: str, name: str, on: date = READ) -> PromptRule | None:
    found = prompt_rule(provider, model, on, name=name)
    return None if found is None else replace(found, models=(model,))


def _sentences(trace: Trace, caches: pl.DataFrame, changed: int, *, plain: bool) -> list[str]:
    n = trace.references.height
    told = [f"{n:,} references, assumed to come in the same order whatever the cache answers; every cache began empty."]
    if changed:
        how = "as they come in the replay, frozen in the curve" if plain else "frozen at each object's first appearance"
        told.append(f"{changed:,} references change the size of an object; sizes are {how}.")
    largest = caches.filter(pl.col("capacity") == caches["capacity"].max()).sort("hits", "eviction", descending=True)
    if largest.height and n:
        best = largest.row(0, named=True)
        share = best["hit_share"]
        told.append(
            f"At {best['capacity']:,} {trace.unit} {best['eviction']} hits most: {share:.1%} of the references."
        )
    return told


def _bill_sentences(prompts: pl.DataFrame | None) -> list[str]:
    if prompts is None:
        return []
    told = [
        "Provider caches are best effort: set the observed cached share beside these figures before you count on them."
    ]
    for row in prompts.iter_rows(named=True):
        change = row["factor"] - 1 if row["factor"] is not None else np.nan
        needed = "" if row["break_even_hit_share"] is None else f"; it needs {row['break_even_hit_share']:.1%}"
        word = "costs more" if change > 0 else "costs less"
        told.append(
            f"{row['rule']} ({row['models']}): the input bill {word} by {abs(change):.1%}; "
            f"{row['hit_share'] or 0:.1%} of the tokens are read from the cache{needed}."
        )
    return told
