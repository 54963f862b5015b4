"""`swap`: another model for the same calls. Its cost follows from its tokens; what it does to success, nobody saw."""

from collections.abc import Iterator

import polars as pl

from tokenpnl_analytics.rules.scenario_families import Swap
from tokenpnl_analytics.whatif.baseline import Baseline
from tokenpnl_analytics.whatif.families.cold_cache import COLD_WORDS, Warmth, cold_after_move
from tokenpnl_analytics.whatif.families.served_by import (
    SELF_HOSTED,
    TOKENS_KNOWN,
    ratios_in_force,
    seller_of,
    served_by,
    still_paid,
    token_ratios,
)
from tokenpnl_analytics.whatif.replay import Replayed, ends, refused, touched
from tokenpnl_analytics.whatif.result import Evidence


def replay(baseline: Baseline, frame: pl.DataFrame, scenario: Swap) -> Replayed:
    """Return the calls as another model would have charged for them.

    Tokens are multiplied by a ratio per step: stated, or measured on prompts that both models answered, or on the means
    of a step that both served, else 1.0 with the usual range. Its prompt cache begins cold and keeps prompts as its
    provider does. Calls that it serves already stay as they are.
    """
    meant = touched(scenario.where) & TOKENS_KNOWN
    seller = seller_of(scenario.to, baseline.attempts)
    rows = frame.filter(meant)
    if rows.is_empty():
        return refused(frame, "no call with known tokens matches the scenario; widen `where`")
    if seller is None and rows.select(SELF_HOSTED.any()).item():
        return refused(frame, f"some of these calls run on your own servers; say who sells {scenario.to.model}")
    ratios = ratios_in_force(token_ratios(baseline.attempts, rows, scenario.to.model), scenario.tokens)

    def at(end: str, warmth: Warmth = Warmth.RULES) -> pl.DataFrame:
        moved = cold_after_move(frame, served_by(frame, meant, scenario.to, seller, ratios, at=end), warmth)
        mine = pl.col("changed") & meant & (pl.col("model") == scenario.to.model).fill_null(value=False)
        return moved.with_columns(
            pl.when(mine).then(pl.lit(scenario.name)).otherwise("touched_by").alias("touched_by"),
        )

    # Fewer tokens save more, so the low end of the ratio is the high end of the saving.
    range_ = ends(frame, at("high"), at("low", Warmth.WARM), baseline.card)
    tokens = ends(frame, at("high"), at("low"), baseline.card)
    warmth = ends(frame, at("ratio"), at("ratio", Warmth.WARM), baseline.card)
    by_assumption = {f"tokens of {scenario.to.model}": tokens}
    if warmth[0] < warmth[1]:
        by_assumption["warmth of its prompt cache"] = warmth
    return Replayed(
        at("ratio"),
        Evidence.ASSUMED,
        Evidence.NOT_IDENTIFIABLE,
        saving_range=range_,
        saving_by_assumption=by_assumption,
        assumptions=(*_spelled(ratios, scenario), *((COLD_WORDS,) if warmth[0] < warmth[1] else ())),
        falsified_by=(f"Token counts of {scenario.to.model} on the same prompts outside that range.",),
        to_log=(
            f"Send a random share of these calls to {scenario.to.model}: then the effect on success is estimated.",
            "Policy, arm and probability of each choice (tokenpnl.route.*), and the outcome.",
        ),
        caveats=still_paid(rows),
        measured={"token_ratios": ratios},
    )


def _spelled(ratios: pl.DataFrame, scenario: Swap) -> Iterator[str]:
    measured = {
        "prompts": "measured on {n} prompts that both answered",
        "step": "measured on the means of the step, {n} calls each",
        "stated": "as the scenario says",
        "assumed": "assumed: it answered too few of these calls",
    }
    for row in ratios.iter_rows(named=True):
        yield (
            f"For {row['step']}, {scenario.to.model} reads {row['input_ratio']:.2f} ({row['input_low']:.2f} to "
            f"{row['input_high']:.2f}) and writes {row['output_ratio']:.2f} ({row['output_low']:.2f} to "
            f"{row['output_high']:.2f}) times the tokens, {measured[row['basis']].format(n=row['n'])}."
        )
