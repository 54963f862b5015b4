"""What a change measured, as a table for eyes: columns and options in words, figures with their units."""

from collections.abc import Callable, Mapping

import polars as pl

from tokenpnl_dashboard import words

_TITLE: Mapping[str, str] = {
    "after": "After",
    "age_p50_s": "Age, half below",
    "age_p95_s": "Age, 95% below",
    "changed_share": "Answer differs by then",
    "cheaper_from": "Fleet is cheaper from",
    "fleet_usd": "Fleet costs",
    "first_token_p95_ms": "First token, 95% below",
    "hazard": "Answered",
    "high": "At most (95%)",
    "hit_share": "Found again",
    "input_high": "Input, at most",
    "input_low": "Input, at least",
    "input_ratio": "Input tokens, times",
    "k": "Attempt",
    "known": "Answers compared",
    "latency_p50_ms": "Latency, half below",
    "latency_p95_ms": "Latency, 95% below",
    "latency_p99_ms": "Latency, 99% below",
    "latency_source": "Latency is",
    "low": "At least (95%)",
    "n": "Calls",
    "not_possible_because": "Not possible because",
    "observed_share": "Seen",
    "output_high": "Output, at most",
    "output_low": "Output, at least",
    "output_ratio": "Output tokens, times",
    "replayed_share": "By the rules",
    "token_usd_at_end": "Tokens cost there",
    "ttl_s": "Lifetime",
    "usd": "Cost in the window",
    "used_share": "Counted with",
    "utilisation": "Busy",
    "volume_from": "From, times today's traffic",
    "volume_to": "To, times today's traffic",
    "waiting_share": "Calls that wait",
    "waiting_share_erlang_c": "Calls that wait, by formula (Erlang C)",
}
_OPTION: Mapping[str, str] = {
    "present": "As now",
    "managed_api": "Managed API",
    "cloud": "Cloud hosting",
    "cloud_hosting": "Cloud hosting",
    "self_host": "Self-hosted",
    "optimized": "Optimised platform",
    "edge": "Edge devices",
    "first": "nothing, it is the first",
}
_NAMES = ("option", "after")
_INNER = ("amount", "amount_hit", "amount_hit_share", "misses")
"""Columns that say a shown one again in another unit."""


def measured(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame for eyes; a column without any value is left out, another unknown is a dash.

    Args:
        frame: one of those that a replay measured.
    """
    shown = [column for column in frame.get_columns() if column.name not in _INNER and column.count()]
    return pl.DataFrame(
        [pl.Series(_title(column.name), [_cell(column.name, value) for value in column], pl.String) for column in shown]
    )


def _title(name: str) -> str:
    return _TITLE.get(name, words.title(name))


def _cell(name: str, value: object) -> str:
    if value is None:
        return words.UNKNOWN
    if isinstance(value, str):
        return _OPTION.get(value, words.title(value).lower()) if name in _NAMES and " " not in value else value
    if isinstance(value, int):
        return words.count(value)
    return _said(name)(value)


def _said(name: str) -> Callable[..., str]:
    if name.endswith("_ms"):
        return words.duration
    if name.endswith("_s"):
        return lambda seconds: words.duration(1000 * seconds)
    if "usd" in name.split("_"):
        return words.usd
    if name.startswith(("input_", "output_", "volume_")) or name == "cheaper_from":
        return lambda times: f"{times:,.2f}"
    return words.percent
