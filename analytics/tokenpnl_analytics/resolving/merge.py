"""One record per model call out of the records that describe it: the richest one, completed by the others."""

import polars as pl

from tokenpnl.model import Flag
from tokenpnl_analytics.flags import with_flags
from tokenpnl_analytics.resolving.usage import REPORTED_COLUMNS, SPLIT_COLUMNS, has_usage

_INPUT_DETAILS = [name for name in REPORTED_COLUMNS if "cache" in name or name.startswith("input_")][1:]
_OUTPUT_DETAILS = [name for name in REPORTED_COLUMNS if name not in _INPUT_DETAILS and name != "input_tokens"][1:]
_ANY = ("timed_out", "cancelled", "cache_reported", "reasoning_reported")
_FAULT = ("error_type", "http_status", "timed_out", "cancelled")
# Where and when: these come together from the record that is best placed in its trace.
_PLACE = ("row", "tenant", "trace_id", "span_id", "parent_span_id", "signal", "name", "started_at", "ended_at")
_TOP = {
    f"top_{name}": pl.col(name) for name in ("row", "parent_span_id", "name", "scope_name", "started_at", "ended_at")
}
# What eight records of one call do not tell, the ninth does not either.
_MOST_WITNESSES = 8
_SCRATCH = ("wraps", "rule", "placed")


def merged(members: pl.DataFrame) -> pl.DataFrame:
    """Return one record per call.

    Usage and names come from the richest record (a lifetime split before cache counts before reasoning before
    totals), what it lacks from the others, details only from records with the same total. Place and time come from
    the best placed record: inside a named run, a span rather than a log record, below something, the lowest.

    Args:
        members: the columns of `duplicates.members` and `placed` (inside a run that somebody named).

    Returns:
        One row per `unit`, with the span columns, `row` (the span that carries the bill), `n_members`, and `top_*`:
        parent, name, scope, start and end of the outermost record in the carrier's trace.
    """
    size = pl.len().over("unit")
    alone = members.filter(size == 1).with_columns(n_members=pl.lit(1, pl.UInt32), **_TOP).drop(_SCRATCH)
    several = members.filter(size > 1)
    if several.is_empty():
        return alone
    lower = ~pl.col("wraps")
    rich = several.with_columns(
        _split=pl.any_horizontal(pl.col(SPLIT_COLUMNS).is_not_null()),
        _cache=pl.sum_horizontal(pl.col("cache_read_tokens", "cache_write_tokens").is_not_null()),
        _used=has_usage(),
        _lower=lower,
        _span=pl.col("signal") == "span",
        _hung=pl.col("parent_span_id").is_not_null(),
        _reasoned=pl.col("reasoning_tokens").is_not_null(),
        _bad=pl.col("status_code") == "error",
    )
    best = ["_used", "_split", "_cache", "_reasoned", "_lower", "_span", "row"]
    rich = rich.sort("unit", *best, descending=[False] + [True] * 6 + [False])
    union = _union(rich)
    place = rich.sort(
        "unit", "placed", "_span", "_hung", "_lower", maintain_order=True, descending=[False] + [True] * 4
    ).unique("unit", keep="first", maintain_order=True)
    outer = rich.join(place.select("unit", "trace"), on=["unit", "trace"], how="semi")
    outer = outer.sort("unit", "_lower", "started_at", "row").unique("unit", keep="first", maintain_order=True)
    together = (
        union.drop(_PLACE).join(place.select("unit", *_PLACE), on="unit").join(outer.select("unit", **_TOP), on="unit")
    )
    together = with_flags(together, {Flag.DUPLICATE_MERGED: pl.lit(value=True)})
    return pl.concat([alone, together.select(*alone.columns)])


def _union(rich: pl.DataFrame) -> pl.DataFrame:
    """Complete the first record of each unit from the following ones, one rank at a time."""
    lead = pl.col("_bad").first().over("unit")
    rich = rich.with_columns(pl.when(pl.col("_bad") == lead).then(pl.col(name)).alias(name) for name in _FAULT)
    rich = rich.with_columns(_rank=pl.int_range(pl.len()).over("unit"), n_members=pl.len().over("unit"))
    rich = rich.filter(pl.col("_rank") < _MOST_WITNESSES)
    base = rich.filter(pl.col("_rank") == 0)
    plain = [name for name in base.columns if name not in {"unit", "n_members", "flags", *REPORTED_COLUMNS, *_ANY}]
    for rank in range(1, int(rich["_rank"].max() or 0) + 1):  # type: ignore[arg-type]
        other = rich.filter(pl.col("_rank") == rank)
        joined = base.join(other, on="unit", how="left", suffix="_2", maintain_order="left")
        same_input = (pl.col("input_tokens") == pl.col("input_tokens_2")).fill_null(value=True)
        same_output = (pl.col("output_tokens") == pl.col("output_tokens_2")).fill_null(value=True)
        base = joined.with_columns(
            *(pl.coalesce(name, f"{name}_2") for name in (*plain, "input_tokens", "output_tokens")),
            *(pl.coalesce(name, pl.when(same_input).then(f"{name}_2")) for name in _INPUT_DETAILS),
            *(pl.coalesce(name, pl.when(same_output).then(f"{name}_2")) for name in _OUTPUT_DETAILS),
            *(pl.any_horizontal(name, f"{name}_2") for name in _ANY),
            flags=pl.concat_str("flags", "flags_2", separator=",", ignore_nulls=True),
        ).select(base.columns)
    return base
