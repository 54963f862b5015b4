"""What a threshold on a recorded score would have done, at every threshold, between a coin and an oracle."""

from decimal import Decimal
from enum import StrEnum

import polars as pl

from tokenpnl.errors import RefusedInputError
from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.whatif.routing.table import usd_per_success


class Kind(StrEnum):
    """When the score is looked at."""

    ROUTE = "route"  # before: one model is asked
    CASCADE = "cascade"  # after the weak model answered: an escalated task pays for both


class Strong(StrEnum):
    """On which side of the threshold the strong model is asked."""

    BELOW = "below"  # the score is confidence in the weak model
    ABOVE = "above"  # the score is difficulty


def threshold_curve(
    pairs: pl.DataFrame, score: str, *, kind: Kind = Kind.ROUTE, strong: Strong = Strong.BELOW
) -> pl.DataFrame:
    """Return a row per threshold that acts differently, from no task to every task at the strong model.

    Args:
        pairs: result of `pairs_of` with the column `score`, numbers.
        score: the recorded score; a task without one goes to the strong model, as nothing vouches for the weak one.
        kind: whether the weak model answers first.
        strong: whether scores below or above the threshold go to the strong model.

    Returns:
        `threshold` (float64; strong is asked where the score lies below, or above, it; NULL: never), `n` tasks,
        `n_strong`, `strong_share`, `successes`, `success_share`, `cost_usd`, `usd_per_task`, `usd_per_success`
        (Decimal); the same for asking the strong model as often at random, `random_success_share`,
        `random_usd_per_task` (float64, expected), and for an oracle that knows where it helps,
        `oracle_success_share`, `oracle_usd_per_task` (float64); by rising `n_strong`.

    Raises:
        RefusedInputError: no task has a score.
    """
    scored = pairs.with_columns(_rank_of(score, strong).alias("rank"))
    if not scored["rank"].is_finite().any():
        raise RefusedInputError(f"expected numbers in the column {score!r}, found none; log the score with the call")
    moved = scored.group_by("rank").agg(
        pl.len().cast(pl.Int64).alias("n_moved"),
        (pl.col("strong_success") - pl.col("weak_success")).sum().alias("gain"),
        _more_usd(kind).sum().alias("more_usd"),
    )
    ranks = moved.sort("rank").select(
        _threshold(strong).alias("threshold"), pl.col("n_moved", "gain", "more_usd").cum_sum()
    )
    nothing = {"threshold": [None], "n_moved": [0], "gain": [0.0], "more_usd": [Decimal(0)]}
    steps = pl.concat([pl.DataFrame(nothing, schema=ranks.schema), ranks])
    n, weak_successes, weak_usd = pairs.height, pairs["weak_success"].sum(), pairs["weak_usd"].sum()
    curve = steps.select(
        "threshold",
        pl.lit(n, pl.Int64).alias("n"),
        pl.col("n_moved").alias("n_strong"),
        (pl.col("n_moved") / n).alias("strong_share"),
        (pl.lit(weak_successes) + pl.col("gain")).alias("successes"),
        (pl.lit(weak_usd, MONEY) + pl.col("more_usd")).alias("cost_usd"),
    )
    return curve.with_columns(
        (pl.col("successes") / n).alias("success_share"),
        (pl.col("cost_usd") / n).alias("usd_per_task"),
        usd_per_success(pl.col("cost_usd"), pl.col("successes")).alias("usd_per_success"),
        *_brackets(pairs, curve["n_strong"], kind),
    )


def goes_strong(score: pl.Expr, threshold: float | None, strong: Strong) -> pl.Expr:
    """Return whether a task goes to the strong model under a threshold of a curve; None: no task does."""
    if threshold is None:
        return pl.lit(value=False)
    beyond = score < threshold if strong is Strong.BELOW else score > threshold
    return beyond.fill_null(value=True)


def chosen_of(pairs: pl.DataFrame, to_strong: pl.Expr, kind: Kind) -> pl.DataFrame:
    """Return what each task would have come to: `task`, `to_strong`, `success`, `cost_usd`, in the order of `pairs`."""
    both = pl.col("weak_usd") + pl.col("strong_usd") if kind is Kind.CASCADE else pl.col("strong_usd")
    return pairs.with_columns(to_strong.alias("to_strong")).select(
        "task",
        "to_strong",
        pl.when("to_strong").then("strong_success").otherwise("weak_success").alias("success"),
        pl.when("to_strong").then(both).otherwise("weak_usd").alias("cost_usd"),
    )


def _rank_of(score: str, strong: Strong) -> pl.Expr:
    """Return in which order tasks move to the strong model: those without a score first."""
    number = pl.col(score).cast(pl.Float64, strict=False)
    number = pl.when(number.is_finite()).then(number)
    return (number if strong is Strong.BELOW else -number).fill_null(float("-inf"))


def _threshold(strong: Strong) -> pl.Expr:
    """Return one threshold per rank: halfway to the next score, so that a rounded one acts the same."""
    rank = pl.col("rank")
    halfway = (rank + rank.shift(-1).fill_null(rank + 2)) / 2
    # Only what has no score at all moves: the lowest score itself stays with the weak model.
    value = pl.when(rank.is_finite()).then(halfway).otherwise(rank.shift(-1))
    return value if strong is Strong.BELOW else -value


def _more_usd(kind: Kind) -> pl.Expr:
    return pl.col("strong_usd") if kind is Kind.CASCADE else pl.col("strong_usd") - pl.col("weak_usd")


def _brackets(pairs: pl.DataFrame, n_strong: pl.Series, kind: Kind) -> list[pl.Series]:
    """Return what a coin and an oracle would reach with as many tasks at the strong model."""
    n = pairs.height
    gained = pairs.select(
        (pl.col("strong_success") - pl.col("weak_success")).alias("gain"),
        _more_usd(kind).cast(pl.Float64).alias("more_usd"),
    ).sort("gain", "more_usd", descending=[True, False])
    weak_successes, weak_usd = pairs["weak_success"].sum(), float(pairs["weak_usd"].sum())
    share = n_strong / n
    best = pl.concat([pl.DataFrame({"gain": [0.0], "more_usd": [0.0]}), gained]).select(pl.all().cum_sum())
    found = best[n_strong.to_list()]
    return [
        ((weak_successes + share * gained["gain"].sum()) / n).alias("random_success_share"),
        ((weak_usd + share * gained["more_usd"].sum()) / n).alias("random_usd_per_task"),
        ((weak_successes + found["gain"]) / n).alias("oracle_success_share"),
        ((weak_usd + found["more_usd"]) / n).alias("oracle_usd_per_task"),
    ]
