"""Cost per successful outcome: the one derivation of the figure, settled, to date and expected.

A cohort figure, a ratio of sums: the runs that started in the period, all their cost, over their successes as known at
`as_of`. Failed runs are paid for by the successes. Of sampled traces the unit is the trace: theta = sum(w c) / sum(w y)
over the sampled runs alone, with w the adjusted count.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from tokenpnl.model import CostCategory, Flag, OutcomeSource, OutcomeStatus
from tokenpnl_analytics.frames import MONEY, known_sum
from tokenpnl_analytics.unit_cost.delays import known_share, outcome_windows
from tokenpnl_analytics.unit_cost.intervals import FEW_SUCCESSES, Interval, heavy_tailed, ratio_interval

PRODUCTION = ("production", "prod", None)
"""Environments that a unit cost covers by default; None: the emitter did not say."""

RUN_DIMENSIONS = ("tenant", "workflow", "customer_id", "feature", "release", "environment", "service_name")
"""Columns by which a cost per success exists; the period of its start and the whole are dimensions of a run too."""

PRICED_SHARE_FLOOR = 0.98
KNOWN_SHARE_FLOOR = 0.5
SEED = 20261124

_MADE_DIMENSIONS = ("period", "whole")
_RUN = ["tenant", "run_id"]
_PARTS = ("unit_cost_usd", "direct_usd", "inline_evaluation_usd", "capacity_share_usd", "offline_evaluation_usd")
_ZERO = pl.lit(0, MONEY)
_SUCCEEDED = pl.col("outcome").eq_missing(OutcomeStatus.SUCCESS.value)
_WON = pl.col("weight").filter("succeeded").sum()
_TOO_FEW = pl.col("settled_successes").is_between(1, FEW_SUCCESSES - 1)
CLUSTER_LEVELS = {"customer": "customer_id", "conversation": "session_id", "task": "business_id"}


def usd_per_success(cost_usd: pl.Expr, successes: pl.Expr) -> pl.Expr:
    """Return cost over successes, Decimal with 12 places, half-even; NULL when nothing succeeded."""
    return cost_usd / pl.when(successes > 0).then(successes)


def cohort(
    runs: pl.DataFrame,
    *,
    as_of: datetime,
    windows: Mapping[str, timedelta] | None = None,
    environments: Sequence[str | None] | None = PRODUCTION,
    capacity: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return the runs that a unit cost is about, with what is known about them at `as_of`.

    Args:
        runs: table `runs`.
        as_of: aware; outcomes that became true later are not known yet; runs that started later are left out.
        windows: stated outcome windows by workflow or pattern, else the 95th percentile of outcome delay, corrected for
            delays that the history is too young to show.
        environments: environments to keep; None keeps all.
        capacity: result of `capacity_of_runs`: allocated GPU and commitment, and the share of what was idle.

    Returns:
        The runs with `direct_usd` (tokens, fees, allocated capacity), `inline_evaluation_usd`, `capacity_share_usd`,
        `unit_cost_usd` (their sum; offline evaluation stays outside), `succeeded`, `settled`, `window_hours` (NULL: no
        outcome yet), `window_young` (too short perhaps), `known_share`, `weight` (Decimal; NULL: sampled, nobody
        knows how often).
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
        _with_capacity(known, capacity)
        .join(
            outcome_windows(known, windows, as_of=as_of),
            on="workflow",
            how="left",
            nulls_equal=True,
            maintain_order="left",
        )
        .join(known_share(known, as_of=as_of), on=["tenant", "run_id"], how="left", maintain_order="left")
        .with_columns(
            (pl.col("paid_usd") - inline - offline).alias("direct_usd"),
            inline.alias("inline_evaluation_usd"),
            offline.alias("offline_evaluation_usd"),
            (pl.col("paid_usd") - offline + pl.col("capacity_share_usd")).alias("unit_cost_usd"),
            _weight().alias("weight"),
            _SUCCEEDED.alias("succeeded"),
            (age >= pl.col("window_hours")).fill_null(value=False).alias("settled"),
        )
        .drop("paid_usd")
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
        `direct_usd + inline_evaluation_usd + capacity_share_usd`; `offline_evaluation_usd` (per success too, beside it,
        never in it); `at_least_usd` (set where the figure may be read as a floor only: below ten settled successes the
        lower limit, below 98% priced the figure itself); `low`, `high`
        (95%, float64, of the settled figure; `high` NULL: no upper bound), `fieller_low`, `fieller_high`, `method`,
        `clusters`, `n_clusters`, `design_effect`; `to_date_usd` with the assumption-free `to_date_low_usd`;
        `expected_usd` (estimated; NULL below half known); `n_runs`, `n_settled`, `successes`, `settled_successes`,
        `n_without_outcome`, `unresolved_share`, `window_days`, `known_share`, `priced_share`, `outcome_coverage`,
        `self_declared_share`, `tail_share`, `winsorised_usd`, `estimated` (sampled runs: weighted totals), `caveats`
        (sentences, "; " between). Counts are of runs as seen; with sampled runs every sum of money is weighted, and
        where a weight is unknown every figure is withheld.

    Raises:
        ValueError: when a dimension is not one of a run.
    """
    wrong = set(by) - {*RUN_DIMENSIONS, *_MADE_DIMENSIONS}
    if wrong:
        raise ValueError(f"a unit cost exists by {RUN_DIMENSIONS}, not by {sorted(wrong)}; use contributions()")
    figures = _ratios(_sums(runs, by))
    estimates = _estimates(runs.filter("settled"), by, chance)
    joined = figures.join(estimates, on=list(by), how="left", nulls_equal=True).sort(list(by), nulls_last=True)
    return joined.with_columns(_floor().alias("at_least_usd"), _caveats().alias("caveats"))


