"""Cost per successful outcome: the one derivation of the figure, settled, to date and expected.

A cohort figure, a ratio of sums: the runs that started in the period, all their cost, over their successes as known at
`as_of`. Failed runs are paid for by the successes.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from tokenpnl.model import CostCategory, OutcomeSource, OutcomeStatus
from tokenpnl_analytics.delays import known_share, outcome_windows
from tokenpnl_analytics.frames import MONEY, known_sum
from tokenpnl_analytics.intervals import FEW_SUCCESSES, ratio_interval

PRODUCTION = ("production", "prod", None)
"""Environments that a unit cost covers by default; None: the emitter did not say."""

RUN_DIMENSIONS = ("tenant", "workflow", "customer_id", "feature", "release", "environment", "service_name")
"""Columns by which a cost per success exists; the period of its start and the whole are dimensions of a run too."""

PRICED_SHARE_FLOOR = 0.98
KNOWN_SHARE_FLOOR = 0.5
TAIL_SHARE_CEILING = 0.25
SEED = 20261124

_MADE_DIMENSIONS = ("period", "whole")
_ZERO = pl.lit(0, MONEY)
_SUCCEEDED = pl.col("outcome").eq_missing(OutcomeStatus.SUCCESS.value)
_CLUSTER_LEVELS = {"customer": "customer_id", "conversation": "session_id"}


def usd_per_success(cost_usd: pl.Expr, successes: pl.Expr) -> pl.Expr:
    """Return cost over successes, Decimal with 12 places, half-even; NULL when nothing succeeded."""
    return cost_usd / pl.when(successes > 0).then(successes)


def cohort(
    runs: pl.DataFrame,
    *,
    as_of: datetime,
    windows: Mapping[str, timedelta] | None = None,
    environments: Sequence[str | None] | None = PRODUCTION,
) -> pl.DataFrame:
    """Return the runs that a unit cost is about, with what is known about them at `as_of`.

    Args:
        runs: table `runs`.
        as_of: aware; outcomes that became true later are not known yet; runs that started later are left out.
        windows: stated outcome windows by workflow, else the observed 95th percentile of outcome delay.
        environments: environments to keep; None keeps all.

    Returns:
        The runs with `direct_usd`, `inline_evaluation_usd`, `unit_cost_usd` (their sum; offline evaluation stays
        outside), `succeeded`, `settled`, `window_hours` (NULL: no outcome yet), `known_share`.
    """
    as_of = as_of.astimezone(UTC)
    later = pl.col("outcome_at") > pl.lit(as_of)
    kept = runs.filter(pl.col("started_at") <= pl.lit(as_of))
    if environments is not None:
        named = [name for name in environments if name is not None]
        kept = kept.filter(pl.col("environment").is_in(named).fill_null(value=None in environments))
    known = kept.with_columns(pl.when(~later.fill_null(value=False)).then("outcome").alias("outcome"))
    inline, offline = (pl.col(f"{place}_evaluation_usd").fill_null(_ZERO) for place in ("inline", "offline"))
    age = (pl.lit(as_of) - pl.col("started_at")).dt.total_seconds() / 3600
    return (
        known.join(outcome_windows(known, windows), on="workflow", how="left", nulls_equal=True, maintain_order="left")
        .join(known_share(known, as_of=as_of), on=["tenant", "run_id"], how="left", maintain_order="left")
        .with_columns(
            (pl.col("cost_usd") - inline - offline).alias("direct_usd"),
            inline.alias("inline_evaluation_usd"),
            (pl.col("cost_usd") - offline).alias("unit_cost_usd"),
            _SUCCEEDED.alias("succeeded"),
            (age >= pl.col("window_hours")).fill_null(value=False).alias("settled"),
        )
    )


def unit_costs(
    runs: pl.DataFrame, by: Sequence[str] = ("workflow",), *, chance: np.random.Generator | None = None
) -> pl.DataFrame:
    """Return cost per successful outcome, one row per value of the run-level dimensions, sorted by them.

    Args:
        runs: result of `cohort`.
        by: run-level dimensions; a model, step, provider or hour has a `contribution` instead.
        chance: draws the bootstrap; by default seeded anew for each slice, so that a slice prints the same figure
            on every page.

    Returns:
        The dimensions, then `settled_usd` (headline; NULL: nothing settled or no success), its components
        `direct_usd + inline_evaluation_usd + capacity_share_usd`, `low`, `high` (95%, float64, of the settled figure),
        `method`, `clusters`, `n_clusters`, `design_effect`; `to_date_usd` with the assumption-free `to_date_low_usd`;
        `expected_usd` (estimated; NULL below half known); `n_runs`, `n_settled`, `successes`, `settled_successes`,
        `unresolved_share`, `window_days`, `known_share`, `priced_share`, `outcome_coverage`, `self_declared_share`,
        `tail_share`, `winsorised_usd`, `caveats` (sentences, "; " between).

    Raises:
        ValueError: when a dimension is not one of a run.
    """
    wrong = set(by) - {*RUN_DIMENSIONS, *_MADE_DIMENSIONS}
    if wrong:
        raise ValueError(f"a unit cost exists by {RUN_DIMENSIONS}, not by {sorted(wrong)}; use contributions()")
    figures = _ratios(_sums(runs, by))
    estimates = _estimates(runs.filter("settled"), by, chance)
    joined = figures.join(estimates, on=list(by), how="left", nulls_equal=True).sort(list(by), nulls_last=True)
    return joined.with_columns(_caveats().alias("caveats"))


def contributions(line_items: pl.DataFrame, runs: pl.DataFrame, by: str) -> pl.DataFrame:
    """Return what each slice of cost contributes to its workflow's cost per success to date; slices add up to it.

    Args:
        line_items: table `line_items`.
        runs: result of `cohort`.
        by: any column of `line_items`, such as model or step.

    Returns:
        `workflow`, the dimension, `cost_usd`, `successes` of the whole workflow, `usd_per_success`, sorted.
    """
    successes = runs.group_by("workflow").agg(pl.col("succeeded").sum().cast(pl.Int64).alias("successes"))
    offline = (pl.col("cost_category") == CostCategory.EVALUATION.value) & (pl.col("evaluation") == "offline")
    in_cohort = line_items.join(runs.select("tenant", "run_id"), on=["tenant", "run_id"], how="semi")
    return (
        in_cohort.filter(~offline.fill_null(value=False))
        .group_by("workflow", by)
        .agg(known_sum(pl.col("cost_usd")))
        .join(successes, on="workflow", how="left", nulls_equal=True)
        .with_columns(usd_per_success(pl.col("cost_usd"), pl.col("successes")).alias("usd_per_success"))
        .sort("workflow", by, nulls_last=True)
    )


def _sums(runs: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    settled, succeeded = pl.col("settled"), pl.col("succeeded")
    known = pl.col("n_attempts") - pl.col("n_usage_missing")
    return runs.group_by(list(by)).agg(
        pl.len().cast(pl.Int64).alias("n_runs"),
        settled.sum().cast(pl.Int64).alias("n_settled"),
        succeeded.sum().cast(pl.Int64).alias("successes"),
        (settled & succeeded).sum().cast(pl.Int64).alias("settled_successes"),
        pl.col("outcome").is_null().sum().cast(pl.Int64).alias("n_without_outcome"),
        (settled & pl.col("outcome").is_null()).sum().alias("n_unresolved"),
        (succeeded & (pl.col("outcome_source") == OutcomeSource.PROGRAM.value)).sum().alias("n_self_declared"),
        known_sum(pl.col("unit_cost_usd")).alias("cost_usd"),
        *(known_sum(pl.col(part).filter(settled)) for part in ("unit_cost_usd", "direct_usd", "inline_evaluation_usd")),
        pl.col("known_share").mean(),
        (pl.col("window_hours").max() / 24).alias("window_days"),
        (1 - pl.col("n_unpriced").sum() / known.clip(0).sum().replace(0, None)).alias("priced_share"),
    )


def _ratios(sums: pl.DataFrame) -> pl.DataFrame:
    settled_successes, successes = pl.col("settled_successes"), pl.col("successes")
    settled = usd_per_success(pl.col("unit_cost_usd"), settled_successes)
    inline = usd_per_success(pl.col("inline_evaluation_usd"), settled_successes)
    to_date = usd_per_success(pl.col("cost_usd"), successes)
    enough = pl.col("known_share") >= KNOWN_SHARE_FLOOR
    n_settled = pl.col("n_settled").replace(0, None)
    return sums.with_columns(
        settled.alias("settled_usd"),
        # The last component is the rest of the sum, so that rounded quotients still add up to the figure.
        (settled - inline).alias("direct_usd"),
        inline.alias("inline_evaluation_usd"),
        pl.when(settled_successes > 0).then(_ZERO).alias("capacity_share_usd"),
        to_date.alias("to_date_usd"),
        usd_per_success(pl.col("cost_usd"), successes + pl.col("n_without_outcome")).alias("to_date_low_usd"),
        # Estimate: the known share is float64; the quotient is shown with 12 places like every other.
        pl.when(enough).then(to_date * pl.col("known_share").cast(MONEY)).alias("expected_usd"),
        (pl.col("n_unresolved") / n_settled).alias("unresolved_share"),
        (1 - pl.col("n_unresolved") / n_settled).alias("outcome_coverage"),
        (pl.col("n_self_declared") / successes.replace(0, None)).alias("self_declared_share"),
    ).drop("unit_cost_usd", "n_unresolved", "n_self_declared")


def _estimates(settled: pl.DataFrame, by: Sequence[str], chance: np.random.Generator | None) -> pl.DataFrame:
    """Return the interval of each slice's settled figure and what its dearest runs weigh. Float64: estimates."""
    schema: dict[str, pl.DataType] = {
        **{name: settled.schema[name] for name in by},
        **dict.fromkeys(("low", "high"), pl.Float64()),
        **dict.fromkeys(("method", "clusters"), pl.String()),
        "n_clusters": pl.Int64(),
        **dict.fromkeys(("design_effect", "tail_share", "winsorised_usd"), pl.Float64()),
    }
    found = []
    for values, slice_ in settled.sort("tenant", "run_id").group_by(list(by), maintain_order=True):
        cost = slice_["unit_cost_usd"].fill_null(0).cast(pl.Float64).to_numpy()
        won = slice_["succeeded"].cast(pl.Float64).to_numpy()
        level, codes = _clusters(slice_)
        interval = ratio_interval(cost, won, codes, chance=chance or np.random.default_rng(SEED))
        tail, winsorised = _tail(cost, float(won.sum()))
        bounds = (interval.low, interval.high, interval.method, level, interval.n_clusters, interval.design_effect)
        found.append((*values, *bounds, tail, winsorised))
    return pl.DataFrame(found, schema=schema, orient="row")


