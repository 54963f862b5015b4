"""Semantic caches: shares by threshold from labelled pairs, and none without."""

import polars as pl
import pytest

from tokenpnl_analytics.whatif.caching.semantic import semantic_curve

PAIRS = pl.DataFrame(
    {"similarity": [0.99, 0.97, 0.95, 0.90, 0.50, 0.98], "same_answer": [True, True, False, False, False, None]}
)


def test_a_higher_threshold_answers_less_and_errs_less() -> None:
    found = semantic_curve(PAIRS, [0.96, 0.9])
    assert found.select("threshold", "n", "hits", "hit_share", "wrong", "wrong_share").rows() == [
        (0.9, 5, 4, 0.8, 2, 0.5),
        (0.96, 5, 2, 0.4, 0, 0.0),
    ]


def test_intervals_are_wilsons() -> None:
    # 2 of 4: (0.5 + 3.8415/8) / (1 + 3.8415/4) -+ half, from tables .1500 to .8500.
    row = semantic_curve(PAIRS, [0.9]).row(0, named=True)
    assert (row["wrong_low"], row["wrong_high"]) == pytest.approx((0.1500, 0.8500), abs=5e-5)


def test_without_a_hit_the_share_of_wrong_ones_is_unknown() -> None:
    assert semantic_curve(PAIRS, [1.0])["wrong_share"].item() is None


def test_without_labels_there_is_no_curve() -> None:
    assert semantic_curve(PAIRS.with_columns(pl.lit(None, pl.Boolean).alias("same_answer")), [0.9]).is_empty()
