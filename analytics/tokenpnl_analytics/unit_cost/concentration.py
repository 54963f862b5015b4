"""How cost is spread: over customers, and over runs. Descriptions, in float64; money stays in the figures beside."""

import polars as pl

_BINS_A_DECADE = 4


def concentration(runs: pl.DataFrame, by: str) -> pl.DataFrame:
    """Return what each owner costs and brings, the dearest first, with the running shares of a Lorenz curve.

    Args:
        runs: result of `cohort`.
        by: column of an owner, such as `customer_id`; runs without one are one owner, NULL.

    Returns:
        `by`, `n_runs`, `cost_usd` (unit cost, NULL as 0), `successes`, `owner_share` (this and dearer owners over all
        owners), `cost_share` and `success_share` (theirs, running; NULL where the whole is 0).
    """
    owners = (
        runs.group_by(by)
        .agg(
            pl.len().cast(pl.Int64).alias("n_runs"),
            pl.col("unit_cost_usd").sum().alias("cost_usd"),
            pl.col("succeeded").sum().cast(pl.Int64).alias("successes"),
        )
        .sort("cost_usd", by, descending=[True, False], nulls_last=True)
    )
    cost, successes = pl.col("cost_usd").cast(pl.Float64), pl.col("successes").cast(pl.Float64)
    return owners.with_columns(
        (pl.int_range(1, pl.len() + 1) / pl.len()).alias("owner_share"),
        (cost.cum_sum() / cost.sum().replace(0.0, None)).alias("cost_share"),
        (successes.cum_sum() / successes.sum().replace(0.0, None)).alias("success_share"),
    )


def cost_histogram(runs: pl.DataFrame) -> pl.DataFrame:
    """Return how many runs cost how much, in bins of equal width on the log scale, four a decade.

    Args:
        runs: result of `cohort`; runs that cost nothing or whose cost is unknown are left out.

    Returns:
        `low_usd`, `high_usd` (float64), `succeeded`, `n_runs`, sorted.
    """
    cost = pl.col("unit_cost_usd").cast(pl.Float64)
    step = (cost.log10() * _BINS_A_DECADE).floor()
    return (
        runs.filter(pl.col("unit_cost_usd") > 0)
        .group_by(step.alias("step"), "succeeded")
        .agg(pl.len().cast(pl.Int64).alias("n_runs"))
        .sort("step", "succeeded")
        .select(
            (10 ** (pl.col("step") / _BINS_A_DECADE)).alias("low_usd"),
            (10 ** ((pl.col("step") + 1) / _BINS_A_DECADE)).alias("high_usd"),
            "succeeded",
            "n_runs",
        )
    )
