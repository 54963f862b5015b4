"""Small routing tables that the tests of the folder share."""

import polars as pl

from tokenpnl_analytics.whatif.routing.table import pairs_of, tasks_of

# Confidence, weak solves, strong solves. The weak model costs $0.01 a task, the strong one $0.10.
KNOWN = [(0.9, 1, 1), (0.8, 1, 1), (0.4, 0, 1), (0.2, 0, 1), (0.1, 0, 0)]


def table(known: list[tuple[float | None, int, int]] = KNOWN) -> pl.DataFrame:
    rows = [
        (f"t{place}", model, solved, cost, confidence)
        for place, (confidence, weak, strong) in enumerate(known)
        for model, solved, cost in (("small", weak, "0.01"), ("large", strong, "0.10"))
    ]
    return pl.DataFrame(rows, schema=["task", "model", "success", "cost_usd", "confidence"], orient="row")


def pairs(known: list[tuple[float | None, int, int]] = KNOWN) -> pl.DataFrame:
    return pairs_of(tasks_of(table(known)), "small", "large", ["confidence"])
