"""The figures of misclassification are those of the label set: a unit test, not a study."""

import numpy as np
import polars as pl
from tests.analytics.verdict.labelled import EMITTERS, SEED, confusion, half, judged, label_set

from tokenpnl_analytics.verdict.measured import MEASURED


def test_the_set_is_large_enough_and_its_halves_share_no_workflow() -> None:
    whole = label_set(np.random.default_rng(SEED))
    assert whole.truth.height >= 150
    assert len(EMITTERS) >= 5
    tuned, scored = (set(half(whole, odd).truth["workflow"]) for odd in (0, 1))
    assert not tuned & scored


def test_the_correction_uses_what_the_held_out_half_measures() -> None:
    scored = judged(half(label_set(np.random.default_rng(SEED)), 1))
    assert confusion(scored) == MEASURED


def test_nearly_no_hard_step_is_called_glue() -> None:
    scored = judged(half(label_set(np.random.default_rng(SEED)), 1))
    wrong = scored.filter((pl.col("truth") == "reasoning") & (pl.col("class") == "glue"))
    assert wrong.height <= 1
