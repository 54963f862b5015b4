"""The two largest reversible causes of a step's cost, and the cure of each; `cures` simulates what it would save."""

import polars as pl

from tokenpnl.model import CostCategory, Operation, OutcomeStatus
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.verdict.signs import Thresholds

SHOWN = 2
_RUN = ["tenant", "run_id"]
_STEP = ["workflow", "step"]
CURES = {
    "repeated_call": "plain code: stop after the first identical call",
    "repeated_answer": "caching: answer a repeated input from the application's cache",
    "context_resent": "caching: let the provider keep the beginning of the prompt",
    "dearer_model": "routing: send the step to the cheaper model",
    "invalid_output": "schema enforcement: let the provider hold the answer to the schema",
    "failed_attempt": "routing: leave a provider alone for a minute after five failures in a row",
}
_OF_CATEGORY = {
    CostCategory.LOOP.value: "repeated_call",
    CostCategory.SCHEMA_VIOLATION.value: "invalid_output",
    CostCategory.RETRY.value: "failed_attempt",
    CostCategory.TIMEOUT.value: "failed_attempt",
}
_PRODUCTIVE = (CostCategory.PRODUCTIVE.value, CostCategory.FALLBACK.value)


def named(
    attempts: pl.DataFrame,
    runs: pl.DataFrame,
    details: pl.DataFrame,
    answers: pl.DataFrame,
    compared: pl.DataFrame,
) -> pl.DataFrame:
    """Return the model calls of settled runs that a cure is about, each under one cause.

    Args:
        attempts: table `attempts`.
        runs: result of `cohort`.
        details: result of `call_details`; output fingerprints and routes are used.
        answers: result of `answers`.
        compared: result of `same_success`.

    Returns:
        `tenant, attempt_id, workflow, step, cause`, sorted by start. The first that fits of: a category (repeated,
        invalid, failed), an input that came before and got the same answer in a run that succeeded, a prompt that
        hardly differs from the one before, and the dearer model where a cheaper one did as well.
    """
    settled = runs.filter("settled").select(*_RUN, "outcome")
    told = details.select("trace_id", "span_id", "output_hash", "route_arm")
    near = pl.max_horizontal("near_overlap", "context_overlap").alias("resent")
    dearer = compared.filter("same").select(*_STEP, pl.col("dearer").alias("route_arm"), pl.lit(1).alias("replaceable"))
    known = (
        attempts.filter(pl.col("operation") == Operation.INFERENCE.value)
        .join(settled, on=_RUN)
        .join(told, on=["trace_id", "span_id"], how="left")
        .join(answers.select("tenant", "attempt_id", near), on=["tenant", "attempt_id"], how="left")
        .join(dearer, on=[*_STEP, "route_arm"], how="left")
        .sort("started_at", "tenant", "attempt_id")
    )
    productive = pl.col("cost_category").is_in(_PRODUCTIVE)
    same = ["tenant", *_STEP, "prompt_hash"]
    again = (
        productive
        & (pl.col("outcome") == OutcomeStatus.SUCCESS.value)
        & pl.col("prompt_hash").is_not_null()
        & (pl.col("output_hash") == pl.col("output_hash").first().over(same))
        & (pl.int_range(pl.len()).over(same) > 0)
    )
    cause = pl.coalesce(
        pl.col("cost_category").replace_strict(_OF_CATEGORY, default=None, return_dtype=pl.String),
        pl.when(again).then(pl.lit("repeated_answer")),
        pl.when(productive & (pl.col("resent") >= Thresholds().overlap)).then(pl.lit("context_resent")),
        pl.when(productive & pl.col("replaceable").is_not_null()).then(pl.lit("dearer_model")),
    )
    return known.with_columns(cause.alias("cause")).drop_nulls("cause").select("tenant", "attempt_id", *_STEP, "cause")


def causes(lines: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    """Return the largest reversible causes of each step.

    Args:
        lines: table `line_items`.
        calls: result of `named`.

    Returns:
        `workflow, step, cause, cure, gross_usd` (Decimal: what the calls cost, of context sent again their input
        alone), `n_attempts`; at most two rows per step, dearest first.
    """
    attempt = ["tenant", "attempt_id"]
    is_input = pl.col("usage_kind").str.starts_with("input_")
    cost = lines.group_by(attempt).agg(
        pl.col("cost_usd").sum().cast(MONEY).alias("whole_usd"),
        pl.col("cost_usd").filter(is_input).sum().cast(MONEY).alias("input_usd"),
    )
    gross = pl.when(pl.col("cause") == "context_resent").then("input_usd").otherwise("whole_usd")
    return (
        calls.join(cost, on=attempt, how="left")
        .group_by(*_STEP, "cause")
        .agg(gross.sum().alias("gross_usd"), pl.len().cast(pl.Int64).alias("n_attempts"))
        .filter(pl.col("gross_usd") > 0)
        .sort(*_STEP, "gross_usd", "cause", descending=[False, False, True, False])
        .group_by(_STEP, maintain_order=True)
        .head(SHOWN)
        .select(
            *_STEP,
            "cause",
            pl.col("cause").replace_strict(CURES, return_dtype=pl.String).alias("cure"),
            "gross_usd",
            "n_attempts",
        )
    )
