"""One row per answer of a model in production: what can be said of it without its content."""

from collections.abc import Sequence

import polars as pl

from tokenpnl.model import AttemptStatus, Operation

_RUN = ["tenant", "run_id"]
_TOOL_CALLS = ("tool_calls", "tool_use", "tool_call", "function_call")
_SAME_CONVERSATION = 0.5
_SETTLED_TYPES = ("json", "json_object", "json_schema")


def answers(attempts: pl.DataFrame, details: pl.DataFrame) -> pl.DataFrame:
    """Return the answers that were used, with what makes a sign.

    Args:
        attempts: table `attempts`.
        details: result of `call_details` of their spans.

    Returns:
        `workflow, step, tenant, run_id, attempt_id, started_at, week` (its Monday, UTC), `input_key`, `output_key`
        (fingerprints; NULL: not logged), `answer_tokens` (reasoning included), `structured` (follows a schema or is
        JSON; NULL: neither is told), `temperature`, `tool_choice`, `near_overlap` (share of the input's blocks that the
        step's input before also began with; of its messages that were among the ones before, where blocks are not
        logged), `context_overlap` (the same against the model call before it in its run; NULL: neither is logged, or
        none is before it), `copied` (the answer is, whole, an earlier answer of another step of its run, or a message
        of a later call of another step that does not go on with the same conversation; NULL: not logged), `repair`
        (another step's answer before it was invalid; NULL: validity is not told). Evaluation, repeats in a loop, failed
        and superseded attempts are left out. Sorted by run and start.
    """
    asked = (
        attempts.filter(
            (pl.col("operation") == Operation.INFERENCE.value)
            & pl.col("evaluation").is_null()
            & pl.col("run_id").is_not_null()
        )
        .join(details, on=["trace_id", "span_id"], how="left", maintain_order="left")
        .sort(*_RUN, "started_at", "attempt_id")
    )
    overlapping = asked.with_columns(
        _overlap(_RUN).alias("context_overlap"),
        (pl.col("output_valid").shift(1) == pl.lit(value=False)).over(_RUN).alias("before_invalid"),
        (pl.col("step").shift(1) != pl.col("step")).over(_RUN).alias("before_other"),
    )
    used = overlapping.filter(
        (pl.col("status") == AttemptStatus.OK.value) & ~pl.col("looped") & ~pl.col("superseded") & ~pl.col("rejected")
    )
    same_step = ["tenant", "workflow", "step"]
    near = used.sort("started_at", "tenant", "attempt_id").with_columns(_overlap(same_step).alias("near_overlap"))
    return (
        near.join(_copied(used), on=["tenant", "attempt_id"], how="left", maintain_order="left")
        .select(
            "workflow",
            "step",
            *_RUN,
            "attempt_id",
            "started_at",
            pl.col("started_at").dt.truncate("1w").alias("week"),
            pl.concat_str("tenant", pl.lit("/"), "prompt_hash").alias("input_key"),
            pl.concat_str("tenant", pl.lit("/"), "output_hash").alias("output_key"),
            pl.col("output_total_tokens").alias("answer_tokens"),
            _structured().alias("structured"),
            "temperature",
            pl.col("finish_reason").str.to_lowercase().is_in(_TOOL_CALLS).fill_null(value=False).alias("tool_choice"),
            "near_overlap",
            "context_overlap",
            "copied",
            _repaired().alias("repair"),
        )
        .sort(*_RUN, "started_at", maintain_order=True)
    )


def _repaired() -> pl.Expr:
    """Return whether another step's answer before it was invalid; NULL where validity is not told."""
    invalid = pl.col("before_invalid")
    of_another = pl.when(pl.col("before_other").fill_null(value=False)).then(invalid)
    return of_another.when(invalid.is_not_null()).then(pl.lit(value=False))


def _overlap(of: Sequence[str]) -> pl.Expr:
    """Return the share of a prompt that the one before it, among those equal in these columns, already held."""
    # Blocks are chained, so what two lists share is what their prompts begin with alike.
    return pl.coalesce(_in_common(pl.col(name), pl.col(name).shift(1).over(of)) for name in ("blocks", "messages"))


def _in_common(now: pl.Expr, before: pl.Expr) -> pl.Expr:
    shared = now.list.set_intersection(before).list.len()
    return pl.when(before.is_not_null()).then(shared / now.list.n_unique()).fill_nan(None)


def _structured() -> pl.Expr:
    told = pl.col("output_schema").is_not_null() | pl.col("output_type").is_not_null()
    shaped = pl.col("output_schema").is_not_null() | pl.col("output_type").str.to_lowercase().is_in(_SETTLED_TYPES)
    return pl.when(told).then(shaped.fill_null(value=False))


def _copied(used: pl.DataFrame) -> pl.DataFrame:
    """Return of each answer whether another step of its run gave it before, or was handed it whole later."""
    # One plain text has no messages: the fingerprint of the prompt is that of its text.
    text = pl.when(pl.col("prompt_hash").is_not_null()).then(pl.concat_list("prompt_hash"))
    asked = used.select(
        *_RUN, "attempt_id", "step", "started_at", "output_hash", pl.coalesce("messages", text).alias("inputs")
    )
    mine = asked.filter(pl.col("output_hash").is_not_null())
    others = asked.select(
        *_RUN,
        pl.col("step").alias("other"),
        pl.col("started_at").alias("at"),
        pl.col("inputs").alias("read"),
        pl.col("output_hash").alias("said"),
    )
    key = [*_RUN, "output_hash"]
    elsewhere = pl.col("other") != pl.col("step")
    said = others.select(*_RUN, pl.col("said").alias("output_hash"), "other", "at").drop_nulls("output_hash")
    repeated = mine.join(said, on=key).filter(elsewhere & (pl.col("at") < pl.col("started_at")))
    read = others.with_columns(pl.col("read").alias("output_hash")).explode("output_hash").drop_nulls("output_hash")
    # A conversation that goes on holds its own answers: that is context sent again, and no second sign.
    goes_on = _in_common(pl.col("inputs"), pl.col("read")).fill_null(0.0) >= _SAME_CONVERSATION
    forwarded = mine.join(read, on=key).filter(elsewhere & (pl.col("at") > pl.col("started_at")) & ~goes_on)
    found = pl.concat([repeated.select("tenant", "attempt_id"), forwarded.select("tenant", "attempt_id")]).unique()
    return (
        mine.select("tenant", "attempt_id")
        .join(found.with_columns(pl.lit(value=True).alias("copied")), on=["tenant", "attempt_id"], how="left")
        .with_columns(pl.col("copied").fill_null(value=False))
    )
