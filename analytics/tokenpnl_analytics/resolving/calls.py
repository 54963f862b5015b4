"""Calls: which attempts belong to one operation that the program asked for, and how they follow one another."""

from datetime import timedelta

import polars as pl

from tokenpnl.model import AttemptReason, AttemptSource, AttemptStatus, Flag, ServedReason
from tokenpnl_analytics.flags import with_flags

_FAILED = (AttemptStatus.ERROR.value, AttemptStatus.TIMEOUT.value)
# Client libraries and gateways back off for seconds, not minutes.
ROOT_RETRY_WITHIN = timedelta(seconds=60)
_ASKED_AGAIN = (AttemptReason.FALLBACK.value, AttemptReason.ESCALATION.value)


def with_calls(units: pl.DataFrame) -> pl.DataFrame:
    """Return the records with the call that each belongs to.

    `tokenpnl.call.id` decides where it is given. Otherwise siblings (same parent, name, scope and model) are one call
    while each starts after the one before it ended without a usable answer, and nothing says that they asked for
    different things. Below a span that names itself a fallback every sibling is a call of its own. Records without a
    parent are siblings when they ask the same within a minute: some gateways begin a trace with every retry.

    Args:
        units: one row per record, with `status`, `top_*`, `parent_name`, `row`.

    Returns:
        The records plus `call` (the smallest `unit` of the call), `sibling` (it is there by the sibling rule),
        `home` (the row whose place in the traces is the record's: its own, or the answer's to a parentless retry),
        `stands_in` (it was asked because the sibling before it failed on another model) and `relieved` (such a
        sibling answered after it).
    """
    chained = _chained(units)
    recorded = pl.col("call_id").is_not_null()
    call = pl.when(recorded).then(pl.col("unit").min().over("tenant", "call_id"))
    last = pl.col("row").last().over("_chain")
    return chained.with_columns(
        call=call.otherwise(pl.col("unit").min().over("_chain")),
        sibling=~recorded & (pl.len().over("_chain") > 1),
        home=pl.when(pl.col("top_parent_span_id").is_null() & ~recorded).then(last).otherwise("row"),
    ).drop("_chain")


def root_family() -> pl.Expr:
    """Return what parentless records have in common that may be attempts of one call, NULL when it is not known."""
    return pl.concat_str("resource_hash", pl.lit(" "), "prompt_hash")


def _chained(units: pl.DataFrame) -> pl.DataFrame:
    child = pl.col("top_parent_span_id").is_not_null()
    below = pl.concat_str("trace_id", pl.lit(" "), "top_parent_span_id")
    family = ["tenant", "_home", "top_scope_name", "operation"]
    ordered = units.with_columns(_home=pl.when(child).then(below).otherwise(root_family()))
    ordered = ordered.sort(*family, "top_started_at", "unit")
    alike = {name: pl.col(name).eq_missing(pl.col(name).shift(1)) for name in (*family, "top_name", "request_model")}
    kin = pl.all_horizontal(*(alike[name] for name in family), child == child.shift(1))
    kin = kin & pl.col("_home").is_not_null() & pl.col("call_id").is_null() & pl.col("call_id").shift(1).is_null()
    unusable = (pl.col("status").shift(1) != AttemptStatus.OK.value) | ~pl.col("output_valid").shift(1).fill_null(
        value=True
    )
    pause = pl.col("top_started_at") - pl.col("top_ended_at").shift(1)
    follows = (pause >= pl.duration()) & (child | (pause <= ROOT_RETRY_WITHIN))
    same_prompt = pl.col("prompt_hash") == pl.col("prompt_hash").shift(1)
    relief = pl.col("parent_name").fill_null("").str.to_lowercase().str.contains("fallback")
    again = (kin & unusable & follows & same_prompt.fill_null(value=True)).fill_null(value=False)
    same_ask = alike["top_name"] & alike["request_model"] & ~relief
    stands_in = again & (relief | (~same_ask & same_prompt.fill_null(value=False)))
    answered = (pl.col("status") == AttemptStatus.OK.value) | stands_in.shift(-1, fill_value=False)
    return ordered.with_columns(
        _chain=(~(again & same_ask)).cum_sum(),
        stands_in=stands_in,
        relieved=(stands_in & answered).shift(-1, fill_value=False),
    ).drop("_home")


