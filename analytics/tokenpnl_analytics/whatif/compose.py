"""Several scenarios on one frozen baseline: each alone, all together in the printed order, and what that rests on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

import numpy as np
import polars as pl

from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.rules.scenarios import ORDER, Scenario, in_order
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.costs import by_run, compared, cost_usd, saving_usd
from tokenpnl_analytics.whatif.families.registry import replayed
from tokenpnl_analytics.whatif.measure import MARGIN, SEED, Scope, differs, measured, runs_meant
from tokenpnl_analytics.whatif.replay import Replayed, begun, ends
from tokenpnl_analytics.whatif.resampling.halves import Winner, score_winner
from tokenpnl_analytics.whatif.resampling.replicates import Figure, paired_replicates
from tokenpnl_analytics.whatif.resampling.simultaneous import simultaneous_intervals
from tokenpnl_analytics.whatif.result import Estimate, Evidence, Result

COMBINED = "combined"
KEEP = "keep the present"
ORDER_WORDS = ", then ".join(step for step, _ in ORDER)
_WEAKEST = (
    *(Evidence.NOT_IDENTIFIABLE, Evidence.BOUNDED, Evidence.ESTIMATED, Evidence.ASSUMED, Evidence.RECOMPUTED),
    Evidence.VERIFIED,
)
_Schema: TypeAlias = Mapping[str, pl.DataType | type[pl.DataType]]
_TORNADO: _Schema = {
    "scenario": pl.String,
    "assumption": pl.String,
    **dict.fromkeys(("low_usd", "stated_usd", "high_usd"), pl.Float64),
}


@dataclass(frozen=True)
class Comparison:
    """What a scenario file comes to.

    Attributes:
        results: one per scenario, alone on the baseline, in the order of the file.
        combined: all that were not refused, together; None: not asked for, or fewer than two.
        measured: what families measured on the traffic, by scenario and name.
        waterfall: a row per step of the composition, in order: `scenario, family, step` (cache, context, ...),
            `saving_usd` (marginal: given all steps before it), `after_usd` (what is left); the savings sum to the
            combined saving exactly. Empty without a combination.
        tornado: a row per assumption with a range: `scenario, assumption, low_usd, stated_usd, high_usd` (float64): the
            saving (combined where there is one, else of the scenario alone) with this assumption at either end and the
            others as stated; the widest first.
        simultaneous: the saving of each result, in their order, with intervals that hold for all at once; empty with
            one scenario. A refused one has no value.
        winner: the scenario that saved most on one half of the clusters, scored again on the other half.
        frontier: cost against success, a row per scenario and one for keeping the present model: `scenario`,
            `usd_per_run`, `success_share`, `success_low`, `success_high` (0 and 1 where nobody knows), `n`.
    """

    results: tuple[Result, ...]
    combined: Result | None
    measured: dict[str, dict[str, pl.DataFrame]] = field(repr=False)
    waterfall: pl.DataFrame = field(repr=False)
    tornado: pl.DataFrame = field(repr=False)
    simultaneous: tuple[Estimate, ...]
    winner: tuple[str, Winner] | None
    frontier: pl.DataFrame = field(repr=False)


def compared_scenarios(
    baseline: Baseline, scenarios: Sequence[Scenario], *, combine: bool = True, margin: float = MARGIN
) -> Comparison:
    """Return every scenario alone and, if wanted, all together.

    Args:
        baseline: the frozen traffic.
        scenarios: with distinct names.
        combine: also replay those that were not refused one after the other, in the order of `ORDER`.
        margin: loss of the success share that would be too much.
    """
    start = begun(baseline)
    alone = {one.name: replayed(baseline, start, one) for one in scenarios}
    results = tuple(
        measured(baseline, alone[one.name], Scope(one.name, one.family, one.where.expr(), margin)) for one in scenarios
    )
    usable = [one for one, result in zip(scenarios, results, strict=True) if result.saving_usd is not None]
    combined: Result | None = None
    steps: tuple[Replayed, ...] = ()
    waterfall = _waterfall(baseline, (), ())
    scopes = [one.where.expr() for one in scenarios]
    if combine and len(usable) > 1:
        ordered = in_order(usable)
        steps = _steps(baseline, ordered)
        waterfall = _waterfall(baseline, ordered, steps)
        scopes.append(pl.any_horizontal([one.where.expr() for one in ordered]))
        combined = measured(baseline, _together(ordered, steps), Scope(COMBINED, COMBINED, scopes[-1], margin))
    tornado = _tornado(baseline, waterfall, steps) if combined else _tornado_alone(usable, alone, results)
    simultaneous, winner = _tried(baseline, [one.name for one in usable], [alone[one.name] for one in usable])
    at_once = tuple(simultaneous.get(one.name, result.saving) for one, result in zip(scenarios, results, strict=True))
    return Comparison(
        results=results,
        combined=combined,
        measured={name: dict(found.measured) for name, found in alone.items() if found.measured},
        waterfall=waterfall,
        tornado=tornado,
        simultaneous=at_once if simultaneous else (),
        winner=winner,
        frontier=_frontier(baseline, (*results, *([combined] if combined else [])), scopes),
    )


def weekly(baseline: Baseline, scenario: Scenario, *, weeks: int = 4) -> pl.DataFrame:
    """Return what the scenario would have saved in each of the last weeks of the window: would it have held?

    Args:
        baseline: the frozen traffic.
        scenario: what to replay on each week alone.
        weeks: seven days each, back from the end of the window; the last of them ends with it.

    Returns:
        `week_from`, `n_calls` (attempts of the week), `n_changed`, `before_usd`, `saving_usd` (Decimal; NULL: refused
        that week), `saving_share` (float64, a ratio of sums), `refused_because`; oldest first.
    """
    found = []
    for back in range(weeks, 0, -1):
        first = baseline.until - timedelta(days=7 * back)
        if first < baseline.since:
            continue
        found.append(_week(baseline, scenario, first))
    schema: _Schema = {
        "week_from": pl.Datetime("ns", "UTC"),
        "n_calls": pl.Int64,
        "n_changed": pl.Int64,
        "before_usd": MONEY,
        "saving_usd": MONEY,
        "saving_share": pl.Float64,
        "refused_because": pl.String,
    }
    return pl.DataFrame(found, schema=schema, orient="row")


def _week(baseline: Baseline, scenario: Scenario, first: datetime) -> tuple[object, ...]:
    inside = (pl.col("started_at") >= first) & (pl.col("started_at") < first + timedelta(days=7))
    week = baseline.restricted(inside, inside, window=(first, first + timedelta(days=7)))
    made = replayed(week, begun(week), scenario)
    before = cost_usd(week.attempts)
    if made.refused_because:
        return first, week.attempts.height, 0, before, None, None, made.refused_because
    saving = saving_usd(compared(week, [made]))
    share = float(saving) / float(before) if before else None
    return first, week.attempts.height, made.attempts.filter(differs()).height, before, saving, share, None


def _steps(baseline: Baseline, ordered: Sequence[Scenario]) -> tuple[Replayed, ...]:
    """Return the frame after each step, each started from the one before; cards accumulate."""
    frame = begun(baseline)
    cards: Mapping[str, RateCard] = {}
    steps = []
    for one in ordered:
        made = replayed(replace(baseline, cards=cards), frame, one)
        # A step that finds nothing left to change (the cache answered it all) leaves the frame as it was.
        frame, cards = made.attempts, {**cards, **made.cards}
        steps.append(replace(made, cards=cards))
    return tuple(steps)


def _together(ordered: Sequence[Scenario], steps: Sequence[Replayed]) -> Replayed:
    """Return the last frame with the weakest evidence of all steps, and all that they assume."""
    success = [step.success_evidence for step in steps]
    unchanged = all(step.success is not None and step.success.value == step.success.low == 0 for step in steps)
    named = list(zip(ordered, steps, strict=True))
    skipped = [f"{one.name}: nothing left to change ({step.refused_because})." for one, step in named
               if step.refused_because]  # fmt: skip
    return Replayed(
        attempts=steps[-1].attempts,
        evidence=_weakest([step.evidence for step in steps if not step.refused_because]),
        success_evidence=_weakest(success) if unchanged else Evidence.NOT_IDENTIFIABLE,
        success=steps[0].success if unchanged else None,
        assumptions=_once(step.assumptions for step in steps),
        falsified_by=_once(step.falsified_by for step in steps),
        to_log=_once(step.to_log for step in steps),
        caveats=(f"Replayed in this order: {ORDER_WORDS}.", *skipped),
        cards=steps[-1].cards,
    )


def _weakest(words: Sequence[Evidence]) -> Evidence:
    return min(words, key=_WEAKEST.index, default=Evidence.RECOMPUTED)


def _once(parts: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sentence for part in parts for sentence in part))


def _waterfall(baseline: Baseline, ordered: Sequence[Scenario], steps: Sequence[Replayed]) -> pl.DataFrame:
    schema: _Schema = {
        "scenario": pl.String,
        "family": pl.String,
        "step": pl.String,
        "saving_usd": MONEY,
        "after_usd": MONEY,
    }
    if not steps:
        return pl.DataFrame(schema=schema)
    costs = compared(baseline, steps)
    names = ["before_usd", *(f"after_{arm}_usd" for arm in range(len(steps)))]
    # A cost that no step before the last knows is booked where it is known again, so that the steps add up to the
    # combined saving, which is of attempts known at first and at last.
    costs = costs.with_columns(
        (pl.col(names[0]).is_not_null() & pl.col(names[-1]).is_not_null()).alias("known"),
        *(pl.coalesce(reversed(names[: place + 1])).alias(name) for place, name in enumerate(names)),
    )
    total = cost_usd(baseline.attempts)
    saved = [saving_usd(costs, arm) for arm in range(len(steps))]
    place = {family.value: step for step, families in ORDER for family in families}
    rows = [
        (one.name, one.family, place[one.family], saved[k] - (saved[k - 1] if k else 0), total - saved[k])
        for k, one in enumerate(ordered)
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _tornado(baseline: Baseline, waterfall: pl.DataFrame, steps: Sequence[Replayed]) -> pl.DataFrame:
    """Return the combined saving with one assumption of one step at its ends, the other steps as they are."""
    whole = float(waterfall["saving_usd"].sum())
    before = (begun(baseline), *(step.attempts for step in steps))
    rows = []
    for name, start, step in zip(waterfall["scenario"], before, steps, strict=False):
        if not step.saving_by_assumption:
            continue
        # Ends know the price of calls that another step leaves unpriced, so they count from the step's own saving.
        stated, _ = ends(start, step.attempts, step.attempts, baseline.card, step.cards)
        rows += [
            (name, assumption, whole + low - stated, whole, whole + high - stated)
            for assumption, (low, high) in step.saving_by_assumption.items()
        ]
    return _widest_first(rows)


def _tornado_alone(usable: Sequence[Scenario], alone: dict[str, Replayed], results: Sequence[Result]) -> pl.DataFrame:
    stated = {result.name: float(result.saving_usd) for result in results if result.saving_usd is not None}
    return _widest_first([
        (one.name, assumption, low, stated[one.name], high)
        for one in usable
        for assumption, (low, high) in alone[one.name].saving_by_assumption.items()
    ])  # fmt: skip


def _widest_first(rows: Sequence[tuple[object, ...]]) -> pl.DataFrame:
    # Fewer tokens can cost more (a prompt falls under the minimum of its cache), so that neither end is the best.
    frame = pl.DataFrame(rows, schema=_TORNADO, orient="row").with_columns(
        pl.min_horizontal("low_usd", "stated_usd").alias("low_usd"),
        pl.max_horizontal("high_usd", "stated_usd").alias("high_usd"),
    )
    width = pl.col("high_usd") - pl.col("low_usd")
    return frame.sort(width, "scenario", "assumption", descending=[True, False, False])


def _tried(
    baseline: Baseline, names: Sequence[str], arms: Sequence[Replayed]
) -> tuple[dict[str, Estimate], tuple[str, Winner] | None]:
    """Return intervals that hold for all scenarios at once, and the winner on a half that had no say."""
    if len(arms) < 2:
        return {}, None
    costs, clusters = by_run(compared(baseline, arms), len(arms))
    nothing = np.zeros_like(costs)
    made = paired_replicates(costs, nothing, clusters, chance=np.random.default_rng(SEED))
    found = simultaneous_intervals(made, Figure.SAVING_USD, range(1, len(arms) + 1))
    winner = score_winner(costs, nothing, clusters, chance=np.random.default_rng(SEED))
    named = None if winner is None else (names[winner.arm - 1], winner)
    return dict(zip(names, found, strict=True)), named


def _frontier(baseline: Baseline, results: Sequence[Result], scopes: Sequence[pl.Expr]) -> pl.DataFrame:
    """Return cost and success of all settled runs; a scenario moves the success of the runs that it may touch alone."""
    runs = baseline.runs.filter("settled")
    n, n_runs = runs.height, baseline.runs.height
    present = int(runs["succeeded"].sum()) / n if n else None
    rows: list[tuple[object, ...]] = [(KEEP, _per(cost_usd(baseline.attempts), n_runs), present, present, present, n)]
    for result, meant in zip(results, scopes, strict=True):
        rows.append((result.name, _per(result.after_usd, n_runs), *_moved(baseline, result.success, meant), n))
    schema: _Schema = {
        "scenario": pl.String,
        **dict.fromkeys(("usd_per_run", "success_share", "success_low", "success_high"), pl.Float64),
        "n": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _moved(baseline: Baseline, success: Estimate, meant: pl.Expr) -> tuple[float | None, float | None, float | None]:
    """Return the success share of all settled runs after the change, and its limits; where unknown, all or none."""
    runs = baseline.runs.filter("settled")
    if runs.is_empty():
        return None, None, None
    touched = runs_meant(baseline, meant)
    share, part = int(runs["succeeded"].sum()) / runs.height, touched.height / runs.height
    won = int(touched["succeeded"].sum()) / runs.height
    low = share - won if success.low is None else max(0.0, share + part * success.low)
    high = share - won + part if success.high is None else min(1.0, share + part * success.high)
    return None if success.value is None else share + part * success.value, low, high


def _per(usd: Decimal | None, n: int) -> float | None:
    return None if usd is None or n == 0 else float(usd) / n