def direct_per_success() -> pl.Expr:
    """Return, over a result of `cohort`, the direct cost per success to date; NULL without a success or a weight."""
    known = ~pl.col("weight").is_null().any()
    cost = known_sum(pl.col("direct_usd") * pl.col("weight"))
    return pl.when(known).then(usd_per_success(cost, _WON))


def contributions(line_items: pl.DataFrame, runs: pl.DataFrame, by: str) -> pl.DataFrame:
    """Return what each slice of cost contributes to its workflow's cost per success to date; slices add up to it.

    Args:
        line_items: table `line_items`, lines of allocated capacity among them where the cohort holds some.
        runs: result of `cohort`.
        by: any column of `line_items`, such as model or step; `hour` is the UTC hour of the line.

    Returns:
        `workflow`, the dimension, `component` (`usage`, or `capacity_share`: one row without a value of the
        dimension), `cost_usd`, `successes` of the whole workflow, `usd_per_success` (NULL: no success, or sampled at an
        unknown rate), sorted.
    """
    whole = runs.group_by("workflow").agg(
        pl.col("succeeded").sum().cast(pl.Int64).alias("successes"),
        _WON.alias("won"),
        known_sum(pl.col("capacity_share_usd") * pl.col("weight")).alias("idle_usd"),
    )
    if by == "hour":
        line_items = line_items.with_columns(pl.col("started_at").dt.truncate("1h").alias("hour"))
    offline = (pl.col("cost_category") == CostCategory.EVALUATION.value) & (pl.col("evaluation") == "offline")
    in_cohort = line_items.join(runs.select(*_RUN, "weight"), on=_RUN)
    usage = (
        in_cohort.filter(~offline.fill_null(value=False))
        .group_by("workflow", by)
        .agg(known_sum(pl.col("cost_usd") * pl.col("weight")).alias("cost_usd"))
        .with_columns(pl.lit("usage").alias("component"))
    )
    idle = whole.filter(pl.col("idle_usd") > 0).select(
        "workflow",
        pl.lit(None, usage.schema[by]).alias(by),
        pl.col("idle_usd").alias("cost_usd"),
        pl.lit("capacity_share").alias("component"),
    )
    return (
        pl.concat([usage, idle.select(usage.columns)])
        .join(whole, on="workflow", how="left", nulls_equal=True)
        .with_columns(usd_per_success(pl.col("cost_usd"), pl.col("won")).alias("usd_per_success"))
        .select("workflow", by, "component", "cost_usd", "successes", "usd_per_success")
        .sort("workflow", "component", by, descending=[False, True, False], nulls_last=True)
    )


