"""Disjoint usage: from what an emitter reported to token counts that each carry one price.

Reported counts overlap (cached tokens lie inside the input, reasoning inside the output). Here every token lands in
exactly one kind, so that the kinds of a side sum to its total and each kind can be multiplied by its own price.
"""

import polars as pl

from tokenpnl.model import Flag, UsageKind
from tokenpnl.tables import KIND_COLUMNS, REPORTED_USAGE
from tokenpnl_analytics.flags import tidy, with_flags

REPORTED_COLUMNS = tuple(column.name for column in REPORTED_USAGE)
KIND_NAMES = tuple(column.name for column in KIND_COLUMNS)
SPLIT_COLUMNS = (
    "cache_write_5m_tokens",
    "cache_write_30m_tokens",
    "cache_write_1h_tokens",
    "cache_write_12h_tokens",
)
_AUDIO = ("input_audio_tokens", "input_audio_cache_read_tokens")
_MODALITIES = ("input_audio_tokens", "input_image_tokens", "input_video_tokens")
# Half an hour is OpenAI's shortest lifetime, five minutes everybody else's: the cheapest that the provider sells.
_THIRTY_MINUTE_PROVIDERS = ("openai", "azure")


def disjoint_usage(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with totals, disjoint kinds and flags.

    A cache or reasoning count that is absent stays NULL and is flagged, unless the emitter is known to always tell;
    the uncached and the text kind then hold the rest of the total, because that is what can be charged.

    Args:
        frame: one row per attempt: `provider`, the REPORTED_USAGE columns, `cache_reported`, `reasoning_reported`,
            and optionally `flags`.

    Returns:
        The frame plus `input_total_tokens`, `output_total_tokens`, the 14 kind columns (tokens, never negative) and
        `flags`; where a total is NULL its kinds are NULL too.
    """
    return _with_output(_with_input(_with_writes(_with_reads(frame))))


def has_usage() -> pl.Expr:
    """Return whether a row reports tokens: a total that is not zero."""
    return pl.sum_horizontal(pl.col("input_tokens", "output_tokens")) > 0


def _with_reads(frame: pl.DataFrame) -> pl.DataFrame:
    told = pl.col("cache_reported").fill_null(value=False)
    splits = pl.sum_horizontal(SPLIT_COLUMNS)
    any_split = pl.any_horizontal(pl.col(SPLIT_COLUMNS).is_not_null())
    return frame.with_columns(
        _read=pl.coalesce("cache_read_tokens", pl.when(told).then(0)),
        _write=pl.when(any_split)
        .then(pl.max_horizontal("cache_write_tokens", splits))
        .otherwise(pl.coalesce("cache_write_tokens", pl.when(told).then(0))),
    ).with_columns(
        # A cached part larger than the whole proves that the emitter left the cache out of its input count.
        _exclusive=(pl.sum_horizontal("_read", "_write") > pl.col("input_tokens")).fill_null(value=False),
    )


def _with_writes(frame: pl.DataFrame) -> pl.DataFrame:
    unsplit = pl.col("_write") - pl.sum_horizontal(SPLIT_COLUMNS)
    thirty = pl.col("provider").is_in(_THIRTY_MINUTE_PROVIDERS).fill_null(value=False)
    default = {"cache_write_30m_tokens": thirty, "cache_write_5m_tokens": ~thirty}
    return frame.with_columns(
        *(
            pl.when(pl.col("_write").is_not_null() & pl.col("input_tokens").is_not_null())
            .then(
                pl.col(name).fill_null(0) + pl.when(default.get(name, pl.lit(value=False))).then(unsplit).otherwise(0)
            )
            .alias(f"input_{name}")
            for name in SPLIT_COLUMNS
        ),
        _assumed=(unsplit > 0).fill_null(value=False),
    )


def _with_input(frame: pl.DataFrame) -> pl.DataFrame:
    total = pl.col("input_tokens") + pl.when("_exclusive").then(pl.sum_horizontal("_read", "_write")).otherwise(0)
    audio_read = pl.min_horizontal("input_audio_cache_read_tokens", "input_audio_tokens", "_read")
    audio = pl.col("input_audio_tokens") - pl.col("_audio_read").fill_null(0)
    text = pl.col("_total") - pl.sum_horizontal("_read", "_write") + pl.col("_audio_read").fill_null(0)
    fits = pl.sum_horizontal(_MODALITIES) <= text
    known = pl.col("_total").is_not_null()
    cache_unknown = known & (pl.col("_read").is_null() | pl.col("_write").is_null()) & (pl.col("_total") > 0)
    frame = frame.with_columns(_total=total).with_columns(
        # Cached audio counts only as part of a known cache and a known audio count.
        _audio_read=pl.when(pl.all_horizontal(pl.col("_read", *_AUDIO).is_not_null())).then(audio_read)
    )
    frame = frame.with_columns(_fits=fits).with_columns(
        input_total_tokens=pl.col("_total"),
        input_uncached_tokens=text
        - pl.when("_fits").then(pl.sum_horizontal(_MODALITIES)).otherwise(pl.col("_audio_read").fill_null(0)),
        input_cache_read_tokens=pl.when(known).then(
            pl.col("_read") - pl.when("_fits").then(pl.col("_audio_read")).fill_null(0)
        ),
        input_audio_cache_read_tokens=pl.when(known & pl.col("_fits")).then("_audio_read"),
        input_audio_tokens=pl.when(known & pl.col("_fits")).then(audio),
        **{name: pl.when(known & pl.col("_fits")).then(name) for name in _MODALITIES[1:]},
    )
    flags = {
        Flag.CACHE_UNKNOWN: cache_unknown,
        Flag.CACHE_WRITE_LIFETIME_ASSUMED: pl.col("_assumed"),
        Flag.INPUT_SEMANTICS_PROVED: pl.col("_exclusive"),
        Flag.USAGE_IMPLAUSIBLE: known & ~pl.col("_fits"),
    }
    scratch = ("_read", "_write", "_exclusive", "_assumed", "_total", "_audio_read", "_fits")
    return with_flags(frame, flags).drop(scratch)


def _with_output(frame: pl.DataFrame) -> pl.DataFrame:
    told = pl.col("reasoning_reported").fill_null(value=False)
    reasoning = pl.coalesce("reasoning_tokens", pl.when(told).then(0))
    # Reasoning above the whole proves that the emitter left it out.
    exclusive = (reasoning > pl.col("output_tokens")).fill_null(value=False)
    frame = frame.with_columns(
        _reasoning=reasoning, _total=pl.col("output_tokens") + pl.when(exclusive).then(reasoning).otherwise(0)
    )
    known = pl.col("_total").is_not_null()
    text = pl.col("_total") - pl.col("_reasoning").fill_null(0)
    other = pl.sum_horizontal("output_audio_tokens", "output_image_tokens")
    fits = (other <= text).fill_null(value=False)
    frame = frame.with_columns(
        output_total_tokens=pl.col("_total"),
        output_text_tokens=text - pl.when(fits).then(other).otherwise(0),
        output_reasoning_tokens=pl.when(known).then("_reasoning"),
        output_audio_tokens=pl.when(fits).then("output_audio_tokens"),
        output_image_tokens=pl.when(fits).then("output_image_tokens"),
        _fits=fits,
    )
    flags = {
        Flag.REASONING_UNKNOWN: (pl.col("_total") > 0) & pl.col("_reasoning").is_null(),
        Flag.USAGE_IMPLAUSIBLE: known & ~pl.col("_fits"),
    }
    return tidy(with_flags(frame, flags).drop("_reasoning", "_total", "_fits"))


assert set(KIND_NAMES) == {kind.column for kind in UsageKind}
