"""`route`: rules name the model of each call. Cost follows from tokens, success from logged propensities or not at all.

A call that moves to another model leaves a warm prompt cache behind: it reads its prefix cold unless the new model has
just seen it.
"""

import numpy as np
import polars as pl

from tokenpnl_analytics.rules.line_match import fitting
from tokenpnl_analytics.rules.scenario_families import Route, RouteRule
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.families.cold_cache import COLD_WORDS, Warmth, cold_after_move
from tokenpnl_analytics.whatif.families.served_by import ratios_in_force, seller_of, served_by, token_ratios
from tokenpnl_analytics.whatif.off_policy.evaluation import OffPolicy, evaluate
from tokenpnl_analytics.whatif.off_policy.logged import TARGET
from tokenpnl_analytics.whatif.replay import Replayed, ends, refused, touched
from tokenpnl_analytics.whatif.result import Estimate, Evidence

_USED = pl.col("input_total_tokens").is_not_null() & pl.col("output_total_tokens").is_not_null()
_SEED = 20261124
_CONFOUNDED = (
    "Nobody logged why a model was chosen: hard calls may have gone to one of them, so their successes cannot be "
    "compared."
)
_TO_LOG = (
    "Which model the router chose, with which probability and among which (call.route), one draw a run.",
    "The outcome of each run.",
)


def replay(baseline: Baseline, frame: pl.DataFrame, scenario: Route) -> Replayed:
    """Return the calls as the first rule that fits would have sent them; a call that none fits keeps its model."""
    meant = touched(scenario.where) & _USED
    rows = frame.filter(meant & _place(scenario.rules).is_not_null())
    if rows.is_empty():
        return refused(frame, "no call with known tokens fits a rule; widen `where` or `when`", to_log=_TO_LOG)

    def at(end: str, warmth: Warmth = Warmth.RULES) -> pl.DataFrame:
        moved = frame.with_columns(pl.when(meant).then(_place(scenario.rules)).alias("rule"))
        for place, rule in enumerate(scenario.rules):
            mine = (pl.col("rule") == place).fill_null(value=False)
            ratios = ratios_in_force(token_ratios(baseline.attempts, rows, rule.to.model), scenario.tokens)
            moved = served_by(moved, mine, rule.to, seller_of(rule.to, baseline.attempts), ratios, at=end)
        switched = pl.col("rule").is_not_null() & pl.col("model").ne_missing(pl.col("was"))
        return (
            cold_after_move(frame, moved, warmth)
            .with_columns(frame["model"].alias("was"))
            .with_columns(pl.when(switched).then(pl.lit(scenario.name)).otherwise("touched_by").alias("touched_by"))
            .drop("rule", "was")
        )

    range_ = ends(frame, at("high", Warmth.COLD), at("low", Warmth.WARM), baseline.card)
    after = at("ratio")
    found = _off_policy(baseline, frame, scenario)
    success = _of_all(found, baseline) if found else None
    evidence = found.evidence if found else Evidence.NOT_IDENTIFIABLE
    if after["model"].equals(frame["model"]):
        success, evidence = Estimate(0.0, 0.0, 0.0, baseline.runs.height, "no call moves"), Evidence.RECOMPUTED
    return Replayed(
        after,
        Evidence.ASSUMED,
        evidence,
        success=success,
        saving_range=range_,
        saving_by_assumption={"tokens of the models and warmth of their prompt caches": range_},
        assumptions=(
            "The other model needs the tokens that were measured, stated or assumed for it.",
            COLD_WORDS,
        ),
        falsified_by=("Token counts or cached shares of the other model outside the range.",),
        to_log=found.to_log if found else _TO_LOG,
        caveats=found.refused_because if found else (_CONFOUNDED,),
    )


def _place(rules: tuple[RouteRule, ...]) -> pl.Expr:
    """Return the place of the first rule that fits a row, from 0; NULL where none does."""
    return pl.coalesce(pl.when(_fits(rule)).then(pl.lit(place, pl.Int64)) for place, rule in enumerate(rules))


def _fits(rule: RouteRule) -> pl.Expr:
    conditions = [
        fitting(pl.col("route_inputs").str.json_path_match(f'$["{name}"]'), patterns)
        for name, patterns in rule.inputs.items()
    ]
    return pl.all_horizontal(rule.when.expr(), *conditions)


def routed_runs(baseline: Baseline, frame: pl.DataFrame, scenario: Route) -> pl.DataFrame | None:
    """Return the runs whose route was logged as one draw, with the arm that the rules would take.

    Returns:
        `route_arm, reward, cost, cluster, route_propensity, route_candidates, stratum` (the inputs that rules look at)
        and `target:<arm>`, as `off_policy.evaluate` wants them; None where no run logged its route, or one run took
        several arms: then nobody knows whether each call was a draw of its own.
    """
    routed = frame.filter(touched(scenario.where) & pl.col("route_arm").is_not_null() & pl.col("run_id").is_not_null())
    if routed.is_empty() or routed.group_by("run_id").agg(pl.col("route_arm").n_unique())["route_arm"].max() != 1:
        return None
    arm_of = dict(
        routed.group_by("model", "route_arm")
        .len()
        .sort("len", "model")
        .select("model", "route_arm")
        .drop_nulls()
        .iter_rows()
    )
    target = pl.lit(None, pl.String)
    for place, rule in reversed(list(enumerate(scenario.rules))):
        wanted = arm_of.get(rule.to.model, rule.to.model)
        target = pl.when(_place(scenario.rules) == place).then(pl.lit(wanted)).otherwise(target)
    looked_at = sorted({name for rule in scenario.rules for name in rule.inputs})
    inputs = [pl.col("route_inputs").str.json_path_match(f'$["{name}"]').fill_null("(none)") for name in looked_at]
    first = (
        routed.sort("started_at", "attempt_id")
        .with_columns(
            pl.coalesce(target, "route_arm").alias("wanted"),
            (pl.concat_str(inputs, separator=" ") if inputs else pl.lit("all")).alias("stratum"),
        )
        .group_by("run_id", maintain_order=True)
        .first()
        .select("run_id", "route_arm", "route_propensity", "route_candidates", "stratum", "wanted")
    )
    known = baseline.runs.select(
        "run_id",
        "cluster",
        pl.when(pl.col("outcome").is_not_null())
        .then((pl.col("outcome") == "success").cast(pl.Float64))
        .alias("reward"),
        pl.col("cost_usd").cast(pl.Float64).alias("cost"),
    )
    runs = first.join(known, on="run_id", how="inner", maintain_order="left")
    arms = pl.concat([runs["route_arm"], runs["wanted"]]).unique().sort()
    return runs.with_columns((pl.col("wanted") == arm).cast(pl.Float64).alias(f"{TARGET}{arm}") for arm in arms)


def _off_policy(baseline: Baseline, frame: pl.DataFrame, scenario: Route) -> OffPolicy | None:
    runs = routed_runs(baseline, frame, scenario)
    if runs is None or runs.is_empty():
        return None
    return evaluate(runs, chance=np.random.default_rng(_SEED))


def _of_all(found: OffPolicy, baseline: Baseline) -> Estimate:
    """Return the change of success over all runs of the baseline: those that were never routed do not change."""
    change = found.success_change
    share = min(1.0, change.n / baseline.runs.height)
    value, low, high = (None if x is None else x * share for x in (change.value, change.low, change.high))
    return Estimate(value, low, high, change.n, change.method, change.ess, change.refused_because)