def _with_capacity(runs: pl.DataFrame, capacity: pl.DataFrame | None) -> pl.DataFrame:
    """Add `paid_usd` (cost and allocated capacity) and `capacity_share_usd`, 0 where no pool served the run."""
    if capacity is None:
        return runs.with_columns(pl.col("cost_usd").alias("paid_usd"), _ZERO.alias("capacity_share_usd"))
    joined = runs.join(capacity, on=_RUN, how="left", maintain_order="left")
    # A run that pools alone served has no priced token: its cost is the capacity.
    paid = pl.when(pl.col("allocated_usd").is_not_null()).then(
        pl.col("cost_usd").fill_null(_ZERO) + pl.col("allocated_usd")
    )
    return joined.with_columns(
        pl.coalesce(paid, "cost_usd").alias("paid_usd"),
        pl.col("capacity_usd").fill_null(_ZERO).alias("capacity_share_usd"),
    ).drop("allocated_usd", "capacity_usd")


def _weight() -> pl.Expr:
    # An adjusted count is float64; as money's type it multiplies money without leaving it.
    known = ~pl.col("flags").fill_null("").str.contains(Flag.SAMPLING_UNKNOWN.value)
    return pl.when(known).then(pl.col("adjusted_count").fill_null(1.0).cast(MONEY))


