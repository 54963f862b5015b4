"""`cascade`: the cheap model first, the strong one where a recorded score is too low or a verifier objects."""

from decimal import Decimal
from typing import NamedTuple

import polars as pl

from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.scenario_families import Cascade, Target
from tokenpnl_analytics.unit_cost.risk import wilson_interval
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.families.cold_cache import COLD_WORDS, Warmth, cold_after_move, cold_after_switch
from tokenpnl_analytics.whatif.families.served_by import (
    TOKENS_KNOWN,
    ratios_in_force,
    seller_of,
    served_by,
    token_ratios,
)
from tokenpnl_analytics.whatif.replay import Replayed, ends, refused, repriced, touched
from tokenpnl_analytics.whatif.result import Evidence
from tokenpnl_analytics.whatif.routing.cascade import Verifier

_TOTALS = ("input_total_tokens", "output_total_tokens")
_ATTEMPT = ["tenant", "attempt_id"]
_TO_LOG = (
    "The score of every answer of the cheap model (call.confidence), also where nobody acts on it.",
    "A random share of the calls at each model, with its probability (call.route), and the outcome.",
)


class _End(NamedTuple):
    """Tokens of the models, and warmth of their prompt caches, at one end of the range."""

    tokens: str
    cheap: Warmth
    strong: Warmth


_ENDS = (
    _End("ratio", Warmth.RULES, Warmth.RULES),
    _End("low", Warmth.WARM, Warmth.WARM),
    _End("high", Warmth.COLD, Warmth.COLD),
)


def replay(baseline: Baseline, frame: pl.DataFrame, scenario: Cascade) -> Replayed:
    """Return every meant call at the cheap model, plus what the share of it that goes on would cost at the strong one.

    A recorded score of the cheap model decides for its own calls; for the others the share that goes on is that of
    those calls. What a cascade does to success needs both answers to the same calls: not identifiable here.
    """
    meant = touched(scenario.where) & TOKENS_KNOWN
    rows = frame.filter(meant)
    if rows.is_empty():
        return refused(frame, "no call with known tokens matches the scenario; widen `where`", to_log=_TO_LOG)
    shares = _shares(rows.filter(_own_answer(baseline, rows, scenario)), scenario)
    if isinstance(shares, str):
        return refused(frame, shares, to_log=_TO_LOG)
    middle, least, most = (
        _cascaded(baseline, frame, scenario, share, end) for share, end in zip(shares, _ENDS, strict=True)
    )
    range_ = ends(frame, most, least, baseline.card)
    return Replayed(
        middle,
        Evidence.ASSUMED,
        Evidence.NOT_IDENTIFIABLE,
        saving_range=range_,
        saving_by_assumption={"share that goes on to the strong model, and tokens": range_},
        assumptions=(
            (
                f"{shares[0]:.0%} of the calls whose score is not recorded go on to the strong model "
                f"({shares[1]:.0%} to {shares[2]:.0%})."
            ),
            "Both models need the tokens that were measured, stated or assumed for them.",
            COLD_WORDS,
        ),
        falsified_by=("Another share of calls that go on.",),
        to_log=_TO_LOG,
        caveats=_caveats(scenario),
    )


def _caveats(scenario: Cascade) -> tuple[str, ...]:
    said = scenario.verifier
    if said is not None and said.tpr == 1 and said.fpr == 0:
        return ("A perfect verifier is a ceiling: nobody has one.",)
    return ()


def _own_answer(baseline: Baseline, rows: pl.DataFrame, scenario: Cascade) -> pl.Series:
    """Return whether the cheap model itself gave the answer of a row, as asked here, and its score was recorded.

    A call that another scenario moved there, or asks with other tokens, has the score of another answer.
    """
    recorded = ["model", "provider", *_TOTALS]
    given = baseline.attempts.select(*_ATTEMPT, *(pl.col(name).alias(f"given_{name}") for name in recorded))
    as_given = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"given_{name}")) for name in recorded)
    cheap = (pl.col("model") == scenario.cheap.model).fill_null(value=False)
    return (
        rows.join(given, on=_ATTEMPT, how="left", maintain_order="left")
        .select((cheap & as_given & ~pl.col("added") & pl.col("confidence").is_not_null()).alias("own"))
        .to_series()
    )


