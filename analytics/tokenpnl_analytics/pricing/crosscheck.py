"""What emitters and gateways say a call cost, beside what we computed: kept apart, compared, never added."""

import polars as pl

from tokenpnl_analytics.frames import MONEY


def cross_check(attempts: pl.DataFrame, line_items: pl.DataFrame) -> pl.DataFrame:
    """Return reported against computed cost of the attempts that carry a reported one.

    Args:
        attempts: table `attempts`.
        line_items: table `line_items`.

    Returns:
        `provider`, `model`, `n_reported` (attempts with a reported cost), `n_compared` (every line priced too),
        `reported_usd` and `computed_usd` of the compared ones (computed: contracted, what the provider would bill),
        `difference_usd` (computed minus reported), `difference_share` of the reported cost (NULL where that is 0), and
        `uncompared_usd` (reported for attempts that we cannot price); sorted by the size of the difference, largest
        first.
    """
    key = ["tenant", "attempt_id"]
    computed = (
        line_items.filter(pl.col("attempt_id").is_not_null())
        .group_by(key)
        .agg(
            pl.col("contracted_cost_usd").sum().alias("computed"),
            pl.col("contracted_cost_usd").has_nulls().alias("incomplete"),
        )
        .filter(~pl.col("incomplete"))
        .drop("incomplete")
    )
    reported = attempts.filter(pl.col("reported_cost_usd").is_not_null()).select(
        *key, "provider", "model", pl.col("reported_cost_usd").alias("reported")
    )
    both = pl.col("computed").is_not_null()
    return (
        reported.join(computed, on=key, how="left")
        .group_by("provider", "model")
        .agg(
            pl.len().cast(pl.Int64).alias("n_reported"),
            both.sum().cast(pl.Int64).alias("n_compared"),
            pl.col("reported").filter(both).sum().alias("reported_usd"),
            pl.col("computed").sum().alias("computed_usd"),
            pl.col("reported").filter(~both).sum().alias("uncompared_usd"),
        )
        .with_columns((pl.col("computed_usd") - pl.col("reported_usd")).alias("difference_usd"))
        .with_columns(
            pl.when(pl.col("reported_usd") != 0)
            .then((pl.col("difference_usd") / pl.col("reported_usd").replace(0, None)).cast(MONEY))
            .alias("difference_share")
        )
        .sort(pl.col("difference_usd").abs(), "provider", "model", descending=[True, False, False], nulls_last=True)
        .select(
            "provider",
            "model",
            "n_reported",
            "n_compared",
            "reported_usd",
            "computed_usd",
            "difference_usd",
            "difference_share",
            "uncompared_usd",
        )
    )