def in_order(attempts: pl.DataFrame) -> pl.DataFrame:
    """Return the attempts numbered within their calls, with why each was made and what became of it.

    Args:
        attempts: one row per attempt: `call`, `unit`, `sub`, `started_at`, `status`, ..., from `wire_attempts`.

    Returns:
        The attempts sorted by call and number, plus `call_key`, `attempt_number`, `attempt_reason`, `served_reason`,
        `superseded`, `gave_up`, `rejected`; `attempt_source` is `inferred` where only the sibling rule knows.
    """
    recorded = pl.col("attempt_number")
    usable = recorded.is_not_null().all() & (recorded.n_unique() == pl.len())
    attempts = attempts.with_columns(_recorded=usable.over("call"))
    attempts = attempts.sort("call", pl.when("_recorded").then("attempt_number"), "started_at", "unit", "sub")
    place = (pl.int_range(pl.len()) + 1).over("call")
    numbered = attempts.with_columns(
        attempt_number=pl.when("_recorded").then("attempt_number").otherwise(place).cast(pl.Int64),
        call_key=pl.coalesce("call_id", pl.col("attempt_id").first().over("call")),
        attempt_source=pl.when(pl.col("sibling") & (pl.col("attempt_source") == AttemptSource.SPAN.value))
        .then(pl.lit(AttemptSource.INFERRED.value))
        .otherwise("attempt_source"),
        _first=place == 1,
        superseded=pl.col("call") == pl.col("call").shift(-1),
    ).with_columns(pl.col("superseded").fill_null(value=False))
    numbered = numbered.with_columns(attempt_reason=_reason())
    # Who asks again because of the schema says that the answer before was invalid, though nothing else said so.
    refused = pl.col("superseded") & (pl.col("attempt_reason").shift(-1) == AttemptReason.SCHEMA.value)
    numbered = numbered.with_columns(output_valid=pl.col("output_valid") & ~refused.fill_null(value=False))
    return _consequences(numbered).drop("_recorded", "_first")


def _reason() -> pl.Expr:
    before = pl.col("status").shift(1)
    invalid = ~pl.col("output_valid").shift(1).fill_null(value=True)
    inferred = (
        pl.when(pl.col("_first") & pl.col("stands_in"))
        .then(pl.lit(AttemptReason.FALLBACK.value))
        .when("_first")
        .then(pl.lit(AttemptReason.FIRST.value))
        .when(before == AttemptStatus.TIMEOUT.value)
        .then(pl.lit(AttemptReason.TIMEOUT.value))
        .when(invalid)
        .then(pl.lit(AttemptReason.SCHEMA.value))
        .otherwise(pl.lit(AttemptReason.RETRY.value))
    )
    return pl.coalesce("attempt_reason", inferred)


def _consequences(attempts: pl.DataFrame) -> pl.DataFrame:
    ok = pl.col("status") == AttemptStatus.OK.value
    again = pl.when(pl.col("attempt_reason").is_in(_ASKED_AGAIN)).then("attempt_reason")
    served = again.forward_fill().over("call").fill_null(ServedReason.PRIMARY.value)
    invalid = ~pl.col("output_valid").fill_null(value=True)
    next_reason = pl.col("attempt_reason").shift(-1)
    rejected = pl.col("superseded") & ok & (next_reason == AttemptReason.ESCALATION.value)
    attempts = attempts.with_columns(
        served_reason=served,
        rejected=rejected.fill_null(value=False),
        # Whether invalid output was given up or repaired shows in what became of the step around it.
        gave_up=~pl.col("superseded") & (~ok | (invalid & pl.col("parent_failed"))),
    )
    repaired = invalid & ok & ~pl.col("superseded") & ~pl.col("gave_up")
    return with_flags(attempts, {Flag.REPAIRED: repaired})


def calls_of(attempts: pl.DataFrame, hits: pl.DataFrame) -> pl.DataFrame:
    """Return one row per call.

    Args:
        attempts: the attempts `in_order`, with run, step and owners.
        hits: records of answers from the application's cache, with run, step and owners.

    Returns:
        The columns of the calls table, not yet conformed; sorted by start and key.
    """
    last = attempts.filter(~pl.col("superseded"))
    first = attempts.unique("call", keep="first", maintain_order=True)
    counts = attempts.group_by("call").agg(n_attempts=pl.len())
    lead = first.select("call", "started_at", "trace_id", "span_id")
    asked = (
        last.drop("started_at", "trace_id", "span_id")
        .join(lead, on="call")
        .join(counts, on="call")
        .with_columns(
            failed=pl.col("status").is_in(_FAILED) & ~pl.col("relieved"),
            cached=pl.lit(value=False),
            cache_avoided_input_tokens=pl.lit(None, pl.Int64),
            cache_avoided_output_tokens=pl.lit(None, pl.Int64),
        )
    )
    # A call that was answered by the cache and yet attempted is one of each.
    own = pl.concat_str("trace_id", pl.lit(":"), "span_id")
    free = ~pl.col("call_id").is_in(asked["call_key"].implode()) & pl.col("call_id").is_first_distinct()
    answered = hits.with_columns(
        call_key=pl.when(free.fill_null(value=False)).then("call_id").otherwise(own),
        n_attempts=pl.lit(0, pl.UInt32),
        failed=pl.lit(value=False),
        cached=pl.lit(value=True),
        cache_avoided_input_tokens=pl.coalesce("cache_avoided_input_tokens", "input_tokens"),
        cache_avoided_output_tokens=pl.coalesce("cache_avoided_output_tokens", "output_tokens"),
    )
    shared = [name for name in asked.columns if name in answered.columns]
    return pl.concat([asked.select(shared), answered.select(shared)]).sort("started_at", "tenant", "call_key")
