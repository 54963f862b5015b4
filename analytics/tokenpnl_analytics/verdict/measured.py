"""What `benchmarks/verdict_labels.py` measured on the half of the label set that no threshold was tuned on."""

from tokenpnl_analytics.verdict.headline import Confusion

MEASURED = Confusion(glue_right=30, glue_wrong=0, reasoning_right=30, reasoning_wrong=1)