def _sums(runs: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    settled, succeeded, weight = pl.col("settled"), pl.col("succeeded"), pl.col("weight")
    known = pl.col("n_attempts") - pl.col("n_usage_missing")
    return runs.group_by(list(by)).agg(
        pl.len().cast(pl.Int64).alias("n_runs"),
        settled.sum().cast(pl.Int64).alias("n_settled"),
        succeeded.sum().cast(pl.Int64).alias("successes"),
        (settled & succeeded).sum().cast(pl.Int64).alias("settled_successes"),
        pl.col("outcome").is_null().sum().cast(pl.Int64).alias("n_without_outcome"),
        (settled & pl.col("outcome").is_null()).sum().alias("n_unresolved"),
        (succeeded & (pl.col("outcome_source") == OutcomeSource.PROGRAM.value)).sum().alias("n_self_declared"),
        known_sum(pl.col("unit_cost_usd") * weight).alias("cost_usd"),
        *(known_sum((pl.col(part) * weight).filter(settled)) for part in _PARTS),
        _WON.alias("won"),
        weight.filter(settled & succeeded).sum().alias("settled_won"),
        (weight.filter(pl.col("outcome").is_null()).sum() + _WON).alias("won_at_most"),
        weight.is_null().any().alias("weightless"),
        (weight != 1).any().alias("estimated"),
        pl.col("known_share").mean(),
        (pl.col("window_hours").max() / 24).alias("window_days"),
        pl.col("window_young").any().alias("window_young"),
        (1 - pl.col("n_unpriced").sum() / known.clip(0).sum().replace(0, None)).alias("priced_share"),
    )


def _ratios(sums: pl.DataFrame) -> pl.DataFrame:
    known = ~pl.col("weightless")
    settled, inline, capacity, offline = (
        pl.when(known).then(usd_per_success(pl.col(part), pl.col("settled_won")))
        for part in ("unit_cost_usd", "inline_evaluation_usd", "capacity_share_usd", "offline_evaluation_usd")
    )
    to_date = pl.when(known).then(usd_per_success(pl.col("cost_usd"), pl.col("won")))
    least = pl.when(known).then(usd_per_success(pl.col("cost_usd"), pl.col("won_at_most")))
    enough = pl.col("known_share") >= KNOWN_SHARE_FLOOR
    n_settled = pl.col("n_settled").replace(0, None)
    return sums.with_columns(
        settled.alias("settled_usd"),
        # The last component is the rest of the sum, so that rounded quotients still add up to the figure.
        (settled - inline - capacity).alias("direct_usd"),
        inline.alias("inline_evaluation_usd"),
        capacity.alias("capacity_share_usd"),
        offline.alias("offline_evaluation_usd"),
        to_date.alias("to_date_usd"),
        least.alias("to_date_low_usd"),
        # Estimate: the known share is float64; the quotient is shown with 12 places like every other.
        pl.when(enough).then(to_date * pl.col("known_share").cast(MONEY)).alias("expected_usd"),
        (pl.col("n_unresolved") / n_settled).alias("unresolved_share"),
        (1 - pl.col("n_unresolved") / n_settled).alias("outcome_coverage"),
        (pl.col("n_self_declared") / pl.col("successes").replace(0, None)).alias("self_declared_share"),
    ).drop("unit_cost_usd", "n_unresolved", "n_self_declared", "won", "settled_won", "won_at_most")


def _estimates(settled: pl.DataFrame, by: Sequence[str], chance: np.random.Generator | None) -> pl.DataFrame:
    """Return the interval of each slice's settled figure and what its dearest runs weigh. Float64: estimates."""
    schema: dict[str, pl.DataType] = {
        **{name: settled.schema[name] for name in by},
        **dict.fromkeys(("low", "high", "fieller_low", "fieller_high"), pl.Float64()),
        **dict.fromkeys(("method", "clusters"), pl.String()),
        "n_clusters": pl.Int64(),
        **dict.fromkeys(("design_effect", "tail_share", "winsorised_usd"), pl.Float64()),
        "heavy_tailed": pl.Boolean(),
    }
    found = []
    for values, slice_ in settled.sort("tenant", "run_id").group_by(list(by), maintain_order=True):
        if slice_["weight"].null_count():
            continue
        weight = slice_["weight"].cast(pl.Float64).to_numpy()
        cost = slice_["unit_cost_usd"].fill_null(0).cast(pl.Float64).to_numpy() * weight
        won = slice_["succeeded"].cast(pl.Float64).to_numpy() * weight
        level, codes = _clusters(slice_)
        interval = ratio_interval(cost, won, codes, chance=chance or np.random.default_rng(SEED))
        tail, winsorised = _tail(cost, float(won.sum()))
        found.append((*values, *_bounds(interval, level), tail, winsorised, heavy_tailed(cost)))
    return pl.DataFrame(found, schema=schema, orient="row")


def _bounds(interval: Interval, level: str) -> tuple[float | str | None, ...]:
    fieller = interval.fieller or (None, None)
    known = interval.low, interval.high, *fieller
    return *known, interval.method, level, interval.n_clusters, interval.design_effect


def _clusters(runs: pl.DataFrame) -> tuple[str, "np.ndarray[tuple[int], np.dtype[np.int64]]"]:
    """Return the highest level at which runs fall into two groups or more, and each run's group."""
    for level, column in CLUSTER_LEVELS.items():
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


def _floor() -> pl.Expr:
    """Return what the settled figure is at least, where it may not be read as more than that."""
    lower = pl.when(_TOO_FEW).then(pl.col("low").cast(MONEY))
    priced = pl.when(pl.col("priced_share") < PRICED_SHARE_FLOOR).then(pl.col("settled_usd"))
    return pl.min_horizontal(lower, priced)


def _caveats() -> pl.Expr:
    silent = pl.col("n_without_outcome") == pl.col("n_runs")
    sentences = {
        "no outcome yet": silent,
        "no success yet": ~silent & (pl.col("successes") == 0),
        "nothing settled yet": ~silent & (pl.col("n_settled") == 0),
        "young history: the outcome window may be too short, the settled figure too high": pl.col("window_young"),
        "sampled at an unknown rate: withheld": pl.col("weightless"),
        f"fewer than {FEW_SUCCESSES} successes: at least, no comparison": _TOO_FEW,
        "sampled: estimated": pl.col("estimated") & ~pl.col("weightless"),
        "unpriced usage: reads at least": pl.col("priced_share") < PRICED_SHARE_FLOOR,
        "dear runs: may be too low on the high side": pl.col("heavy_tailed") & pl.col("tail_share").is_not_null(),
        "self-declared": pl.col("self_declared_share") == 1,
    }
    return pl.concat_str(
        [pl.when(holds.fill_null(value=False)).then(pl.lit(text)) for text, holds in sentences.items()],
        separator="; ",
        ignore_nulls=True,
    )
