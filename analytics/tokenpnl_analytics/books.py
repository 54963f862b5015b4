"""The books: spans and outcomes in, every derived table out. Pure; always rebuildable."""

from dataclasses import dataclass

import polars as pl

from tokenpnl.model import WITHOUT_DIRECT_RESULT, CostCategory, CostSource
from tokenpnl.tables import ATTEMPTS, CALLS, EVALUATIONS, LINE_ITEMS, RUNS
from tokenpnl_analytics.classify import classify
from tokenpnl_analytics.frames import MONEY, conform, empty
from tokenpnl_analytics.pricing.memos import avoided_costs, primary_costs
from tokenpnl_analytics.pricing.prices import charge
from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.resolving.resolve import Resolution, resolve
from tokenpnl_analytics.rules.outcomes import OutcomesFile
from tokenpnl_analytics.unit_cost.outcome_rules import ruled_outcomes
from tokenpnl_analytics.unit_cost.outcomes import at_home, attach_outcomes

_RUN = ["tenant", "run_id"]


@dataclass(frozen=True)
class Books:
    """The derived tables of `tables.py`, each sorted by its key, so that equal input gives equal frames."""

    attempts: pl.DataFrame
    calls: pl.DataFrame
    fees: pl.DataFrame
    runs: pl.DataFrame
    line_items: pl.DataFrame
    duplicates: pl.DataFrame


def keep_books(
    spans: pl.DataFrame,
    outcomes: pl.DataFrame,
    card: RateCard,
    *,
    outcome_rules: OutcomesFile | None = None,
    evaluations: pl.DataFrame | None = None,
) -> Books:
    """Return the books of a set of spans and outcomes: resolved, priced, classified, summed by run.

    Args:
        spans: table `spans`, whole connected traces, in any order, repetitions allowed.
        outcomes: table `outcomes`, likewise.
        card: dated prices.
        outcome_rules: success definitions; their rules speak of runs that nobody spoke of.
        evaluations: table `evaluations`, for rules that read scores.
    """
    resolution = resolve(spans)
    if outcome_rules is None:
        return book(resolution, outcomes, card)
    scores = empty(EVALUATIONS) if evaluations is None else evaluations
    ruled = ruled_outcomes(resolution.runs, spans, scores, outcome_rules, homes=resolution.homes)
    return book(resolution, outcomes, card, ruled=ruled, outcome_rules=outcome_rules)


def book(
    resolution: Resolution,
    outcomes: pl.DataFrame,
    card: RateCard,
    *,
    ruled: pl.DataFrame | None = None,
    outcome_rules: OutcomesFile | None = None,
) -> Books:
    """Return the books of resolved spans; `resolution` holds runs without outcome and cost."""
    stated = at_home(outcomes, resolution.homes)
    runs = attach_outcomes(resolution.runs, stated, ruled=ruled, rules=outcome_rules)
    attempts = classify(resolution.attempts.sort("tenant", "attempt_id"), runs)
    fees = resolution.fees.sort("tenant", "trace_id", "span_id")
    line_items = primary_costs(charge(attempts, classify(fees, runs), card), attempts, card)
    return Books(
        attempts=conform(attempts, ATTEMPTS),
        calls=conform(avoided_costs(resolution.calls, card).sort("tenant", "call_key"), CALLS),
        fees=fees,
        runs=conform(run_costs(runs, line_items).sort("tenant", "run_id", "trace_id", "span_id"), RUNS),
        line_items=conform(line_items, LINE_ITEMS),
        duplicates=resolution.duplicates.sort("tenant", "trace_id", "span_id"),
    )


def run_costs(runs: pl.DataFrame, line_items: pl.DataFrame) -> pl.DataFrame:
    """Return the runs with what they cost.

    Args:
        runs: table `runs`.
        line_items: table `line_items`.

    Returns:
        The runs in order; `cost_usd` NULL where the run has usage and none of it is priced, 0 where it needed none.
    """
    cost = pl.col("cost_usd")
    evaluation = pl.col("cost_category") == CostCategory.EVALUATION.value
    lost = pl.col("cost_category").is_in([category.value for category in WITHOUT_DIRECT_RESULT])
    unpriced = pl.col("cost_source") == CostSource.UNPRICED.value
    sums = (
        line_items.filter(pl.col("run_id").is_not_null())
        .group_by(_RUN)
        .agg(
            cost.sum().alias("priced_usd"),
            cost.count().alias("n_priced_lines"),
            pl.len().alias("n_lines"),
            cost.filter(evaluation & (pl.col("evaluation") == "inline")).sum().alias("inline_evaluation_usd"),
            cost.filter(evaluation & (pl.col("evaluation") == "offline")).sum().alias("offline_evaluation_usd"),
            cost.filter(lost).sum().alias("without_result_usd"),
            pl.col("attempt_id").filter(unpriced).n_unique().cast(pl.Int64).alias("n_unpriced"),
        )
    )
    zero = pl.lit(0, MONEY)
    needed_none = pl.col("n_lines").is_null() & (pl.col("n_usage_missing") == 0)
    known = (pl.col("n_priced_lines") > 0) | needed_none
    parts = ("inline_evaluation_usd", "offline_evaluation_usd", "without_result_usd")
    return (
        runs.drop("cost_usd", *parts, "n_unpriced", strict=False)
        .join(sums, on=_RUN, how="left", maintain_order="left")
        .with_columns(
            pl.when(known).then(pl.col("priced_usd").fill_null(zero)).alias("cost_usd"),
            *(pl.when(known).then(pl.col(part).fill_null(zero)).alias(part) for part in parts),
            # A run without line items has no unpriced ones; that is known, not missing.
            pl.col("n_unpriced").fill_null(0),
        )
    )
