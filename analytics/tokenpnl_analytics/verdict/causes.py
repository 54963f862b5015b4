"""The two largest reversible causes of a step's cost: dollars that a cure is about, and what is known to be saved."""

import polars as pl

from tokenpnl.model import CostCategory, Operation, OutcomeStatus
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.whatif.result import Evidence

SHOWN = 2
_RUN = ["tenant", "run_id"]
CURES = {
    "repeated_call": "plain code: stop after the first identical call",
    "repeated_answer": "caching: answer a repeated input from the application's cache",
    "invalid_output": "schema enforcement: let the provider hold the answer to the schema",
    "failed_attempt": "routing: shorter time-outs, fewer attempts, another fallback",
}
_OF_CATEGORY = {
    CostCategory.LOOP.value: "repeated_call",
    CostCategory.SCHEMA_VIOLATION.value: "invalid_output",
    CostCategory.RETRY.value: "failed_attempt",
    CostCategory.TIMEOUT.value: "failed_attempt",
}
_EVIDENCE = {
    "repeated_call": Evidence.RECOMPUTED.value,
    "repeated_answer": Evidence.ASSUMED.value,
    "failed_attempt": Evidence.ASSUMED.value,
    "invalid_output": Evidence.NOT_IDENTIFIABLE.value,
}


def causes(lines: pl.DataFrame, attempts: pl.DataFrame, runs: pl.DataFrame, details: pl.DataFrame) -> pl.DataFrame:
    """Return the largest reversible causes of each step in settled runs, with what is known to be saved.

    Args:
        lines: table `line_items`.
        attempts: table `attempts`.
        runs: result of `cohort`.
        details: result of `call_details`; only output fingerprints are used.

    Returns:
        `workflow, step, cause, cure, gross_usd` (what it cost), `saving_usd` (NULL: nobody can tell without a trial),
        `evidence`, `ceiling` (a saving that may be smaller), `n_attempts`; at most two rows per step, dearest first.
        A repeated call is recomputed; a repeated answer is assumed as good as the first; failed attempts are a ceiling.
    """
    settled = runs.filter("settled").select(*_RUN, "outcome")
    cost = lines.group_by("tenant", "attempt_id").agg(pl.col("cost_usd").sum().cast(MONEY))
    known = (
        attempts.filter(pl.col("operation") == Operation.INFERENCE.value)
        .join(settled, on=_RUN)
        .join(cost, on=["tenant", "attempt_id"], how="left")
        .join(details.select("trace_id", "span_id", "output_hash"), on=["trace_id", "span_id"], how="left")
        .sort("started_at", "attempt_id")
    )
    by_category = pl.col("cost_category").replace_strict(_OF_CATEGORY, default=None, return_dtype=pl.String)
    succeeded = pl.col("outcome") == OutcomeStatus.SUCCESS.value
    productive = pl.col("cost_category").is_in([CostCategory.PRODUCTIVE.value, CostCategory.FALLBACK.value])
    same = ["tenant", "workflow", "step", "prompt_hash"]
    again = (
        productive
        & succeeded
        & pl.col("prompt_hash").is_not_null()
        & (pl.col("output_hash") == pl.col("output_hash").first().over(same))
        & (pl.int_range(pl.len()).over(same) > 0)
    )
    named = known.with_columns(pl.coalesce(by_category, pl.when(again).then(pl.lit("repeated_answer"))).alias("cause"))
    found = (
        named.filter(pl.col("cause").is_not_null())
        .group_by("workflow", "step", "cause")
        .agg(pl.col("cost_usd").sum().alias("gross_usd"), pl.len().cast(pl.Int64).alias("n_attempts"))
        .filter(pl.col("gross_usd") > 0)
        .with_columns(
            pl.col("cause").replace_strict(CURES, return_dtype=pl.String).alias("cure"),
            pl.col("cause").replace_strict(_EVIDENCE, return_dtype=pl.String).alias("evidence"),
        )
        .with_columns(
            pl.when(pl.col("evidence") != Evidence.NOT_IDENTIFIABLE.value).then("gross_usd").alias("saving_usd"),
            (pl.col("cause") == "failed_attempt").alias("ceiling"),
        )
        .sort("workflow", "step", "gross_usd", "cause", descending=[False, False, True, False])
    )
    return (
        found.group_by("workflow", "step", maintain_order=True)
        .head(SHOWN)
        .select("workflow", "step", "cause", "cure", "gross_usd", "saving_usd", "evidence", "ceiling", "n_attempts")
    )
