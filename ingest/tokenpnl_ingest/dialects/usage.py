"""Reported usage made inclusive: input with its cache reads and writes, output with its reasoning."""

from typing import Any

from tokenpnl.model import SERVER_TOOLS, Flag

_WRITES = ("cache_write_5m_tokens", "cache_write_30m_tokens", "cache_write_1h_tokens", "cache_write_12h_tokens")


def make_inclusive(row: dict[str, Any], flags: set[Flag], *, excludes_cache: bool | None) -> None:
    """Set `input_tokens` and `output_tokens` to totals, in place.

    Args:
        row: a row with the reported counts.
        flags: gets `input_semantics_proved` where the counts themselves prove that input leaves the cache out,
            `input_semantics_assumed` where nobody says and nothing proves.
        excludes_cache: True or False where the emitter's meaning is known, None where it is not.
    """
    written = [row[name] for name in _WRITES if row[name] is not None]
    if written and (row["cache_write_tokens"] is None or sum(written) > row["cache_write_tokens"]):
        row["cache_write_tokens"] = sum(written)
    cached = (row["cache_read_tokens"] or 0) + (row["cache_write_tokens"] or 0)
    if cached and row["input_tokens"] is not None:
        proved = cached > row["input_tokens"]
        if proved or excludes_cache:
            row["input_tokens"] += cached
        if proved and not excludes_cache:
            flags.add(Flag.INPUT_SEMANTICS_PROVED)
        elif excludes_cache is None:
            flags.add(Flag.INPUT_SEMANTICS_ASSUMED)
    if row["reasoning_tokens"] and row["output_tokens"] is not None and row["reasoning_tokens"] > row["output_tokens"]:
        # Reasoning larger than the output it should be part of: the output leaves it out, as Gemini's own API does.
        row["output_tokens"] += row["reasoning_tokens"]
        flags.add(Flag.OUTPUT_SEMANTICS_PROVED)


def forget_usage(row: dict[str, Any], columns: frozenset[str]) -> None:
    """Set the usage columns and what is billed by the piece beside them to unknown, in place."""
    for name in (*columns, *SERVER_TOOLS.values()):
        row[name] = None
