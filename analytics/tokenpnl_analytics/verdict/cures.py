"""What each cure would have saved: its calls replayed on the recorded traffic, with evidence and interval."""

from dataclasses import replace

import polars as pl

from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.scenario_families import (
    Breaker,
    CallMatch,
    Family,
    PromptCache,
    ResponseCache,
    Retry,
    Swap,
    Target,
)
from tokenpnl_analytics.rules.scenarios import Scenario
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.families.registry import replayed
from tokenpnl_analytics.whatif.measure import Scope, measured
from tokenpnl_analytics.whatif.replay import Replayed, begun
from tokenpnl_analytics.whatif.result import Estimate, Evidence, Result

MOST_STEPS = 12
"""Steps whose cures are replayed, the dearest first: the answer must come while somebody waits."""
_STEP = ["workflow", "step"]
_ATTEMPT = ["tenant", "attempt_id"]
_SCHEMA = {
    "saving_usd": MONEY,
    "low_usd": pl.Float64(),
    "high_usd": pl.Float64(),
    "evidence": pl.String(),
    "success_evidence": pl.String(),
    "ceiling": pl.Boolean(),
    "because": pl.String(),
}
ASSUMED = {
    "repeated_call": "the run goes on with the answer of the first call",
    "repeated_answer": "a customer's earlier answer to the same request is as good as a new one",
    "context_resent": "the provider's cache works by its published rules",
    "dearer_model": "the cheaper model needs as many tokens as where it served",
    "invalid_output": "no first answer breaks the schema any more",
    "failed_attempt": "nothing that the spared attempts gave was needed",
}
"""What each saving takes for granted."""


def cures(baseline: Baseline, causes: pl.DataFrame, calls: pl.DataFrame, compared: pl.DataFrame) -> pl.DataFrame:
    """Return the causes with what their cures would have saved, each alone.

    Args:
        baseline: the settled traffic.
        causes: result of `causes`.
        calls: result of `named`.
        compared: result of `same_success`.

    Returns:
        The causes with `saving_usd` (Decimal; negative is a loss; NULL: unknown), `low_usd`, `high_usd` (float64, 95%
        of which runs came, or bounds), `evidence`, `success_evidence`, `ceiling` (at most so much), `because` (why it
        is unknown, or what it takes for granted), dearest step first. Past the `MOST_STEPS` dearest none is replayed.
    """
    by_step = causes.group_by(_STEP).agg(pl.col("gross_usd").sum().alias("of_step")).sort(
        "of_step", *_STEP, descending=[True, False, False]
    )  # fmt: skip
    ordered = by_step.join(causes, on=_STEP, how="left", maintain_order="left_right")
    tried = {tuple(step) for step in by_step.head(MOST_STEPS).select(_STEP).iter_rows()}
    rows: list[tuple[object, ...]] = []
    for row in ordered.iter_rows(named=True):
        workflow, step, cause = row["workflow"], row["step"], row["cause"]
        if (workflow, step) not in tried:
            unknown = Evidence.NOT_IDENTIFIABLE.value
            why = f"only the {MOST_STEPS} dearest steps are replayed; ask with --workflow, or in the what-if lab"
            rows.append((None, None, None, unknown, unknown, False, why))
            continue
        mine = (pl.col("workflow") == workflow) & (pl.col("step") == step)
        of_step = _of(baseline, mine)
        found = _replayed(of_step, cause, calls.filter(mine & (pl.col("cause") == cause)), compared.filter(mine))
        rows.append(_row(cause, measured(of_step, found, Scope(cause, cause, pl.lit(value=True)))))
    told = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    return pl.concat([ordered.drop("of_step"), told], how="horizontal")


def _of(baseline: Baseline, mine: pl.Expr) -> Baseline:
    runs = baseline.attempts.filter(mine).select(pl.struct("tenant", "run_id")).unique().to_series()
    return baseline.restricted(mine, pl.struct("tenant", "run_id").is_in(runs.implode()))


def _replayed(baseline: Baseline, cause: str, calls: pl.DataFrame, compared: pl.DataFrame) -> Replayed:
    """Return the step's calls as the cure leaves them."""
    if cause == "repeated_call":
        return _without(baseline, calls, Evidence.RECOMPUTED)
    if cause == "invalid_output":
        return _without(baseline, calls, Evidence.BOUNDED)
    if cause == "dearer_model":
        return _swapped(baseline, calls, compared)
    return replayed(baseline, begun(baseline), _change(cause))


def _change(cause: str) -> Scenario:
    if cause == "repeated_answer":
        return ResponseCache(name=cause, any_temperature=True)
    if cause == "context_resent":
        return PromptCache(name=cause)
    return Retry(name=cause, breaker=Breaker())


def _without(baseline: Baseline, calls: pl.DataFrame, evidence: Evidence) -> Replayed:
    start = begun(baseline)
    gone = pl.struct(_ATTEMPT).is_in(calls.select(pl.struct(_ATTEMPT)).to_series().implode())
    unchanged = Estimate(0.0, 0.0, 0.0, baseline.runs.height, "assumed: the same answer is used")
    return Replayed(
        start.with_columns((pl.col("kept") & ~gone).alias("kept")),
        evidence,
        Evidence.ASSUMED,
        success=unchanged,
    )


def _swapped(baseline: Baseline, calls: pl.DataFrame, compared: pl.DataFrame) -> Replayed:
    """Return the dearer arm's calls on the cheaper arm's model; its success is what the router's log estimates."""
    seen = compared.filter("same").row(0, named=True)
    served = baseline.attempts.filter(pl.col("route_arm") == seen["cheaper"]).group_by("model", "provider").len()
    model, provider, _ = served.sort("len", "model", descending=[True, False]).row(0)
    dear = baseline.attempts.join(calls, on=_ATTEMPT, how="semi")["model"].drop_nulls().unique().sort().to_list()
    change = Swap(
        name=Family.SWAP.value, to=Target(model=model, provider=provider), where=CallMatch(model=tuple(map(str, dear)))
    )
    found = replayed(baseline, begun(baseline), change)
    success = Estimate(seen["difference"], seen["low"], seen["high"], seen["n"], seen["method"])
    return replace(found, success=success, success_evidence=Evidence(seen["evidence"]))


def _row(cause: str, found: Result) -> tuple[object, ...]:
    ceiling = cause == "invalid_output"
    low = 0.0 if ceiling and found.saving_usd is not None else found.saving.low
    high = float(found.saving_usd) if ceiling and found.saving_usd is not None else found.saving.high
    because = found.saving.refused_because or ASSUMED[cause]
    return (
        found.saving_usd,
        low,
        high,
        found.evidence.value,
        found.success_evidence.value,
        ceiling,
        because,
    )
