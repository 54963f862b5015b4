"""Precision and recall of the verdict on a label set that we generated ourselves: a unit test, not a study.

Thresholds are tuned on the workflows of one half and scored on those of the other. Run from the project's root:
`python benchmarks/verdict_labels.py`.
"""

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.analytics.verdict.labelled import SEED, Labelled, confusion, half, judged, label_set

from tokenpnl_analytics.verdict.measured import MEASURED
from tokenpnl_analytics.verdict.signs import Thresholds

GRID = {
    "distinct_share": (0.02, 0.05, 0.1),
    "lookup_share": (0.2, 0.3, 0.5),
    "answer_tokens": (100.0, 300.0, 600.0),
    "overlap": (0.7, 0.8, 0.9),
}


def tuned(part: Labelled) -> Thresholds:
    """Return the thresholds that are right most often on these workflows; of equals those nearest to the product's."""
    usual = Thresholds()

    def right(limits: Thresholds) -> tuple[int, int, int]:
        steps = judged(part, limits)
        hits = steps.filter(pl.col("truth") == pl.col("class")).height
        wrong = steps.filter(pl.col("truth") != pl.col("class"), pl.col("class") != "unclassified").height
        near = sum(getattr(limits, name) == getattr(usual, name) for name in GRID)
        # A step that is called what it is not costs more than one that nobody dares to call.
        return hits - 5 * wrong, hits, near

    choices = (dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values()))
    return max((replace(usual, **choice) for choice in choices), key=right)


def main() -> None:
    """Print what was tuned, what was scored, and what the correction uses."""
    whole = label_set(np.random.default_rng(SEED))
    chosen = tuned(half(whole, 0))
    scored = judged(half(whole, 1), chosen)
    print("A set that we generated ourselves: a unit test, not a study.")
    print(
        f"{whole.truth.height} steps, {whole.truth['workflow'].n_unique()} workflows; scored on {scored.height} steps"
    )
    print(f"tuned on the other half: { {name: getattr(chosen, name) for name in GRID} }")
    for name in ("glue", "reasoning"):
        said, true = pl.col("class") == name, pl.col("truth") == name
        hits, n_said, n_true = (scored.filter(one).height for one in (said & true, said, true))
        print(f"{name}: precision {hits}/{n_said} = {hits / n_said:.3f}, recall {hits}/{n_true} = {hits / n_true:.3f}")
    found = confusion(scored)
    print(f"among the classified: {found}; se {found.sensitivity:.3f}, sp {found.specificity:.3f}")
    for name, right, wrong in (
        ("se", found.glue_right, found.glue_wrong),
        ("sp", found.reasoning_right, found.reasoning_wrong),
    ):
        low, high = np.quantile(np.random.default_rng(SEED).beta(right + 0.5, wrong + 0.5, 100_000), [0.025, 0.975])
        print(f"  {name} 95% from {low:.3f} to {high:.3f} (n = {right + wrong})")
    print(scored.group_by("step", "truth", "class").len().sort("step", "class"))
    print("the product's thresholds and figures agree:", chosen == Thresholds() and found == MEASURED)


if __name__ == "__main__":
    main()
