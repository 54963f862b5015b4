"""`output_cap`: a smaller maximum of output, or a shorter shape of it."""

import polars as pl

from tokenpnl_analytics.resolving.usage import KIND_NAMES
from tokenpnl_analytics.rules.scenario_families import OutputCap
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.replay import Replayed, ends, refused, touched
from tokenpnl_analytics.whatif.result import Evidence

_KINDS = [name for name in KIND_NAMES if name.startswith("output_")]
_REASONING = "output_reasoning_tokens"
_WHOLE = pl.sum_horizontal(pl.col(name).fill_null(0) for name in _KINDS)


def replay(baseline: Baseline, frame: pl.DataFrame, scenario: OutputCap) -> Replayed:
    """Return the calls with shorter answers: first shaped, then cut at the maximum.

    Shaping shortens what is written, never the reasoning before it. A cut takes the answer first and then the
    reasoning, as a provider stops where the maximum is reached.
    """
    meant = touched(scenario.where) & (_WHOLE > 0)
    if frame.filter(meant).is_empty():
        return refused(frame, "no call with known output matches the scenario; widen `where`")
    after = _shortened(frame, meant, scenario, scenario.shaped_share)
    n_cut = 0
    if scenario.max_output_tokens is not None:
        n_cut = frame.filter(meant & (_WHOLE > scenario.max_output_tokens)).height
    range_ = None
    assumptions: tuple[str, ...] = ("A shorter answer changes nothing in what the run does next.",)
    if scenario.shaped_share is not None and scenario.shaped_share < 1:
        unshaped = _shortened(frame, meant, scenario, 1.0)
        range_ = ends(frame, unshaped, after, baseline.card)
        share = scenario.shaped_share
        assumptions = (f"The shaped answer needs {share:.0%} of the tokens; at worst as many as now.", *assumptions)
    return Replayed(
        after,
        Evidence.ASSUMED,
        Evidence.NOT_IDENTIFIABLE,
        saving_range=range_,
        saving_by_assumption={} if range_ is None else {"length of the shaped answer": range_},
        assumptions=assumptions,
        falsified_by=("More invalid output, repairs or second calls after the change.",),
        to_log=(
            "Try it on a random share of the runs, and log prompt version, output validity and outcome.",
            "The maximum asked for (gen_ai.request.max_tokens) and why the model stopped.",
        ),
        caveats=(f"{n_cut} answers would be cut in the middle.",) if n_cut else (),
    )


def _shortened(frame: pl.DataFrame, meant: pl.Expr, scenario: OutputCap, share: float | None) -> pl.DataFrame:
    factor = 1.0 if share is None else share
    shaped = frame.with_columns(
        meant.alias("meant"),
        *(
            pl.when(meant).then(_shaped(name, factor)).otherwise(name).alias(name)
            for name in _KINDS
            if name != _REASONING
        ),
    )
    if scenario.max_output_tokens is not None:
        shaped = _cut(shaped, scenario.max_output_tokens)
    before = frame.select(_WHOLE.alias("before"))
    return (
        shaped.with_columns(before["before"], _WHOLE.alias("after"))
        .with_columns((pl.col("meant") & (pl.col("after") != pl.col("before"))).alias("mine"))
        .with_columns(
            (pl.col("changed") | pl.col("mine")).alias("changed"),
            pl.when("mine").then("after").otherwise("output_total_tokens").alias("output_total_tokens"),
            pl.when("mine").then(pl.lit(scenario.name)).otherwise("touched_by").alias("touched_by"),
        )
        .drop("meant", "before", "after", "mine")
    )


def _shaped(name: str, factor: float) -> pl.Expr:
    return (pl.col(name) * factor + 0.5).floor().cast(pl.Int64)


def _cut(frame: pl.DataFrame, most: int) -> pl.DataFrame:
    """Return the frame with output kinds cut so that together they hold no more than `most`; reasoning comes first."""
    left = pl.lit(most, pl.Int64)
    columns = []
    for name in (_REASONING, *(kind for kind in _KINDS if kind != _REASONING)):
        part = pl.min_horizontal(pl.col(name).fill_null(0), left)
        columns.append(pl.when(pl.col("meant") & pl.col(name).is_not_null()).then(part).otherwise(name).alias(name))
        left = left - part
    return frame.with_columns(columns)
