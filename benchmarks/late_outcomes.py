"""Late outcomes: settled and expected cost per success against the truth where the figure to date is 30% off.

`python benchmarks/late_outcomes.py [rounds]` lets runs start evenly over 30 days; seven in ten succeed, and it becomes
known after a delay of 7 days on average (exponential).
Read at the end of day 30: to date, expected, and settled, by the outcome window that those 30 days show and by a stated
one; then once more with 120 days of history. Prints JSON and a table, asserts nothing.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl

from tokenpnl.tables import RUNS
from tokenpnl_analytics.frames import schema_of
from tokenpnl_analytics.unit_cost.units import cohort, unit_costs

START = datetime(2026, 6, 1, tzinfo=UTC)
SHARE, DELAY_H, RUNS_A_DAY = 0.7, 7 * 24, 200
MONTH, HISTORY = 30, 120
STATED = timedelta(days=21)  # by then 95% of the outcomes are known


def runs_of(chance: np.random.Generator, days: int) -> pl.DataFrame:
    """Return runs of one dollar each with the outcome that each will have one day."""
    n = days * RUNS_A_DAY
    started = pl.Series(np.sort(chance.uniform(0, days * 86_400, n))).cast(pl.Int64)
    delay = pl.Series(chance.exponential(DELAY_H * 3600, n)).cast(pl.Int64)
    won = pl.Series(chance.random(n) < SHARE)
    usual = {
        "tenant": pl.lit("default"),
        "run_id": "r" + pl.int_range(n).cast(pl.String),
        "workflow": pl.lit("support_reply"),
        "started_at": pl.lit(START) + started * timedelta(seconds=1),
        "outcome": pl.when(won).then(pl.lit("success")).otherwise(pl.lit("failure")),
        "outcome_at": pl.lit(START) + (started + delay) * timedelta(seconds=1),
        "cost_usd": pl.lit(Decimal(1)),
        "n_attempts": pl.lit(1),
        "n_usage_missing": pl.lit(0),
        "n_unpriced": pl.lit(0),
        "flags": pl.lit(""),
    }
    schema = schema_of(RUNS)
    columns = [usual.get(name, pl.lit(None)) for name in schema]
    return pl.DataFrame({"n": range(n)}).select(
        column.cast(dtype).alias(name) if isinstance(column, pl.Expr) else column
        for column, (name, dtype) in zip(columns, schema.items(), strict=True)
    )


def one_round(chance: np.random.Generator, days: int, window: timedelta | None) -> dict[str, float | None]:
    """Return the three figures at the end of the days."""
    stated = None if window is None else {"support_reply": window}
    runs = cohort(runs_of(chance, days), as_of=START + timedelta(days=days), windows=stated)
    found = unit_costs(runs).row(0, named=True)
    names = ("to_date_usd", "expected_usd", "settled_usd")
    return {name: None if found[name] is None else float(found[name]) for name in names}


def main() -> None:
    """Print the mean of each figure and its distance from the truth."""
    n, truth, rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10, 1 / SHARE, []
    chance = np.random.default_rng(20261124)
    for days, window in ((MONTH, None), (MONTH, STATED), (HISTORY, None)):
        told = [one_round(chance, days, window) for _ in range(n)]
        for name in told[0]:
            known = [one[name] for one in told if one[name] is not None]
            mean = float(np.mean(known)) if known else None
            off = None if mean is None else mean / truth - 1
            rows.append(
                {
                    "days": days,
                    "window": "observed" if window is None else "stated",
                    "figure": name,
                    "mean_usd": mean,
                    "off": off,
                    "given": len(known),
                }
            )
    print(json.dumps({"benchmark": "late_outcomes", "rounds": n, "truth_usd": truth, "rows": rows}))
    print(f"\n| days of runs | window | figure | mean, USD (truth {truth:.3f}) | off |\n|---|---|---|---|---|")
    for row in rows:
        mean, off = ("–", "–") if row["off"] is None else (f"{row['mean_usd']:.3f}", f"{row['off']:+.1%}")
        print(f"| {row['days']} | {row['window']} | {row['figure']} | {mean} | {off} |")


if __name__ == "__main__":
    main()
