"""What spans say beside the table contract that a what-if reads: prompts in blocks, routes, sampling settings."""

from collections.abc import Mapping

import polars as pl

from tokenpnl import semconv

_TEXTS: Mapping[str, str] = {
    "prompt_name": semconv.PROMPT_NAME,
    "prompt_version": semconv.PROMPT_VERSION,
    "output_schema": semconv.OUTPUT_SCHEMA,
    "output_type": "gen_ai.output.type",
    "route_policy": semconv.ROUTE_POLICY,
    "route_arm": semconv.ROUTE_ARM,
    "route_inputs": semconv.ROUTE_INPUTS,
}
_NUMBERS: Mapping[str, str] = {
    "temperature": "gen_ai.request.temperature",
    "max_output_tokens": "gen_ai.request.max_tokens",
    "block_tokens": semconv.PROMPT_BLOCK_TOKENS,
    "route_propensity": semconv.ROUTE_PROPENSITY,
    "confidence": semconv.CONFIDENCE,
}
_LISTS: Mapping[str, str] = {
    "messages": semconv.PROMPT_MESSAGES,
    "blocks": semconv.PROMPT_BLOCKS,
    "route_candidates": semconv.ROUTE_CANDIDATES,
    "stop_sequences": "gen_ai.request.stop_sequences",
}
SPAN_COLUMNS = ("trace_id", "span_id", "content_hash", "ended_at", "output_hash", "attributes_json")
"""Columns of the table `spans` that `call_details` needs."""


def call_details(spans: pl.DataFrame) -> pl.DataFrame:
    """Return one row per span with what its attributes say about prompt, output, route and settings.

    Args:
        spans: `SPAN_COLUMNS` of the table `spans`; of several versions the one that ended last counts.

    Returns:
        `trace_id`, `span_id`, `output_hash`; texts `prompt_name`, `prompt_version`, `output_schema`, `output_type`,
        `route_policy`, `route_arm`, `route_inputs` (JSON); float64 `temperature`, `max_output_tokens`, `block_tokens`,
        `route_propensity` (0 to 1), `confidence` (0 to 1); lists of text `messages` (fingerprints of what each message
        of the prompt says), `blocks` (chained prompt fingerprints), `route_candidates`, `stop_sequences`. NULL: the
        emitter does not tell, or tells something else than such a value. Sorted by trace and span.
    """
    newest = spans.sort("trace_id", "span_id", "ended_at", "content_hash", nulls_last=False).unique(
        ["trace_id", "span_id"], keep="last", maintain_order=True
    )
    return newest.select(
        "trace_id",
        "span_id",
        "output_hash",
        *(_said(key).alias(name) for name, key in _TEXTS.items()),
        *(_said(key).cast(pl.Float64, strict=False).alias(name) for name, key in _NUMBERS.items()),
        *(_listed(_said(key)).alias(name) for name, key in _LISTS.items()),
    )


def _said(key: str) -> pl.Expr:
    return pl.col("attributes_json").str.json_path_match(f'$["{key}"]')


def _listed(text: pl.Expr) -> pl.Expr:
    """Return the strings of a JSON array of strings; NULL for any other text."""
    # Fingerprints and model names hold no quotes; a decoder that fails on one strange value would fail the whole frame.
    plain = text.str.contains(r'^\["[^"\\]*"(, ?"[^"\\]*")*\]$')
    return pl.when(plain).then(text.str.strip_chars('[]"').str.replace_all(r'", ?"', "\x1f").str.split("\x1f"))
