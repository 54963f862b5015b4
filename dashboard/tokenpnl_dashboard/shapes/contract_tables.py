"""Contracts of agents as tables of words: how each is kept, and every breach."""

import polars as pl

from tokenpnl_dashboard import words

CLAUSE = {
    "max_steps": "Steps",
    "max_input_tokens": "Input of a request, tokens",
    "max_output_tokens": "Output of a request, tokens",
    "max_usd": "Cost, USD",
    "max_wall_s": "Time, seconds",
    "model": "Model",
    "tools": "Tools",
    "timeout_ms": "Tool's time",
    "retries": "Tool's retries",
    "output_schema": "Output schema",
}


def agents(found: pl.DataFrame) -> pl.DataFrame:
    """Return how each agent keeps its contract.

    Args:
        found: result of `standing`.
    """
    rows = found.to_dicts()
    return pl.DataFrame(
        {
            "Agent": [row["agent"] for row in rows],
            "Runs": [words.count(row["n_runs"]) for row in rows],
            "Broke it": [words.count(row["n_broken"]) for row in rows],
            "Within": [words.percent(row["within_share"]) for row in rows],
            "Over-limit cost": [words.usd(row["over_limit_usd"]) for row in rows],
        }
    )


def breaches(found: pl.DataFrame) -> pl.DataFrame:
    """Return the breaches, the dearest first.

    Args:
        found: `breaches` of a check.
    """
    rows = found.sort("over_limit_usd", "run_id", "clause", descending=[True, False, False], nulls_last=True).to_dicts()
    return pl.DataFrame(
        {
            "Run": [row["run_id"] for row in rows],
            "Agent": [row["agent"] for row in rows],
            "Clause": [CLAUSE[row["clause"]] for row in rows],
            "Limit": [row["limit"] for row in rows],
            "Was": [row["value"] for row in rows],
            "Over-limit cost": [words.usd(row["over_limit_usd"]) for row in rows],
            "At span": [row["span_id"] for row in rows],
        }
    )
