"""`retry`: fewer attempts, a shorter time-out, other fallbacks, a breaker: what they spare, and lose at most."""

from datetime import timedelta

import polars as pl

from tokenpnl.model import AttemptReason
from tokenpnl_analytics.rules.scenario_families import Retry
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.families.served_by import ratios_in_force, seller_of, served_by, token_ratios
from tokenpnl_analytics.whatif.measure import runs_meant
from tokenpnl_analytics.whatif.replay import Replayed, ends, refused, touched
from tokenpnl_analytics.whatif.result import Estimate, Evidence
from tokenpnl_analytics.whatif.retries.chains import Ended, cases_of, linked_tries, tries_of
from tokenpnl_analytics.whatif.retries.hazards import hazards, reached
from tokenpnl_analytics.whatif.retries.limits import Breaker, fallback_order, limited, longer_timeout, spared_by_breaker

_TO_LOG = ("Every attempt with number, reason and error (tokenpnl.attempts), also those that failed.",)


def replay(baseline: Baseline, frame: pl.DataFrame, scenario: Retry) -> Replayed:
    """Return the frame without the attempts that the limits spare.

    Saved is what those attempts cost. A call that had its answer from one of them counts as lost at most, as something
    later may make up for it; so success is bounded. Limits hold within a call; `measured` counts hazards over the
    calls of re-runs of one business id within 24 hours: `hazards`, `hazards_by_error`, `hazards_after` (giving up and
    time-outs of the scenario compete), `reached` (share of chains answered within k tries, between its bounds, before
    and after), `reruns` (hazards of the cases themselves), and where fallbacks are named `fallbacks` (what is known of
    each as the first to be asked).
    """
    made = frame.with_row_index("row").with_columns(touched(scenario.where).alias("meant"))
    made = made.filter(pl.col("kept") & ~pl.col("added")).filter(pl.col("meant").any().over("call_key"))
    if made.is_empty():
        return refused(frame, "no call matches the scenario; widen `where`", to_log=_TO_LOG)
    tries = _stopped(tries_of(made), scenario)
    if (why := _refusal(tries, scenario)) is not None:
        return refused(frame, why, to_log=_TO_LOG)
    after = _applied(baseline, frame, tries, scenario)
    cheapest = after
    if scenario.timeout_ms is not None:
        # Whether the provider bills what it had generated until then is not known: all of it, or nothing.
        cut = frame.with_row_index("row").select(pl.col("row").is_in(tries.filter("cut")["row"].implode()))["row"]
        cheapest = after.with_columns((pl.col("kept") & ~cut).alias("kept"))
    range_ = ends(frame, after, cheapest, baseline.card)
    moved = bool(scenario.fallbacks)
    return Replayed(
        after,
        Evidence.ASSUMED,
        Evidence.NOT_IDENTIFIABLE if moved else Evidence.BOUNDED,
        success=None if moved else _loss(runs_meant(baseline, scenario.where.expr()), tries),
        saving_range=range_,
        assumptions=(
            "A call that loses the attempt which answered it has no answer; what a run makes up for is not counted.",
            "An attempt that a shorter time-out ends is billed in full.",
        ),
        falsified_by=("Calls that are answered although their attempts were cut.",),
        to_log=_TO_LOG,
        caveats=("More attempts than were ever made, and longer time-outs, are not identifiable.",),
        measured=_measured(baseline, made, tries, scenario),
    )


def _measured(baseline: Baseline, made: pl.DataFrame, tries: pl.DataFrame, scenario: Retry) -> dict[str, pl.DataFrame]:
    linked = linked_tries(made, baseline.runs).join(
        tries.select("row", "stopped", "cut"), on="row", maintain_order="left"
    )
    before, after = hazards(linked), hazards(limited(linked))
    both = [
        reached(found).with_columns(pl.lit(name).alias("limits"))
        for name, found in (("before", before), ("after", after))
    ]
    order = [target.model for target in scenario.fallbacks]
    return {
        **({"fallbacks": fallback_order(tries, order)} if order else {}),
        "hazards": before,
        "hazards_by_error": hazards(linked, by=["after"]),
        "hazards_after": after,
        "reached": pl.concat(both),
        "reruns": hazards(cases_of(baseline.runs)),
    }


