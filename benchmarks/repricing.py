"""Re-pricing: calls per CPU second when tokens are summed before they are multiplied, against pricing call by call.

`python benchmarks/repricing.py [calls]` runs with one Polars thread and prints JSON and a table. Rounds of all ways
alternate on the same synthetic usage of five models over two months; every figure is the median. The ways are the
linear core alone (the cell of each call known: sum two kinds by cell, multiply), the whole preview of two cards from a
frame of attempts, the join that the books use, and genai-prices' own function call by call.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

os.environ["POLARS_MAX_THREADS"] = "1"  # before Polars is imported: it reads this once

import numpy as np
import polars as pl
from genai_prices import Usage, calc_price

from tokenpnl.model import UsageKind
from tokenpnl_analytics.frames import TIME
from tokenpnl_analytics.pricing.prices import token_lines
from tokenpnl_analytics.pricing.ratecard import default_rate_card
from tokenpnl_analytics.pricing.reprice import preview, sums_by_cell

CALLS = 10_000_000
JOINED, ONE_BY_ONE = 1_000_000, 2_000
ROUNDS = 3
START = datetime(2026, 10, 1, tzinfo=UTC)
SECONDS = 60 * 86_400
MODELS = (
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-sonnet-4-5"),
    ("google", "gemini-2.5-pro"),
    ("deepseek", "deepseek-v4-pro"),
)
KINDS = (UsageKind.INPUT_UNCACHED, UsageKind.OUTPUT_TEXT)


def usage(n_calls: int) -> pl.DataFrame:
    """Return attempts of five models over two months, input and output tokens each."""
    chance = np.random.default_rng(20261124)
    which = pl.Series(chance.integers(0, len(MODELS), n_calls))
    tokens = {kind.column: chance.integers(1, 5_000, n_calls) for kind in KINDS}
    seconds = chance.integers(0, SECONDS, n_calls)
    nothing = [kind.column for kind in UsageKind if kind not in KINDS]
    return pl.DataFrame(tokens).with_columns(
        pl.lit("a").alias("attempt_id"),
        *(
            which.replace_strict(dict(enumerate(names)), return_dtype=pl.String).alias(column)
            for column, names in zip(("provider", "model"), zip(*MODELS, strict=True), strict=True)
        ),
        *(pl.lit(None, pl.String).alias(name) for name in ("service_tier", "deployment")),
        (pl.lit(START) + pl.Series(seconds).cast(pl.Duration("us")) * 1_000_000).cast(TIME).alias("started_at"),
        pl.lit(None, pl.Boolean).alias("billed"),
        pl.lit("").alias("flags"),
        pl.Series(tokens[KINDS[0].column]).alias("input_total_tokens"),
        *(pl.lit(None, pl.Int64).alias(name) for name in nothing),
    )


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds that the work takes in this process."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def linear(attempts: pl.DataFrame, cells: np.ndarray, usd: pl.DataFrame) -> pl.DataFrame:
    """Return the cost of each cell and kind: tokens summed by cell, then multiplied."""
    present = np.arange(len(MODELS))
    sums = [sums_by_cell(attempts[kind.column], cells, present) for kind in KINDS]
    return usd.with_columns(*(pl.col(kind.column) * tokens for kind, tokens in zip(KINDS, sums, strict=True)))


def one_by_one(attempts: pl.DataFrame) -> None:
    """Price calls with genai-prices' own function."""
    wanted = ("provider", "model", "started_at", *(kind.column for kind in KINDS))
    for provider, model, at, into, out in attempts.select(wanted).iter_rows():
        calc_price(Usage(input_tokens=into, output_tokens=out), model, provider_id=provider, genai_request_timestamp=at)


def measure(n_calls: int) -> dict[str, float]:
    """Return calls per CPU second of each way, medians of alternated rounds."""
    card, attempts = default_rate_card(), usage(n_calls)
    cells = attempts["model"].cast(pl.Categorical).to_physical().cast(pl.Int64).to_numpy()
    usd = pl.DataFrame({kind.column: ["0.0000025"] * len(MODELS) for kind in KINDS}).cast(pl.Decimal(38, 12))
    some, few = attempts.head(JOINED), attempts.head(ONE_BY_ONE)
    ways: dict[str, tuple[int, Callable[[], object]]] = {
        "sum by cell, then multiply": (n_calls, lambda: linear(attempts, cells, usd)),
        "preview of two cards, from attempts": (n_calls, lambda: preview(attempts, card, card)),
        "join, a line for each kind": (some.height, lambda: token_lines(some, card)),
        "genai-prices, call by call": (few.height, lambda: one_by_one(few)),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, (_, work) in ways.items():
            taken[name].append(cpu_seconds(work))
    return {name: n / statistics.median(taken[name]) for name, (n, _) in ways.items()}


def main() -> None:
    """Print the rates as JSON and as a table."""
    n_calls = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    rates = {name: round(rate) for name, rate in measure(n_calls).items()}
    slowest = min(rates.values())
    print(json.dumps({"benchmark": "repricing", "calls": n_calls, "calls_per_cpu_second": rates}))
    print("\n| way | calls per CPU second | ratio |\n|---|---|---|")
    for name, rate in rates.items():
        print(f"| {name} | {rate:,} | {rate / slowest:,.0f} |")


if __name__ == "__main__":
    main()
