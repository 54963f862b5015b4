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
from tokenpnl_analytics.whatif.families.served_by import (
    TOKENS_KNOWN,
    ratios_in_force,
    seller_of,
    served_by,
    token_ratios,
)
from tokenpnl_analytics.whatif.off_policy.evaluation import OffPolicy, Question, evaluate
from tokenpnl_analytics.whatif.off_policy.logged import with_target
from tokenpnl_analytics.whatif.off_policy.sensitivity import WORST_ODDS
from tokenpnl_analytics.whatif.replay import Replayed, ends, refused, touched
from tokenpnl_analytics.whatif.result import Estimate, Evidence
from tokenpnl_analytics.whatif.routing.logged_routes import runs_of_routes, with_inputs

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
    meant = touched(scenario.where) & TOKENS_KNOWN
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
    success = _of_meant(found, baseline, scenario) if found else None
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
        caveats=_caveats(found) if found else (_CONFOUNDED,),
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
    """Return the runs whose route was logged, with the arm that the rules would take.

    Returns:
        `route_arm, reward, cost, cluster, route_propensity, route_candidates, route_inputs, stratum` (the inputs that
        rules look at) and `target:<arm>`, as `off_policy.evaluate` wants them, one row a run (see `runs_of_routes`);
        None where no run logged its route.
    """
    routed = frame.filter(touched(scenario.where) & pl.col("route_arm").is_not_null() & pl.col("run_id").is_not_null())
    if routed.is_empty():
        return None
    runs = runs_of_routes(
        routed.with_columns(_wanted(routed, scenario).alias("wanted"), _stratum(scenario).alias("stratum"))
    )
    known = baseline.runs.select(
        "tenant",
        "run_id",
        "cluster",
        pl.when(pl.col("outcome").is_not_null())
        .then((pl.col("outcome") == "success").cast(pl.Float64))
        .alias("reward"),
        pl.col("cost_usd").cast(pl.Float64).alias("cost"),
    )
    return with_target(runs.join(known, on=["tenant", "run_id"], how="inner", maintain_order="left"), "wanted")


def _wanted(routed: pl.DataFrame, scenario: Route) -> pl.Expr:
    """Return the arm that the rules take: the one by which the log calls their model; without a rule the one taken."""
    named = routed.group_by("model", "route_arm").len().sort("len", "model", "route_arm")
    arm_of = dict(named.select("model", "route_arm").drop_nulls().iter_rows())
    taken = [
        pl.when(_place(scenario.rules) == place).then(pl.lit(arm_of.get(rule.to.model, rule.to.model)))
        for place, rule in enumerate(scenario.rules)
    ]
    return pl.coalesce(*taken, "route_arm")


def _stratum(scenario: Route) -> pl.Expr:
    looked_at = sorted({name for rule in scenario.rules for name in rule.inputs})
    inputs = [pl.col("route_inputs").str.json_path_match(f'$["{name}"]').fill_null("(none)") for name in looked_at]
    return pl.concat_str(inputs, separator=" ") if inputs else pl.lit("all")


def _off_policy(baseline: Baseline, frame: pl.DataFrame, scenario: Route) -> OffPolicy | None:
    """Return what the log says of the rules: by logged propensities, else adjusted for logged inputs."""
    runs = routed_runs(baseline, frame, scenario)
    if runs is None or runs.is_empty():
        return None
    inputs: tuple[str, ...] = ()
    if runs["route_propensity"].is_null().all():
        runs, inputs = with_inputs(runs)
    return evaluate(runs, Question(inputs=inputs), chance=np.random.default_rng(_SEED))


def _caveats(found: OffPolicy) -> tuple[str, ...]:
    """Return why there is no estimate, or how strong an input must be that nobody logged to take its sign."""
    if found.sensitivity is None:
        return found.refused_because
    lost, e_value = found.sensitivity.sign_lost_at, found.sensitivity.e_value
    says = (
        "the sign of the change of success is not certain even without one"
        if lost == 1
        else f"takes the sign of the change of success if it multiplies the odds of a choice by {lost:.2f} (Lambda)"
        if lost is not None
        else f"takes the sign of the change of success only beyond odds of {WORST_ODDS:.0f} (Lambda)"
    )
    strength = "" if e_value is None else f"; E-value {e_value:.2f}"
    return (f"Adjusted for the inputs that the router logged. An input that nobody logged: {says}{strength}.",)


def _of_meant(found: OffPolicy, baseline: Baseline, scenario: Route) -> Estimate:
    """Return the change of success over the runs that the rules may touch: those never routed do not change."""
    change = found.success_change
    touching = baseline.attempts.filter(scenario.where.expr()).select("tenant", "run_id").unique()
    meant = baseline.runs.join(touching, on=["tenant", "run_id"], how="semi").height
    share = min(1.0, change.n / meant)
    value, low, high = (None if x is None else x * share for x in (change.value, change.low, change.high))
    return Estimate(value, low, high, change.n, change.method, change.ess, change.refused_because)
