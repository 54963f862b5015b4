"""A semantic cache, judged on labelled pairs: how often it would answer, and how often wrongly."""

from collections.abc import Sequence

import polars as pl

from tokenpnl_analytics.unit_cost.risk import wilson_interval

NO_PAIRS = "no labelled pairs: whether an answer to a similar request is right cannot be read from traffic"
_SCHEMA = pl.Schema(
    {
        "threshold": pl.Float64(),
        "n": pl.Int64(),
        "hits": pl.Int64(),
        "hit_share": pl.Float64(),
        "hit_low": pl.Float64(),
        "hit_high": pl.Float64(),
        "wrong": pl.Int64(),
        "wrong_share": pl.Float64(),
        "wrong_low": pl.Float64(),
        "wrong_high": pl.Float64(),
        "method": pl.String(),
    }
)
_METHOD = "labelled pairs, Wilson 95%"


def semantic_curve(pairs: pl.DataFrame, thresholds: Sequence[float]) -> pl.DataFrame:
    """Return hit rate and wrong-hit rate of a semantic cache by threshold.

    Args:
        pairs: a random sample of requests, each with its most similar earlier request: `similarity` (float64),
            `same_answer` (Boolean, a person's or a test's word; NULL: not labelled, left out).
        thresholds: a pair at or above it is answered from the cache.

    Returns:
        `threshold`, `n` (labelled pairs), `hits`, `hit_share, hit_low, hit_high`, `wrong` (hits whose answer is not the
        right one), `wrong_share, wrong_low, wrong_high` (of the hits; NULL without a hit), `method`; by threshold.
        No row without labelled pairs: then the rate of wrong answers is not identifiable (`NO_PAIRS`).
    """
    labelled = pairs.drop_nulls(["similarity", "same_answer"])
    n = labelled.height
    rows = []
    for threshold in sorted(thresholds) if n else ():
        taken = labelled.filter(pl.col("similarity") >= threshold)["same_answer"]
        hits, wrong = len(taken), int((~taken).sum())
        of_hits = (wrong / hits, *wilson_interval(wrong, hits)) if hits else (None, None, None)
        rows.append((threshold, n, hits, hits / n, *wilson_interval(hits, n), wrong, *of_hits, _METHOD))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")