def _shares(scored: pl.DataFrame, scenario: Cascade) -> tuple[float, float, float] | str:
    """Return the share of calls that goes on, with its range; or why nobody knows.

    Args:
        scored: calls whose score of the cheap model's own answer is recorded.
        scenario: what decides.
    """
    if scenario.verifier is None:
        if scenario.score != "confidence":
            return f"the score {scenario.score!r} is not recorded; record it with call.confidence"
        if scored.is_empty():
            return f"no answer of {scenario.cheap.model} has a recorded score: what it would have been is unknown"
        below = scored.filter(pl.col("confidence") < scenario.threshold).height
        return below / scored.height, *wilson_interval(below, scored.height)
    said = scenario.verifier
    right = scenario.cheap_correct_share
    if right is None:
        return "how often the cheap model is right is unknown; state cheap_correct_share, or label some answers"
    verifier = Verifier(said.tpr, said.fpr, float(said.usd_per_check), said.n_correct, said.n_wrong)
    (tpr_low, tpr_high), (fpr_low, fpr_high) = verifier.rates()

    def goes_on(tpr: float, fpr: float) -> float:
        return 1 - tpr * right - fpr * (1 - right)

    return goes_on(verifier.tpr, verifier.fpr), goes_on(tpr_high, fpr_high), goes_on(tpr_low, fpr_low)


def _cascaded(baseline: Baseline, frame: pl.DataFrame, scenario: Cascade, share: float, end: _End) -> pl.DataFrame:
    meant = touched(scenario.where) & TOKENS_KNOWN
    strong_usd = _strong_usd(baseline, frame, scenario, meant, end)
    cheap = _moved(baseline, frame, scenario, scenario.cheap, (meant, end.tokens, end.cheap))
    goes_on = pl.lit(Decimal(f"{share:.9f}"), MONEY)
    if scenario.threshold is not None:
        decided = pl.when(pl.col("confidence") < scenario.threshold).then(1).otherwise(0).cast(MONEY)
        goes_on = pl.when("own").then(decided).otherwise(goes_on)
    check = pl.lit(scenario.verifier.usd_per_check if scenario.verifier else Decimal(0), MONEY)
    mine = pl.col("mine")
    return (
        cheap.with_columns(
            strong_usd.alias("strong_usd"),
            frame.select(meant.alias("mine"))["mine"],
            _own_answer(baseline, frame, scenario),
        )
        .with_columns(
            pl.when(mine)
            .then(pl.col("extra_usd") + (goes_on * pl.col("strong_usd")).cast(MONEY) + check)
            .otherwise("extra_usd")
            .alias("extra_usd"),
            pl.when(mine).then(pl.lit(scenario.name)).otherwise("touched_by").alias("touched_by"),
        )
        .drop("strong_usd", "own", "mine")
    )


def _strong_usd(baseline: Baseline, frame: pl.DataFrame, scenario: Cascade, meant: pl.Expr, end: _End) -> pl.Series:
    """Return what each call would cost at the strong model; without one that is named, at the model that served it.

    Only what the cheap model cannot do arrives there, so that at the dear end its cache is cold whoever served before.
    """
    if scenario.strong is None:
        there = cold_after_switch(frame, meant, Warmth.COLD) if end.strong is Warmth.COLD else frame
    else:
        there = _moved(baseline, frame, scenario, scenario.strong, (meant, end.tokens, end.strong))
    return repriced(there, baseline.card)["token_usd"]


def _moved(
    baseline: Baseline, frame: pl.DataFrame, scenario: Cascade, target: Target, which: tuple[pl.Expr, str, Warmth]
) -> pl.DataFrame:
    meant, at, warmth = which
    ratios = ratios_in_force(token_ratios(baseline.attempts, frame.filter(meant), target.model), scenario.tokens)
    moved = served_by(frame, meant, target, seller_of(target, baseline.attempts), ratios, at=at)
    return cold_after_move(frame, moved, warmth)
