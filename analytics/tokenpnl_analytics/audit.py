"""What the books say about a capture, in one flat answer: what was seen, what it cost, what is not known."""

from decimal import Decimal
from typing import Any

import polars as pl

from tokenpnl.model import INPUT_KINDS, OUTPUT_KINDS, Flag, UsageKind
from tokenpnl_analytics.books import Books

_WRITES = tuple(kind for kind in UsageKind if "cache_write" in kind)
# Under these flags a kind was charged on an assumption. An audit states facts, so such a kind is NULL here.
ASSUMED_KINDS: dict[Flag, tuple[UsageKind, ...]] = {
    Flag.CACHE_UNKNOWN: (UsageKind.INPUT_UNCACHED,),
    Flag.CACHE_WRITE_LIFETIME_ASSUMED: _WRITES,
    Flag.REASONING_UNKNOWN: (UsageKind.OUTPUT_TEXT,),
    Flag.USAGE_PARTIAL: tuple(UsageKind),
}
# A sum over attempts of which some do not tell the kind is no count of it.
_OPTIONAL_KINDS = {
    "input_total_tokens": (UsageKind.INPUT_CACHE_READ, *_WRITES),
    "output_total_tokens": (UsageKind.OUTPUT_REASONING,),
}


def audit(spans: pl.DataFrame, books: Books) -> dict[str, Any]:
    """Return what the books say about these spans.

    Args:
        spans: table `spans`.
        books: `keep_books` of them.

    Returns:
        `spans, runs, calls, failed_calls, attempts, http_errors, usage, usage_missing_calls, cost_usd, unpriced_calls,
        duplicates_removed, flags`. `usage` maps `input_total`, `output_total` (sums of what was seen) and each usage
        kind to tokens; a kind is NULL where the capture does not hold it. `cost_usd` is NULL when nothing is priced.
    """
    attempts = books.attempts
    flags = _flags(books)
    priced = books.line_items["cost_usd"].drop_nulls()
    missing = attempts.filter("usage_missing")["call_key"].n_unique()
    unpriced = books.line_items.filter(pl.col("cost_source") == "unpriced")["call_key"].n_unique()
    return {
        "spans": spans.filter(pl.col("signal") == "span").select("tenant", "trace_id", "span_id").n_unique(),
        "runs": books.runs.height,
        "calls": books.calls.height,
        "failed_calls": books.calls.filter("failed").height,
        "attempts": attempts.height,
        "http_errors": attempts.filter(pl.col("http_status") >= 400).height,
        "usage": _usage(attempts, flags),
        "usage_missing_calls": missing,
        "cost_usd": _sum(priced, nothing_to_price=books.line_items.is_empty() and missing == 0),
        "unpriced_calls": unpriced,
        "duplicates_removed": books.duplicates.height,
        "flags": flags,
    }


def _usage(attempts: pl.DataFrame, flags: list[str]) -> dict[str, int | None]:
    assumed = {kind for flag, kinds in ASSUMED_KINDS.items() if flag in flags for kind in kinds}
    for total, optional in _OPTIONAL_KINDS.items():
        told = attempts.filter(pl.col(total) > 0)
        assumed |= {kind for kind in optional if told[kind.column].null_count()}
    totals = {name: int(attempts[f"{name}_tokens"].sum()) for name in ("input_total", "output_total")}
    kinds = {kind.value: _known_sum(attempts[kind.column]) for kind in (*INPUT_KINDS, *OUTPUT_KINDS)}
    return totals | {name: None if name in assumed else tokens for name, tokens in kinds.items()}


def _known_sum(tokens: pl.Series) -> int | None:
    return int(tokens.sum()) if tokens.count() else None


def _sum(money: pl.Series, *, nothing_to_price: bool) -> Decimal | None:
    if money.is_empty():
        return Decimal(0) if nothing_to_price else None
    return sum(money.to_list(), Decimal(0))


def _flags(books: Books) -> list[str]:
    found = pl.concat([books.attempts["flags"], books.calls["flags"], books.runs["flags"], books.line_items["flags"]])
    return sorted({flag for flags in found.unique().to_list() for flag in flags.split(",") if flag})
