"""Loops: the same tool call or model call again in one run and step, one after the other."""

import polars as pl


def repeated(work: pl.DataFrame, *, subject: list[str]) -> pl.Series:
    """Return for each row whether it repeats the previous identical work of its run and step.

    Work is identical when all of `subject` is known and equal. It is no loop when the two overlap (sampling), when
    their results are known to differ (polling), or when only one of them failed.

    Args:
        work: `tenant`, `run_id`, `step`, the `subject` columns, `started_at`, `ended_at`, `output_hash`, `failed`.
        subject: the columns that make work identical, such as the prompt's hash and the model.
    """
    key = ["tenant", "run_id", "step", *subject]
    frame = work.select(*key, "started_at", "ended_at", "output_hash", "failed").with_row_index("_at")
    frame = frame.sort(*key, "started_at", "_at")
    same = pl.all_horizontal((pl.col(name) == pl.col(name).shift(1)) for name in key)
    follows = pl.col("started_at") >= pl.col("ended_at").shift(1)
    differs = (pl.col("output_hash") != pl.col("output_hash").shift(1)).fill_null(value=False)
    alike = pl.col("failed") == pl.col("failed").shift(1)
    looped = (same & follows & ~differs & alike).fill_null(value=False)
    return frame.with_columns(looped=looped).sort("_at")["looped"]
