"""One row per answer of a model in production: what can be said of it without its content."""

import polars as pl

from tokenpnl.model import AttemptStatus, Operation

_RUN = ["tenant", "run_id"]
_TOOL_CALLS = ("tool_calls", "tool_use", "tool_call", "function_call")
_SETTLED_TYPES = ("json", "json_object", "json_schema")


def answers(attempts: pl.DataFrame, details: pl.DataFrame) -> pl.DataFrame:
    """Return the answers that were used, with what makes a sign.

    Args:
        attempts: table `attempts`.
        details: result of `call_details` of their spans.

    Returns:
        `workflow, step, started_at, week` (its Monday, UTC), `input_key`, `output_key` (fingerprints; NULL: not
        logged), `answer_tokens` (reasoning included), `structured` (follows a schema or is JSON; NULL: neither is
        told), `temperature`, `tool_choice`, `near_overlap` (share of the input's blocks that the same step's input in
        the run before also began with), `context_overlap` (the same against the model call before it in its run; NULL:
        no blocks, or none before it), `copied` (the answer is, whole, an earlier answer of another step of its run, or
        the whole input of a later one; NULL: not logged), `repair` (another step's answer before it was invalid; NULL:
        validity is not told). Evaluation, repeats in a loop, failed and superseded attempts are left out. Sorted by run
        and start.
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
        _overlap(pl.col("blocks").shift(1).over(_RUN)).alias("context_overlap"),
        (pl.col("output_valid").shift(1) == pl.lit(value=False)).over(_RUN).alias("before_invalid"),
        (pl.col("step").shift(1) != pl.col("step")).over(_RUN).alias("before_other"),
    )
    used = overlapping.filter(
        (pl.col("status") == AttemptStatus.OK.value) & ~pl.col("looped") & ~pl.col("superseded") & ~pl.col("rejected")
    )
    same_step = ["tenant", "workflow", "step"]
    near = used.sort("started_at", "attempt_id").with_columns(
        _overlap(pl.col("blocks").shift(1).over(same_step)).alias("near_overlap")
    )
    return (
        near.join(_copied(used), on=["tenant", "attempt_id"], how="left", maintain_order="left")
        .select(
            "workflow",
            "step",
            *_RUN,
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
            pl.when(pl.col("before_other").fill_null(value=False))
            .then(pl.col("before_invalid"))
            .when(pl.col("before_invalid").is_not_null())
            .then(pl.lit(value=False))
            .alias("repair"),
        )
        .sort(*_RUN, "started_at")
    )


def _overlap(before: pl.Expr) -> pl.Expr:
    # Blocks are chained, so what two lists share is what their prompts begin with alike.
    shared = pl.col("blocks").list.set_intersection(before).list.len()
    return pl.when(before.is_not_null()).then(shared / pl.col("blocks").list.len())


def _structured() -> pl.Expr:
    told = pl.col("output_schema").is_not_null() | pl.col("output_type").is_not_null()
    shaped = pl.col("output_schema").is_not_null() | pl.col("output_type").str.to_lowercase().is_in(_SETTLED_TYPES)
    return pl.when(told).then(shaped.fill_null(value=False))


def _copied(used: pl.DataFrame) -> pl.DataFrame:
    """Return of each answer whether another step of its run gave it before, or took it whole as its input later."""
    mine = used.filter(pl.col("output_hash").is_not_null()).select(
        *_RUN, "attempt_id", "step", "started_at", "output_hash"
    )
    said = mine.select(*_RUN, "output_hash", pl.col("step").alias("other"), pl.col("started_at").alias("at"))
    read = used.select(
        *_RUN,
        pl.col("prompt_hash").alias("output_hash"),
        pl.col("step").alias("other"),
        pl.col("started_at").alias("at"),
    ).drop_nulls("output_hash")
    key = [*_RUN, "output_hash"]
    other = pl.col("other") != pl.col("step")
    repeated = mine.join(said, on=key).filter(other & (pl.col("at") < pl.col("started_at")))
    forwarded = mine.join(read, on=key).filter(other & (pl.col("at") > pl.col("started_at")))
    found = pl.concat([repeated.select("tenant", "attempt_id"), forwarded.select("tenant", "attempt_id")]).unique()
    return (
        mine.select("tenant", "attempt_id")
        .join(found.with_columns(pl.lit(value=True).alias("copied")), on=["tenant", "attempt_id"], how="left")
        .with_columns(pl.col("copied").fill_null(value=False))
    )