def _stopped(tries: pl.DataFrame, scenario: Retry) -> pl.DataFrame:
    """Return the tries with `stopped` (no longer made) and `cut` (ended early by the time-out).

    A try has its number in its call, whichever of the call's tries are meant; only those are stopped or cut.
    """
    stopped = pl.lit(value=False)
    if scenario.max_attempts is not None:
        stopped = stopped | (pl.col("k") > scenario.max_attempts)
    if scenario.give_up_on:
        final = pl.col("error_type").is_in(list(scenario.give_up_on)).fill_null(value=False)
        stopped = stopped | (final.cast(pl.Int64).cum_sum().shift(1, fill_value=0).over("chain") > 0)
    if scenario.breaker is not None:
        breaker = Breaker(scenario.breaker.after_failures, timedelta(seconds=scenario.breaker.open_s))
        tries = spared_by_breaker(tries, breaker)
        stopped = stopped | pl.col("spared")
    limit = scenario.timeout_ms
    cut = pl.lit(value=False) if limit is None else (pl.col("latency_ms") > limit).fill_null(value=False)
    return tries.with_columns((pl.col("meant") & stopped).alias("stopped"), (pl.col("meant") & cut).alias("cut"))


def _refusal(tries: pl.DataFrame, scenario: Retry) -> str | None:
    """Return why the limits cannot be replayed; None: they can."""
    most = int(tries["k"].max() or 0)  # type: ignore[arg-type]
    if scenario.max_attempts is not None and scenario.max_attempts > most:
        return f"at most {most} attempts were ever made: what more of them would do is not identifiable; try it on some"
    timed_out = tries.filter(pl.col("status") == "timeout")["latency_ms"]
    if scenario.timeout_ms is not None and (timed_out < scenario.timeout_ms).any():
        return longer_timeout().refused_because
    return None


def _applied(baseline: Baseline, frame: pl.DataFrame, tries: pl.DataFrame, scenario: Retry) -> pl.DataFrame:
    numbered = frame.with_row_index("row")
    gone = pl.col("row").is_in(tries.filter("stopped")["row"].implode())
    after = numbered.with_columns(
        (pl.col("kept") & ~gone).alias("kept"),
        pl.when(gone).then(pl.lit(scenario.name)).otherwise("touched_by").alias("touched_by"),
    )
    stood_in = (
        tries.filter(pl.col("attempt_reason") == AttemptReason.FALLBACK.value)
        .with_columns((pl.int_range(pl.len()) + 1).over("chain").alias("place"))
        .filter("meant")
    )
    for place, target in enumerate(scenario.fallbacks, start=1):
        rows = stood_in.filter(pl.col("place") == place)
        ratios = ratios_in_force(token_ratios(baseline.attempts, rows, target.model), None)
        mine = pl.col("row").is_in(rows["row"].implode()) & pl.col("kept")
        after = served_by(after, mine, target, seller_of(target, baseline.attempts), ratios)
    return after.drop("row")


def _loss(runs: pl.DataFrame, tries: pl.DataFrame) -> Estimate:
    """Return the change of the share of successful runs: from every touched run failing, to none."""
    hit = tries.filter((pl.col("stopped") | pl.col("cut")) & (pl.col("ended") == Ended.SUCCEEDED.value))
    won = runs.filter("succeeded").join(hit, on=["tenant", "run_id"], how="semi")
    n = runs.height
    method = f"bounds: all {won.height} successful runs that lose an answer fail, or none does"
    if hit.is_empty() or (n and won.is_empty()):
        return Estimate(0.0, 0.0, 0.0, n, method)
    if n == 0:
        return Estimate(None, None, None, n, method, refused_because="no settled run has such a call")
    why = "whether a lost answer loses its run is not known"
    return Estimate(None, -won.height / n, 0.0, n, method, refused_because=why)
