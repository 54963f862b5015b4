"""`cascade`: the cheap model first, the strong one where a recorded score is too low or a verifier objects."""

from decimal import Decimal

import polars as pl

from tokenpnl_analytics.frames import MONEY
from tokenpnl_analytics.rules.scenario_families import Cascade, Target
from tokenpnl_analytics.unit_cost.risk import wilson_interval
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.families.served_by import ratios_in_force, seller_of, served_by, token_ratios
from tokenpnl_analytics.whatif.replay import Replayed, ends, refused, repriced, touched
from tokenpnl_analytics.whatif.result import Evidence
from tokenpnl_analytics.whatif.routing.cascade import Verifier

_USED = pl.col("input_total_tokens").is_not_null() & pl.col("output_total_tokens").is_not_null()
_TO_LOG = (
    "The score of every answer of the cheap model (call.confidence), also where nobody acts on it.",
    "A random share of the calls at each model, with its probability (call.route), and the outcome.",
)


def replay(baseline: Baseline, frame: pl.DataFrame, scenario: Cascade) -> Replayed:
    """Return every meant call at the cheap model, plus what the share of it that goes on would cost at the strong one.

    A recorded score of the cheap model decides for its own calls; for the others the share that goes on is that of
    those calls. What a cascade does to success needs both answers to the same calls: not identifiable here.
    """
    meant = touched(scenario.where) & _USED
    rows = frame.filter(meant)
    if rows.is_empty():
        return refused(frame, "no call with known tokens matches the scenario; widen `where`", to_log=_TO_LOG)
    shares = _shares(rows, scenario)
    if isinstance(shares, str):
        return refused(frame, shares, to_log=_TO_LOG)
    middle, least, most = (
        _cascaded(baseline, frame, scenario, share, at)
        for share, at in zip(shares, ("ratio", "low", "high"), strict=True)
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


def _shares(rows: pl.DataFrame, scenario: Cascade) -> tuple[float, float, float] | str:
    """Return the share of calls that goes on, with its range; or why nobody knows."""
    if scenario.verifier is None:
        if scenario.score != "confidence":
            return f"the score {scenario.score!r} is not recorded; record it with call.confidence"
        scored = rows.filter((pl.col("model") == scenario.cheap.model) & pl.col("confidence").is_not_null())
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


def _cascaded(baseline: Baseline, frame: pl.DataFrame, scenario: Cascade, share: float, at: str) -> pl.DataFrame:
    meant = touched(scenario.where) & _USED
    strong_usd = _strong_usd(baseline, frame, scenario, meant, at)
    cheap = _moved(baseline, frame, scenario, scenario.cheap, (meant, at))
    goes_on = pl.lit(Decimal(f"{share:.9f}"), MONEY)
    if scenario.threshold is not None:
        recorded = (pl.col("model") == scenario.cheap.model) & ~pl.col("moved") & pl.col("confidence").is_not_null()
        decided = pl.when(pl.col("confidence") < scenario.threshold).then(1).otherwise(0).cast(MONEY)
        goes_on = pl.when(recorded).then(decided).otherwise(goes_on)
    check = pl.lit(scenario.verifier.usd_per_check if scenario.verifier else Decimal(0), MONEY)
    mine = pl.col("mine")
    return (
        cheap.with_columns(strong_usd.alias("strong_usd"), frame.select(meant.alias("mine"))["mine"])
        .with_columns((pl.col("model").ne_missing(frame["model"])).alias("moved"))
        .with_columns(
            pl.when(mine)
            .then(pl.col("extra_usd") + (goes_on * pl.col("strong_usd")).cast(MONEY) + check)
            .otherwise("extra_usd")
            .alias("extra_usd"),
            pl.when(mine).then(pl.lit(scenario.name)).otherwise("touched_by").alias("touched_by"),
        )
        .drop("strong_usd", "moved", "mine")
    )


def _strong_usd(baseline: Baseline, frame: pl.DataFrame, scenario: Cascade, meant: pl.Expr, at: str) -> pl.Series:
    """Return what each call would cost at the strong model; without one that is named, at the model that served it."""
    if scenario.strong is None:
        return repriced(frame, baseline.card)["token_usd"]
    return repriced(_moved(baseline, frame, scenario, scenario.strong, (meant, at)), baseline.card)["token_usd"]


def _moved(
    baseline: Baseline, frame: pl.DataFrame, scenario: Cascade, target: Target, which: tuple[pl.Expr, str]
) -> pl.DataFrame:
    meant, at = which
    ratios = ratios_in_force(token_ratios(baseline.attempts, frame.filter(meant), target.model), scenario.tokens)
    return served_by(frame, meant, target, seller_of(target, baseline.attempts), ratios, at=at)