def _clusters(runs: pl.DataFrame) -> tuple[str, "np.ndarray[tuple[int], np.dtype[np.int64]]"]:
    """Return the highest level at which runs fall into two groups or more, and each run's group."""
    for level, column in _CLUSTER_LEVELS.items():
        if runs[column].drop_nulls().n_unique() > 1:
            group = pl.coalesce(pl.lit("=") + pl.col(column), "run_id")
            return level, runs.select(group.rank("dense").cast(pl.Int64) - 1).to_series().to_numpy()
    return "run", np.arange(runs.height)


def _tail(cost: "np.ndarray[tuple[int], np.dtype[np.float64]]", successes: float) -> tuple[float | None, float | None]:
    """Return the share of cost in the dearest 1% of runs, and cost per success with those runs cut to the 99th."""
    if not cost.sum() or not successes:
        return None, None
    ordered = np.sort(cost)
    n_tail = max(1, len(ordered) // 100)
    cut = np.minimum(ordered, ordered[-n_tail - 1] if len(ordered) > n_tail else ordered[-1])
    return float(ordered[-n_tail:].sum() / ordered.sum()), float(cut.sum() / successes)


def _caveats() -> pl.Expr:
    sentences = {
        "no success yet": pl.col("successes") == 0,
        "nothing settled yet": pl.col("n_settled") == 0,
        f"fewer than {FEW_SUCCESSES} successes: at least, no comparison": pl.col("settled_successes").is_between(
            1, FEW_SUCCESSES - 1
        ),
        "unpriced usage: reads at least": pl.col("priced_share") < PRICED_SHARE_FLOOR,
        "dear runs: may be too low on the high side": pl.col("tail_share") > TAIL_SHARE_CEILING,
        "self-declared": pl.col("self_declared_share") == 1,
    }
    return pl.concat_str(
        [pl.when(holds.fill_null(value=False)).then(pl.lit(text)) for text, holds in sentences.items()],
        separator="; ",
        ignore_nulls=True,
    )
